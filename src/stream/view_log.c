/* SPDX-License-Identifier: MIT */
#include "stream/view_log.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wire/fcgi.h"

enum { LOG_KEEP = 256 * 1024, PLAIN_KEEP = 2 * VIEW_GROUP };

/* Where the open group is rendered: in its place, or beside it to be compressed. */
static struct buf *text_of(struct view_log *l)
{
	return l->gzip ? &l->plain : &l->bytes;
}

static void compress(struct view_log *l)
{
	int64_t begun = clock_mono_ns();
	gzip_put(l->gzip, &l->bytes, buf_str(&l->plain), l->joins);
	buf_reset(&l->plain, PLAIN_KEEP);
	l->joins = false;
	l->packing_ns += clock_mono_ns() - begun;
}

static void close_group(struct view_log *l)
{
	if (!l->is_open)
		return;
	const struct view_group *g = &l->groups[l->n_groups - 1];
	l->is_open = false;
	if (!l->is_raw)
		format_end(text_of(l), l->format, l->epoch, g->last);
	if (l->gzip)
		compress(l);
	if (l->framing == HANDOFF_FCGI)
		fcgi_frame_stdout(&l->bytes, g->at, 1);
}

static bool is_full(struct view_log *l)
{
	return l->gzip ? l->plain.len >= VIEW_GROUP
		       : l->bytes.len - l->groups[l->n_groups - 1].at >= VIEW_GROUP;
}

/* A raw one is no part of a batch. */
static void open_group(struct view_log *l, event_id before, bool is_raw)
{
	if (l->n_groups == l->room) {
		l->room = l->room ? l->room * 2 : 8;
		l->groups = mem_resize(l->groups, l->room * sizeof(l->groups[0]));
	}
	l->groups[l->n_groups++] = (struct view_group){l->bytes.len, before};
	l->is_open = l->is_empty = true;
	if (l->framing == HANDOFF_FCGI) {
		buf_reserve(&l->bytes, FCGI_HEADER);
		l->bytes.len += FCGI_HEADER;
	}
	l->is_raw = is_raw;
	if (!is_raw)
		format_begin(text_of(l), l->format);
}

void view_log_init(struct view_log *l, enum format format, enum handoff_framing framing, bool gzips,
		   struct str epoch)
{
	*l = (struct view_log){.format = format,
			       .framing = framing,
			       .epoch = epoch,
			       .gzip = gzips ? gzip_new() : NULL};
}

void view_log_fini(struct view_log *l)
{
	gzip_free(l->gzip);
	buf_fini(&l->plain);
	buf_fini(&l->bytes);
	free(l->groups);
}

void view_log_put_event(struct view_log *l, const char *channel, const struct event *ev)
{
	if (l->is_open && is_full(l))
		close_group(l);
	if (!l->is_open)
		open_group(l, ev->id, false);
	format_event(text_of(l), l->format, l->epoch, str_of(channel), ev, l->is_empty);
	l->is_empty = false;
	l->groups[l->n_groups - 1].last = l->last = ev->id;
}

void view_log_put_rendered(struct view_log *l, struct str bytes, event_id last)
{
	close_group(l);
	open_group(l, last, true);
	struct view_group *g = &l->groups[l->n_groups - 1];
	g->last = l->last = last;
	buf_put_str(&l->bytes, bytes);
	l->is_open = false;
	l->joins = true; /* the compressor has not seen this */
	if (l->framing == HANDOFF_FCGI)
		fcgi_frame_stdout(&l->bytes, g->at, 1);
}

void view_log_put_heartbeat(struct view_log *l, event_id newest, enum sse_heartbeat how)
{
	close_group(l);
	open_group(l, newest, true);
	format_heartbeat(text_of(l), l->format, l->epoch, newest, how);
	l->last = MAX(l->last, newest);
}

uint64_t view_log_end(struct view_log *l)
{
	close_group(l);
	return l->first_group + l->n_groups;
}

uint64_t view_log_join(struct view_log *l)
{
	uint64_t end = view_log_end(l);
	l->joins = true;
	return end;
}

int view_log_read(struct view_log *l, uint64_t pos, bool one_group, struct str *ret)
{
	if (pos < l->first_group)
		return -ESTALE;
	uint64_t end = view_log_end(l);
	size_t from = pos < end ? l->groups[pos - l->first_group].at : l->bytes.len;
	size_t to = l->bytes.len;
	if (one_group && pos + 1 < end)
		to = l->groups[pos + 1 - l->first_group].at;
	*ret = (struct str){l->bytes.data + from, to - from};
	return 0;
}

struct str view_log_cut(const struct view_log *l, uint64_t *pos, size_t n, event_id *last)
{
	size_t i = (size_t)(*pos - l->first_group);
	size_t stop = l->groups[i].at + n;
	while (i < l->n_groups && l->groups[i].at < stop)
		i++;
	if (i > 0)
		*last = l->groups[i - 1].last;
	size_t end = i < l->n_groups ? l->groups[i].at : l->bytes.len;
	*pos = l->first_group + i;
	return (struct str){l->bytes.data + stop, end - stop};
}

void view_log_empty(struct view_log *l)
{
	l->first_group += l->n_groups;
	l->n_groups = 0;
	buf_reset(&l->bytes, LOG_KEEP);
}

/* Half of it, so each byte is moved at most once for each one dropped. */
void view_log_halve(struct view_log *l, size_t window)
{
	size_t n = 0;
	while (n < l->n_groups && l->bytes.len - l->groups[n].at > window / 2)
		n++;
	size_t bytes = n < l->n_groups ? l->groups[n].at : l->bytes.len;
	buf_drop(&l->bytes, bytes);
	l->n_groups -= n;
	l->first_group += n;
	memmove(l->groups, l->groups + n, l->n_groups * sizeof(l->groups[0]));
	for (size_t i = 0; i < l->n_groups; i++)
		l->groups[i].at -= bytes;
}

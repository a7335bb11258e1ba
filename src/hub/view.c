/* SPDX-License-Identifier: MIT */
#include "hub/view.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "hub/channel.h"
#include "hub/stream.h"
#include "wire/fcgi.h"

enum { LOG_KEEP = 256 * 1024 };

/* ---- the log ------------------------------------------------------------------ */

static void close_group(struct view *v)
{
	if (!v->is_open)
		return;
	v->is_open = false;
	if (v->framing == DOOR_FCGI)
		fcgi_frame_stdout(&v->log, v->groups[v->n_groups - 1].at, 1);
}

static void open_group(struct view *v, event_id first)
{
	if (v->n_groups == v->groups_room) {
		v->groups_room = v->groups_room ? v->groups_room * 2 : 8;
		v->groups = mem_resize(v->groups, v->groups_room * sizeof(v->groups[0]));
	}
	v->groups[v->n_groups++] = (struct view_group){v->log.len, first, first};
	v->is_open = true;
	if (v->framing == DOOR_FCGI) {
		buf_reserve(&v->log, FCGI_HEADER);
		v->log.len += FCGI_HEADER;
	}
}

static void empty_log(struct view *v)
{
	v->first_group += v->n_groups;
	v->n_groups = 0;
	buf_reset(&v->log, LOG_KEEP);
}

/* Drops the older half: each byte is moved at most once for each one dropped. */
static void halve_log(struct view *v)
{
	size_t n = 0;
	while (n < v->n_groups && v->log.len - v->groups[n].at > VIEW_WINDOW / 2)
		n++;
	size_t bytes = n < v->n_groups ? v->groups[n].at : v->log.len;
	buf_drop(&v->log, bytes);
	v->n_groups -= n;
	v->first_group += n;
	memmove(v->groups, v->groups + n, v->n_groups * sizeof(v->groups[0]));
	for (size_t i = 0; i < v->n_groups; i++)
		v->groups[i].at -= bytes;
}

static void append(struct view *v, const struct channel *c, const struct event *ev)
{
	if (v->log.len > VIEW_WINDOW)
		view_flush(v);
	if (v->is_open && v->log.len - v->groups[v->n_groups - 1].at >= VIEW_GROUP)
		close_group(v);
	if (!v->is_open)
		open_group(v, ev->id);
	sse_put_event(&v->log, hub_epoch(v->hub), str_of(c->settings.name), ev, v->data);
	v->groups[v->n_groups - 1].last = v->last = ev->id;
	loop_defer(v->hub->loop, &v->task);
}

void view_publish(struct channel *c, const struct event *ev)
{
	list_each (e, &c->views)
		append(list_entry(e, struct view_link, link)->view, c, ev);
}

uint64_t view_end(struct view *v)
{
	close_group(v);
	return v->first_group + v->n_groups;
}

int view_read(struct view *v, uint64_t pos, struct str *ret)
{
	if (pos < v->first_group)
		return -ESTALE;
	uint64_t end = view_end(v);
	size_t from = pos < end ? v->groups[pos - v->first_group].at : v->log.len;
	*ret = (struct str){v->log.data + from, v->log.len - from};
	return 0;
}

struct str view_cut(struct view *v, uint64_t *pos, size_t n, event_id *last)
{
	size_t i = (size_t)(*pos - v->first_group);
	size_t stop = v->groups[i].at + n;
	while (i < v->n_groups && v->groups[i].at < stop)
		i++;
	if (i > 0)
		*last = v->groups[i - 1].last;
	size_t end = i < v->n_groups ? v->groups[i].at : v->log.len;
	*pos = v->first_group + i;
	return (struct str){v->log.data + stop, end - stop};
}

/* ---- flushing ------------------------------------------------------------------- */

void view_flush(struct view *v)
{
	close_group(v);
	v->flushed_ns = loop_now(v->hub->loop);
	loop_timer_cancel(v->hub->loop, &v->timer);
	struct list now;
	list_init(&now);
	list_splice(&now, &v->ready);
	while (!list_is_empty(&now)) {
		struct list *e = now.next;
		list_remove(e);
		list_append(&v->ready, e);
		stream_flush(stream_of_ready(e));
	}
	if (!v->n_behind)
		empty_log(v);
	else if (v->log.len > VIEW_WINDOW)
		halve_log(v);
}

static void on_timer(struct loop_timer *t)
{
	view_flush(container_of(t, struct view, timer));
}

/* A quiet view flushes at the end of the turn, a busy one when its time has come. */
static void on_turn_end(struct loop_task *t)
{
	struct view *v = container_of(t, struct view, task);
	int64_t due = v->flushed_ns + v->coalesce_ns;
	if (loop_now(v->hub->loop) >= due)
		view_flush(v);
	else if (!v->timer.slot)
		loop_timer_set(v->hub->loop, &v->timer, due);
}

/* ---- life ------------------------------------------------------------------------- */

static bool is_for(const struct view *v, const struct subscription *s)
{
	return v->n_channels == s->n_channels && v->data == s->data && v->framing == s->framing &&
	       memcmp(v->channels, s->channels, s->n_channels * sizeof(s->channels[0])) == 0;
}

struct view *view_get(struct hub *h, const struct subscription *s)
{
	list_each (e, &h->views) {
		struct view *v = list_entry(e, struct view, link);
		if (is_for(v, s)) {
			v->n_streams++;
			return v;
		}
	}
	struct view *v = mem_zero(sizeof(*v));
	v->hub = h;
	v->n_streams = 1;
	v->data = s->data;
	v->framing = s->framing;
	v->n_channels = s->n_channels;
	v->coalesce_ns = v->heartbeat_ns = v->retry_ns = INT64_MAX;
	v->links = mem_zero(s->n_channels * sizeof(v->links[0]));
	for (size_t i = 0; i < s->n_channels; i++) {
		const struct channel_settings *c = &s->channels[i]->settings;
		v->channels[i] = s->channels[i];
		v->links[i].view = v;
		list_append(&s->channels[i]->views, &v->links[i].link);
		v->coalesce_ns = MIN(v->coalesce_ns, c->coalesce_ns);
		v->heartbeat_ns = MIN(v->heartbeat_ns, c->heartbeat_ns);
		v->retry_ns = MIN(v->retry_ns, c->retry_ns);
	}
	list_init(&v->ready);
	list_init(&v->task.link);
	v->timer.fn = on_timer;
	v->task.fn = on_turn_end;
	list_append(&h->views, &v->link);
	return v;
}

void view_put(struct view *v)
{
	if (--v->n_streams)
		return;
	for (size_t i = 0; i < v->n_channels; i++)
		list_remove(&v->links[i].link);
	list_remove(&v->link);
	list_remove(&v->task.link);
	loop_timer_cancel(v->hub->loop, &v->timer);
	buf_fini(&v->log);
	free(v->groups);
	free(v->links);
	free(v);
}

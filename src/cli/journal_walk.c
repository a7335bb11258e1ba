/* SPDX-License-Identifier: MIT */
#include "cli/journal_walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "base/unit.h"
#include "cli/cli.h"

/* ---- what is told of it ---------------------------------------------------------------- */

static FILE *told_to(const struct walk *w)
{
	return w->telling == TELLS_ASIDE ? stderr : stdout;
}

static const char *told_by(const struct walk *w)
{
	return w->telling == TELLS_ASIDE ? "sluice: " : "";
}

static void put_moment(struct buf *out, event_id id, const char *none)
{
	if (id)
		timestamp_put(out, (int64_t)id_ms(id) * NS_PER_MS);
	else
		buf_puts(out, none);
}

/* Reports events that are missing before that ordinal, at which `path` goes on. */
static void tell_missing(struct walk *w, const char *path, uint64_t ordinal)
{
	uint64_t n = w->knows_next && ordinal > w->next ? ordinal - w->next : 0;
	w->next = w->knows_next ? MAX(w->next, ordinal) : ordinal;
	w->knows_next = true;
	w->found.n_missing += n;
	w->failed |= n > 0;
	if (!n || w->telling < TELLS_ALL)
		return;
	struct buf when = {0};
	put_moment(&when, w->found.last, "the beginning");
	cli_print(told_to(w), "%s%s: %llu %s missing after %s\n", told_by(w), path,
		  (unsigned long long)n, plural(n, "event is", "events are"), buf_text(&when));
	buf_fini(&when);
}

static void tell_damage(struct walk *w, const char *path, uint64_t from, uint64_t to)
{
	w->found.damaged += to - from;
	w->failed = true;
	if (w->telling < TELLS_ALL)
		return;
	struct buf when = {0};
	put_moment(&when, w->found.last, "its beginning");
	cli_print(told_to(w), "%s%s: damaged from byte %llu to %llu, after %s%s\n", told_by(w),
		  path, (unsigned long long)from, (unsigned long long)to, buf_text(&when),
		  w->telling == TELLS_ASIDE ? "; the events there are left out" : "");
	buf_fini(&when);
}

static void tell_failure(struct walk *w, const char *path, const char *why)
{
	w->failed = true;
	if (w->telling != TELLS_NOTHING)
		cli_print(stderr, "sluice: %s: %s\n", path, why);
}

/* ---- segments -------------------------------------------------------------------------- */

static void open_segment(struct walk *w)
{
	const char *path = w->paths[w->i++];
	int r = segment_open(path, false, &w->segment);
	if (r) {
		w->segment = NULL;
		w->found.unread++;
		tell_failure(w, path,
			     r == -EPROTO    ? "written by a newer version of sluice"
			     : r == -EBADMSG ? "not a journal segment (its header is damaged)"
			     : r == -EACCES
				     ? "Permission denied (run this as sluice's user, or root)"
				     : strerror(-r));
		return;
	}
	const struct segment *s = w->segment;
	memcpy(w->found.epoch, s->epoch, sizeof(w->found.epoch));
	if (w->after && w->after >= s->before)
		w->knows_next = false; /* whatever is missing before it is not in the range */
	tell_missing(w, path, s->ordinal);
	batch_reader_init(&w->reader, s, segment_start(s), s->size);
}

static void close_segment(struct walk *w)
{
	const struct segment *s = w->segment;
	w->found.n_segments++;
	w->found.n_compressed += s->sealed != NULL;
	w->found.bytes += segment_bytes(s);
	w->found.whole += s->size;
	batch_reader_fini(&w->reader);
	segment_unref(w->segment);
	w->segment = NULL;
}

static void take_batch(struct walk *w, const struct batch *b)
{
	if (b->ordinal != ORDINAL_UNKNOWN)
		tell_missing(w, w->segment->path, b->ordinal);
	w->next = b->ordinal == ORDINAL_UNKNOWN ? w->next + b->n_events
						: MAX(w->next, b->ordinal + b->n_events);
	w->records = b->records;
	w->is_beyond = b->last >= w->upto;
}

/* What cannot be read: whether the segment goes on behind it. */
static bool pass_damage(struct walk *w, int got)
{
	const struct segment *s = w->segment;
	uint64_t bad = w->reader.offset;
	bool goes_on = got == -EBADMSG && batch_resync(&w->reader) == 1;
	uint64_t to = goes_on ? w->reader.offset : s->size;
	if (!goes_on && w->i == w->n && !s->sealed)
		w->found.unfinished += to - bad;
	else
		tell_damage(w, s->path, bad, to);
	return goes_on;
}

/* Moves to the next batch. */
static bool next_batch(struct walk *w)
{
	struct batch b;
	for (;;) {
		if (w->segment && w->is_beyond)
			close_segment(w);
		if (!w->segment && (w->is_beyond || w->i == w->n))
			return false;
		if (!w->segment)
			open_segment(w);
		if (!w->segment)
			continue;
		int got = batch_next(&w->reader, &b);
		if (got == 1 && b.first > w->upto) {
			/* Some of the missing events may belong to the range. */
			if (b.ordinal != ORDINAL_UNKNOWN)
				tell_missing(w, w->segment->path, b.ordinal);
			w->is_beyond = true;
		} else if (got == 1) {
			take_batch(w, &b);
			return true;
		} else if (!got || !pass_damage(w, got)) {
			close_segment(w);
		}
	}
}

static bool next_record(struct walk *w)
{
	struct record rec;
	while (record_next(&w->records, &rec) == 1) {
		if (rec.kind == RECORD_CURSOR) {
			w->found.n_cursors++;
			continue;
		}
		event_id id = rec.event.id;
		w->found.n_events++;
		w->found.first = w->found.first ? w->found.first : id;
		w->found.last = id;
		w->event = rec.event;
		if (id > w->after && id <= w->upto)
			return true;
	}
	w->records.len = 0;
	return false;
}

bool walk_next(struct walk *w)
{
	while (!next_record(w)) {
		if (next_batch(w))
			continue;
		if (w->is_known && !w->is_beyond)
			tell_missing(w, w->dir, w->n_ever);
		w->is_known = false;
		return false;
	}
	return true;
}

/* ---- ----------------------------------------------------------------------------------- */

struct witness *walk_witness(const char *state_dir)
{
	char *path = mem_printf("%s/witness", state_dir);
	struct witness *w;
	int r = witness_open(path, false, &w);
	free(path);
	return r ? NULL : w;
}

/* Read again after listing the files: meanwhile, a running hub drops the oldest. */
static void know_extent(struct walk *w, const char *state_dir, struct witness *before)
{
	struct extent was, is;
	if (!before || !witness_get(before, w->channel, &was))
		return;
	w->is_known = true;
	w->n_ever = was.n_events;
	struct witness *now = walk_witness(state_dir);
	if (now && witness_get(now, w->channel, &is)) {
		w->next = is.low_ordinal;
		w->knows_next = true;
	}
	witness_close(now);
}

/* The lowest id that the segment can contain: its file is named after it. */
static event_id first_of(const char *path)
{
	const char *name = strrchr(path, '/');
	return strtoull(name ? name + 1 : path, NULL, 16);
}

bool walk_begin(struct walk *w, const char *state_dir, struct witness *before)
{
	w->dir = mem_printf("%s/journal/%s", state_dir, w->channel);
	int r = journal_list(w->dir, &w->paths, &w->n);
	if (r)
		tell_failure(w, w->dir, strerror(-r));
	know_extent(w, state_dir, before);
	/* Segments that end before the range. */
	while (w->i + 1 < w->n && first_of(w->paths[w->i + 1]) <= w->after)
		w->i++;
	return !r;
}

void walk_end(struct walk *w)
{
	if (w->segment)
		close_segment(w);
	for (size_t i = 0; i < w->n; i++)
		free(w->paths[i]);
	free(w->paths);
	free(w->dir);
}

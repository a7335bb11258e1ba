/* SPDX-License-Identifier: MIT */
#include "past/replay.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wire/gzip.h"

#define SLICE_NS (20 * NS_PER_MS)

enum { LOOK_AT_THE_CLOCK_EVERY = 8 };

/* The output, group by group. */
struct pen {
	struct replay *r;
	size_t begun; /* where in out the open group begins */
	bool is_open;
	event_id last; /* written */
};

static void end_group(struct pen *pen, event_id last)
{
	if (!pen->is_open)
		return;
	format_end(&pen->r->out, pen->r->format, pen->r->epoch, last);
	pen->is_open = false;
}

/* Says whether what comes next is the first of its group. */
static bool open_group(struct pen *pen)
{
	struct replay *r = pen->r;
	if (pen->is_open && r->group && r->out.len - pen->begun >= r->group)
		end_group(pen, pen->last);
	if (pen->is_open)
		return false;
	pen->begun = r->out.len;
	pen->is_open = true;
	format_begin(&r->out, r->format);
	return true;
}

static void write_one(struct pen *pen, const struct past *p)
{
	struct replay *r = pen->r;
	bool first = open_group(pen);
	if (p->gap_reason)
		format_gap(&r->out, r->format, r->epoch,
			   &(struct gap){.channel = p->channel->name,
					 .from = p->gap_from,
					 .to = p->gap_to,
					 .at = MAX(p->upto, (event_id)1),
					 .count = p->gap_count,
					 .reason = p->gap_reason},
			   first);
	else
		format_event(&r->out, r->format, r->epoch, p->channel->name, &p->event, first);
	pen->last = p->upto;
	r->n_events++;
}

/* A channel, source and type, and the newest event of it. */
struct kind {
	struct str channel;
	char *source, *type; /* owned */
	event_id newest;
};

static struct kind *find_kind(struct kind *kinds, size_t n, const struct past *p)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(kinds[i].channel, p->channel->name) &&
		    str_is(p->event.source, kinds[i].source) &&
		    str_is(p->event.type, kinds[i].type))
			return &kinds[i];
	return NULL;
}

/* Says once that only the newest follow, at the place before the first of them. */
static void write_left_out(struct pen *pen, event_id at)
{
	struct replay *r = pen->r;
	format_gap(
		&r->out, r->format, r->epoch,
		&(struct gap){
			.from = r->after, .to = r->upto, .at = at, .count = -1, .reason = "slow"},
		open_group(pen));
}

/* Checked every few events, as a filter may take long for one. */
static bool is_interrupted(const struct replay *r, unsigned n, int64_t deadline_ns)
{
	return n % LOOK_AT_THE_CLOCK_EVERY == 0 &&
	       (clock_mono_ns() > deadline_ns || atomic_load(&r->is_cancelled));
}

/* How far it has got: first it finds out which events are the newest, then it writes these. */
struct latest {
	struct kind *kinds;
	size_t n;
	event_id after; /* of this pass, everything up to here is done */
	bool is_writing;
	struct pen pen;
};

static void latest_free(struct latest *l)
{
	for (size_t i = 0; l && i < l->n; i++) {
		free(l->kinds[i].source);
		free(l->kinds[i].type);
	}
	if (l)
		free(l->kinds);
	free(l);
}

static void note_kind(struct latest *l, const struct past *p)
{
	struct kind *k = find_kind(l->kinds, l->n, p);
	if (!k) {
		l->kinds = mem_resize(l->kinds, (l->n + 1) * sizeof(l->kinds[0]));
		k = &l->kinds[l->n++];
		k->channel = p->channel->name;
		k->source = mem_strndup(p->event.source.data, p->event.source.len);
		k->type = mem_strndup(p->event.type.data, p->event.type.len);
	}
	k->newest = p->id;
}

static void look_at(struct replay *r, struct latest *l, const struct past *p)
{
	if (p->gap_reason)
		return;
	if (l->is_writing) {
		const struct kind *k = find_kind(l->kinds, l->n, p);
		if (!k || k->newest != p->id)
			return;
		if (!r->n_events)
			write_left_out(&l->pen, p->id - 1);
		write_one(&l->pen, p);
		return;
	}
	int is = past_matches(p, r->run);
	if (is < 0)
		r->slow = r->run->slow;
	if (is == 1)
		note_kind(l, p);
}

/* False when it was interrupted and goes on later, or a regex did not end. */
static bool pass(struct replay *r, struct latest *l, int64_t deadline_ns)
{
	struct pasts pasts;
	struct past *p;
	bool behind_gap = false; /* not a place to stop at: the gap would be reported again */
	unsigned n = 0;
	pasts_init(&pasts, r->channels, r->n_channels, l->after);
	while ((p = pasts_first(&pasts, r->upto))) {
		if (!behind_gap && is_interrupted(r, ++n, deadline_ns))
			break;
		behind_gap = p->gap_reason != NULL;
		look_at(r, l, p);
		if (r->slow)
			break;
		l->after = p->upto;
		past_advance(p);
	}
	pasts_fini(&pasts);
	return !p;
}

static bool write_latest(struct replay *r, int64_t deadline_ns)
{
	struct latest *l = r->latest;
	if (!l) {
		l = r->latest = mem_zero(sizeof(*l));
		l->after = r->start;
		l->pen.r = r;
	}
	if (!l->is_writing) {
		if (!pass(r, l, deadline_ns))
			return r->slow != NULL;
		l->is_writing = true;
		l->after = r->upto;
		for (size_t i = 0; i < l->n; i++)
			l->after = MIN(l->after, l->kinds[i].newest - 1);
	}
	if (!pass(r, l, deadline_ns))
		return false;
	r->last = r->upto;
	r->is_complete = true;
	end_group(&l->pen, r->format == FORMAT_PAGE ? r->last : l->pen.last);
	return true;
}

static bool is_over(const struct replay *r)
{
	return r->out.len >= r->budget + r->head_room || (r->limit && r->n_events >= r->limit);
}

static void write_events(struct replay *r, int64_t deadline_ns)
{
	struct pen pen = {.r = r};
	struct pasts pasts;
	struct past *p;
	bool behind_gap = false; /* not a place to stop at: the gap would be reported again */
	unsigned n = 0;
	pasts_init(&pasts, r->channels, r->n_channels, r->start);
	while ((p = pasts_first(&pasts, r->upto))) {
		if (!behind_gap && (is_over(r) || is_interrupted(r, ++n, deadline_ns)))
			break;
		behind_gap = p->gap_reason != NULL;
		int is = past_matches(p, r->run);
		if (is < 0) {
			r->slow = r->run->slow;
			break;
		}
		if (is)
			write_one(&pen, p);
		r->last = p->upto;
		past_advance(p);
	}
	r->is_complete = !p;
	if (r->is_complete)
		r->last = r->upto;
	pasts_fini(&pasts);
	end_group(&pen, r->format == FORMAT_PAGE ? r->last : pen.last);
}

/* Compresses the output into deflate blocks that depend on nothing before or after them. */
static void compress(struct replay *r)
{
	if (r->out.len == r->head_room)
		return;
	struct buf packed = {0};
	buf_reserve(&packed, r->head_room);
	packed.len = r->head_room;
	gzip_put_alone(&packed,
		       (struct str){r->out.data + r->head_room, r->out.len - r->head_room});
	buf_fini(&r->out);
	r->out = packed;
}

bool replay_run(struct replay *r)
{
	int64_t deadline_ns = clock_mono_ns() + SLICE_NS;
	r->start = r->after;
	if (r->tail && !r->is_located) {
		int found = tail_search_run(&r->search, r->run, deadline_ns);
		if (!found)
			return false;
		r->is_located = true;
		if (found < 0)
			r->slow = r->run->slow;
	}
	if (r->tail)
		r->start = tail_search_after(&r->search);
	if (r->is_latest)
		r->start = MAX(r->start, r->after);
	r->last = r->start;
	if (r->slow)
		return true;
	if (r->is_latest && !write_latest(r, deadline_ns))
		return false;
	if (!r->is_latest)
		write_events(r, deadline_ns);
	if (r->gzips)
		compress(r);
	return true;
}

/* ---- as a job ------------------------------------------------------------------------ */

static void work(struct helper_job *job)
{
	struct replay *r = container_of(job, struct replay, job);
	r->run = &r->readers->runs[job->thread];
	r->has_run = replay_run(r);
}

static void done(struct helper_job *job)
{
	struct replay *r = container_of(job, struct replay, job);
	if (r->has_run || atomic_load(&r->is_cancelled) || helper_is_ending(r->readers->helper))
		r->done(r);
	else
		helper_submit(r->readers->helper, job); /* behind all that wait */
}

struct replay *replay_new(size_t n_channels)
{
	struct replay *r = mem_zero(sizeof(*r));
	r->channels = mem_zero((n_channels + 1) * sizeof(r->channels[0]));
	r->n_channels = n_channels;
	return r;
}

void replay_free(struct replay *r)
{
	for (size_t i = 0; i < r->n_channels; i++) {
		journal_snapshot_fini(&r->channels[i].snapshot);
		filter_unref(r->channels[i].filter);
	}
	tail_search_fini(&r->search);
	latest_free(r->latest);
	free(r->channels);
	buf_fini(&r->out);
	free(r);
}

bool replay_cancel(struct replay *r)
{
	atomic_store(&r->is_cancelled, true);
	if (!helper_take_back(r->readers->helper, &r->job))
		return false;
	replay_free(r);
	return true;
}

void replay_submit(const struct readers *readers, struct replay *r, uint64_t owner)
{
	r->readers = readers;
	r->job = (struct helper_job){.work = work, .done = done, .owner = owner};
	helper_submit(readers->helper, &r->job);
}

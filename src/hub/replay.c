/* SPDX-License-Identifier: MIT */
#include "hub/replay.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

/* Reads one channel: yields events and gaps in the order of their ids. */
struct past {
	const struct replay_channel *channel;
	event_id after;
	size_t segment;
	bool is_open; /* `reader` stands in `segment` */
	struct batch_reader reader;
	struct str records; /* of the batch being read */
	event_id seen;      /* id of the last good batch */
	bool gap_done;
	/* what stands next; id 0 when there is nothing more */
	event_id id;
	event_id gap_from;
	const char *gap_reason; /* NULL for an event */
	struct event event;
};

static void past_init(struct past *p, const struct replay_channel *c, event_id after)
{
	*p = (struct past){.channel = c, .after = after, .seen = after};
}

static void past_fini(struct past *p)
{
	if (p->is_open)
		batch_reader_fini(&p->reader);
}

static void yield_gap(struct past *p, event_id from, event_id to, const char *reason)
{
	p->id = to;
	p->gap_from = from;
	p->gap_reason = reason;
}

/* Moves to the next batch with something after `after`: 1, 0 at the end, or 2
 * when there is damage before it, which is told first.
 */
static int next_batch(struct past *p)
{
	const struct journal_snapshot *snap = &p->channel->snapshot;
	bool damaged = false;
	while (p->segment < snap->n) {
		if (!p->is_open) {
			batch_reader_init(&p->reader, snap->segments[p->segment]->fd,
					  p->segment ? SEGMENT_HEADER : snap->start,
					  snap->sizes[p->segment]);
			p->is_open = true;
		}
		struct batch b;
		int got = batch_next(&p->reader, &b);
		if (got == 1) {
			event_id before = p->seen;
			p->seen = MAX(p->seen, b.last);
			p->records = b.last > p->after ? b.records : (struct str){NULL, 0};
			if (damaged && b.first > before + 1) {
				yield_gap(p, before, b.first - 1, "damaged");
				return 2;
			}
			damaged = false;
			if (p->records.len)
				return 1;
			continue;
		}
		if (got < 0) {
			damaged = true;
			if (got == -EBADMSG && batch_resync(&p->reader) == 1)
				continue;
		}
		batch_reader_fini(&p->reader);
		p->is_open = false;
		p->segment++;
	}
	if (damaged && p->seen < snap->last) {
		yield_gap(p, p->seen, snap->last, "damaged");
		p->seen = p->id;
		return 2;
	}
	return 0;
}

static void past_advance(struct past *p)
{
	p->id = 0;
	p->gap_reason = NULL;
	if (!p->gap_done && p->channel->gap_to) {
		p->gap_done = true;
		yield_gap(p, p->after, p->channel->gap_to, "expired");
		return;
	}
	for (;;) {
		struct record rec;
		while (record_next(&p->records, &rec) == 1) {
			if (rec.kind != RECORD_EVENT || rec.event.id <= p->after)
				continue;
			p->event = rec.event;
			p->id = rec.event.id;
			return;
		}
		p->records.len = 0;
		if (next_batch(p) != 1)
			return;
	}
}

static struct past *pasts_new(const struct replay *r, event_id after)
{
	struct past *pasts = mem_zero(r->n_channels * sizeof(pasts[0]));
	for (size_t i = 0; i < r->n_channels; i++) {
		past_init(&pasts[i], &r->channels[i], after);
		past_advance(&pasts[i]);
	}
	return pasts;
}

static void pasts_free(const struct replay *r, struct past *pasts)
{
	for (size_t i = 0; i < r->n_channels; i++)
		past_fini(&pasts[i]);
	free(pasts);
}

/* Of one id, the event goes before the gap that ends there. */
static bool goes_before(const struct past *a, const struct past *b)
{
	return a->id != b->id ? a->id < b->id : b->gap_reason && !a->gap_reason;
}

/* The one that stands first in the order, or NULL at the end. */
static struct past *pasts_first(const struct replay *r, struct past *pasts)
{
	struct past *first = NULL;
	for (size_t i = 0; i < r->n_channels; i++)
		if (pasts[i].id && pasts[i].id <= r->upto &&
		    (!first || goes_before(&pasts[i], first)))
			first = &pasts[i];
	return first;
}

/* The id after which exactly the last `tail` events up to `upto` come. */
static event_id locate_tail(const struct replay *r)
{
	event_id *ring = mem_zero((r->tail + 1) * sizeof(ring[0]));
	uint64_t n = 0;
	struct past *pasts = pasts_new(r, 0), *p;
	while ((p = pasts_first(r, pasts))) {
		if (!p->gap_reason)
			ring[n++ % (r->tail + 1)] = p->id;
		past_advance(p);
	}
	pasts_free(r, pasts);
	/* The ring now holds one event more than the tail, if there is one. */
	event_id after = 0;
	if (n > r->tail)
		after = ring[n % (r->tail + 1)];
	else if (n)
		after = ring[0] - 1;
	else
		after = r->upto;
	free(ring);
	return after;
}

void replay_run(struct replay *r)
{
	r->start = r->tail ? locate_tail(r) : r->after;
	r->last = r->start;
	struct past *pasts = pasts_new(r, r->start), *p;
	while ((p = pasts_first(r, pasts))) {
		if (r->out.len >= r->budget + r->head_room && p->id != r->last)
			break;
		if (p->gap_reason)
			sse_put_gap(&r->out, r->epoch, p->channel->name, p->gap_from, p->id, -1,
				    p->gap_reason);
		else
			sse_put_event(&r->out, r->epoch, p->channel->name, &p->event, r->data);
		r->last = p->id;
		past_advance(p);
	}
	r->is_complete = !p;
	if (r->is_complete)
		r->last = r->upto;
	pasts_free(r, pasts);
}

static void work(struct helper_job *job)
{
	replay_run(container_of(job, struct replay, job));
}

static void done(struct helper_job *job)
{
	struct replay *r = container_of(job, struct replay, job);
	r->done(r);
}

struct replay *replay_new(size_t n_channels)
{
	struct replay *r = mem_zero(sizeof(*r));
	r->channels = mem_zero(n_channels * sizeof(r->channels[0]));
	r->n_channels = n_channels;
	return r;
}

void replay_free(struct replay *r)
{
	for (size_t i = 0; i < r->n_channels; i++)
		journal_snapshot_fini(&r->channels[i].snapshot);
	free(r->channels);
	buf_fini(&r->out);
	free(r);
}

void replay_submit(struct helper *h, struct replay *r)
{
	r->job = (struct helper_job){.work = work, .done = done};
	helper_submit(h, &r->job);
}

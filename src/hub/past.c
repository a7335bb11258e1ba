/* SPDX-License-Identifier: MIT */
#include "hub/past.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

static void past_init(struct past *p, const struct past_channel *c, event_id after)
{
	*p = (struct past){.channel = c, .after = after, .seen = after};
	/* A snapshot for reading back begins long before. */
	while (p->part + 1 < c->snapshot.n && c->snapshot.parts[p->part + 1].n_places &&
	       c->snapshot.parts[p->part + 1].places[0].first <= after)
		p->part++;
}

/* Where to begin in a part for what comes after `after`. */
static uint64_t start_of(const struct journal_part *part, event_id after)
{
	uint64_t start = part->start;
	for (size_t i = 0; i < part->n_places && part->places[i].first <= after; i++)
		start = part->places[i].offset;
	return start;
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
	while (p->part < snap->n) {
		if (!p->is_open) {
			const struct journal_part *part = &snap->parts[p->part];
			batch_reader_init(&p->reader, part->segment->fd, start_of(part, p->after),
					  part->size);
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
		p->part++;
	}
	if (damaged && p->seen < snap->last) {
		yield_gap(p, p->seen, snap->last, "damaged");
		p->seen = p->id;
		return 2;
	}
	return 0;
}

void past_advance(struct past *p)
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
			p->after = rec.event.id; /* each once, whatever stands there twice */
			p->id = rec.event.id;
			return;
		}
		p->records.len = 0;
		if (next_batch(p) != 1)
			return;
	}
}

void pasts_init(struct pasts *p, const struct past_channel *channels, size_t n, event_id after)
{
	p->all = mem_zero((n + 1) * sizeof(p->all[0]));
	p->n = n;
	for (size_t i = 0; i < n; i++) {
		past_init(&p->all[i], &channels[i], after);
		past_advance(&p->all[i]);
	}
}

void pasts_fini(struct pasts *p)
{
	for (size_t i = 0; i < p->n; i++)
		past_fini(&p->all[i]);
	free(p->all);
}

/* Of one id, the event goes before the gap that ends there. */
static bool goes_before(const struct past *a, const struct past *b)
{
	return a->id != b->id ? a->id < b->id : b->gap_reason && !a->gap_reason;
}

struct past *pasts_first(const struct pasts *p, event_id upto)
{
	struct past *first = NULL;
	for (size_t i = 0; i < p->n; i++)
		if (p->all[i].id && p->all[i].id <= upto &&
		    (!first || goes_before(&p->all[i], first)))
			first = &p->all[i];
	return first;
}

int past_is_context(const struct past *p, struct filter_run *run)
{
	if (!p->channel->bounds || p->gap_reason)
		return 1;
	filter_run_event(run, &p->event, p->channel->name);
	return filter_match(p->channel->bounds, run);
}

int past_matches(const struct past *p, struct filter_run *run)
{
	if (!p->channel->filter || p->gap_reason)
		return 1;
	filter_run_event(run, &p->event, p->channel->name);
	return filter_match(p->channel->filter, run);
}

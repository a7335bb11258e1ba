/* SPDX-License-Identifier: MIT */
#include "past/past.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "past/skip.h"

void past_init(struct past *p, const struct past_channel *c, event_id after)
{
	*p = (struct past){.channel = c,
			   .after = after,
			   .seen = after,
			   .own = c->snapshot.low,
			   .next = ORDINAL_UNKNOWN};
	/* A snapshot for reading back begins long before. */
	while (p->part + 1 < c->snapshot.n && c->snapshot.parts[p->part + 1].n_places &&
	       c->snapshot.parts[p->part + 1].places[0].first <= after)
		p->part++;
	p->first_part = p->part;
}

void past_again(struct past *p, const struct past_channel *c, event_id after)
{
	struct batch_reader reader = p->reader;
	struct buf bloom = p->bloom;
	past_init(p, c, after);
	p->reader = reader;
	p->bloom = bloom;
}

/* A reader looks at the clock meanwhile. */
enum { MILESTONE_EVERY = 1024 * 1024 };

static void open_part(struct past *p, const struct journal_part *part)
{
	uint64_t start = part->start, ordinal = part->ordinal;
	/* Where to begin for what comes after `after`. */
	for (size_t i = 0; i < part->n_places && part->places[i].first <= p->after; i++) {
		start = part->places[i].offset;
		ordinal = part->places[i].ordinal;
	}
	batch_reader_again(&p->reader, part->segment, start, part->size);
	if (p->next == ORDINAL_UNKNOWN)
		p->next = ordinal;
	p->is_open = true;
}

void past_fini(struct past *p)
{
	batch_reader_fini(&p->reader);
	buf_fini(&p->bloom);
}

static void yield_gap(struct past *p, event_id from, event_id to, int64_t count, const char *reason)
{
	p->id = from + 1;
	p->upto = p->gap_from = from;
	p->gap_to = to;
	p->gap_count = count;
	p->gap_reason = reason;
}

/* Reports a gap from what was read up to `to`, of `n` missing events (0: unknown). */
static void yield_hole(struct past *p, event_id to, uint64_t n, bool damaged)
{
	/* The count is for the whole hole, but a cursor from another channel may be inside it. */
	bool is_exact = n && p->seen <= p->own;
	yield_gap(p, p->seen, to, is_exact ? (int64_t)n : -1, damaged ? "damaged" : "missing");
}

/* Takes a batch; true if events are missing before it, which must be reported first. */
static bool take_batch(struct past *p, const struct journal_part *part, const struct batch *b,
		       bool damaged)
{
	bool is_known = b->ordinal != ORDINAL_UNKNOWN && p->next != ORDINAL_UNKNOWN;
	uint64_t n = is_known && b->ordinal > p->next ? b->ordinal - p->next : 0;
	/* The id before a segment is known; a reader that has come that far has seen the gap
	 * already.
	 */
	bool is_first = b->offset == segment_start(part->segment);
	event_id to = is_first ? part->segment->before : b->first - 1;
	bool has_hole = (n || (damaged && !is_known)) && to > p->seen;
	if (has_hole)
		yield_hole(p, to, n, damaged);
	p->own = MAX(p->own, b->last);
	p->seen = MAX(p->seen, b->last);
	if (b->ordinal == ORDINAL_UNKNOWN)
		p->next = damaged || p->next == ORDINAL_UNKNOWN ? ORDINAL_UNKNOWN
								: p->next + b->n_events;
	else if (!is_known || b->ordinal + b->n_events > p->next)
		p->next = b->ordinal + b->n_events;
	p->records = b->last > p->after ? b->records : (struct str){NULL, 0};
	p->place = (struct scan_place){0};
	return has_hole;
}

/* Reports a gap if the journal ends before the events that it should have. */
static bool ends_early(struct past *p, bool damaged)
{
	const struct journal_snapshot *snap = &p->channel->snapshot;
	uint64_t n = p->next != ORDINAL_UNKNOWN && snap->n_events > p->next
			     ? snap->n_events - p->next
			     : 0;
	if (!n && !(damaged && p->next == ORDINAL_UNKNOWN))
		return false;
	p->next = snap->n_events;
	if (p->seen >= snap->last)
		return false;
	yield_hole(p, snap->last, n, damaged);
	p->seen = p->own = snap->last;
	return true;
}

/* Passes over a whole block of a sealed segment in which nothing can match, or of which somebody
 * knows enough without reading it.  Not over one with a hole before it.
 */
static bool pass_block(struct past *p, const struct journal_part *part)
{
	const struct past_channel *c = p->channel;
	if (!c->scan && !c->blocks)
		return false;
	const struct sealed_block *b =
		skip_whole_block(part->segment, p->reader.offset, part->size);
	if (!b || b->holds.ordinal != p->next)
		return false;
	if (!c->scan || !skip_rules_out(c->scan, part->segment, b, &p->bloom)) {
		if (!c->blocks || b->holds.first <= p->after ||
		    !c->blocks->take(c->blocks->ctx, c, &b->holds))
			return false;
		p->after = b->holds.last;
	}
	p->reader.offset += b->text_size;
	p->next += b->holds.n_events;
	p->own = MAX(p->own, b->holds.last);
	p->seen = MAX(p->seen, b->holds.last);
	p->n_hopped += b->text_size;
	p->n_skipped += b->text_size;
	return true;
}

/* Moves to the next batch that has something after `after`.  Returns 1, 0 at the end, or 2 when
 * events are missing before that batch, so that the gap has to be reported first.
 */
static int next_batch(struct past *p)
{
	const struct journal_snapshot *snap = &p->channel->snapshot;
	bool damaged = false;
	while (p->part < snap->n) {
		const struct journal_part *part = &snap->parts[p->part];
		if (!p->is_open)
			open_part(p, part);
		if (!damaged && pass_block(p, part)) {
			if (p->n_hopped >= MILESTONE_EVERY)
				return 1; /* a milestone comes first */
			continue;
		}
		struct batch b;
		int got = batch_next(&p->reader, &b);
		if (got == 1) {
			if (take_batch(p, part, &b, damaged))
				return 2;
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
		p->is_open = false;
		p->part++;
	}
	return ends_early(p, damaged) ? 2 : 0;
}

/* Hops to the next record that may hold what is looked for. */
static void hop(struct past *p)
{
	struct str *rest = &p->records;
	const char *end = rest->data + rest->len;
	const struct filter_scan *scan = p->channel->scan;
	const char *hit = filter_scan_next(scan, &p->place, rest->data, end);
	bool must_look;
	unsigned severity;
	size_t n;
	while (rest->len && (n = record_hop(*rest, &must_look, &severity)) && !must_look &&
	       (hit >= rest->data + n || scan->never & 1u << severity)) {
		rest->data += n;
		rest->len -= n;
		p->n_hopped += n;
		if (hit < rest->data)
			hit = filter_scan_next(scan, &p->place, rest->data, end);
	}
}

void past_advance(struct past *p)
{
	p->id = 0;
	p->gap_reason = NULL;
	p->is_milestone = false;
	if (!p->gap_done && p->channel->gap_to) {
		p->gap_done = true;
		yield_gap(p, p->after, p->channel->gap_to, -1, "expired");
		p->seen = MAX(p->seen, p->gap_to);
		return;
	}
	for (;;) {
		struct record rec;
		for (;;) {
			if (p->channel->scan)
				hop(p);
			if (record_next(&p->records, &rec) != 1)
				break;
			if (rec.kind != RECORD_EVENT || rec.event.id <= p->after)
				continue;
			p->event = rec.event;
			p->after = rec.event.id; /* each once, whatever stands there twice */
			p->id = p->upto = rec.event.id;
			return;
		}
		p->records.len = 0;
		if (p->n_hopped >= MILESTONE_EVERY) {
			p->n_hopped = 0;
			p->is_milestone = true;
			p->id = p->upto = p->seen;
			return;
		}
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

/* By id.  If a gap and another channel's event have the same id, the gap comes first. */
static bool goes_before(const struct past *a, const struct past *b)
{
	return a->id != b->id ? a->id < b->id : a->gap_reason && !b->gap_reason;
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

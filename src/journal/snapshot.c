/* SPDX-License-Identifier: MIT
 *
 * A journal as it is at one moment, for readers in other threads.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "journal/journal_internal.h"

#define PLACE_EVERY (256 * 1024)

static void take_range(const struct journal *j, size_t first, size_t end,
		       struct journal_snapshot *ret)
{
	*ret = (struct journal_snapshot){
		.n = end - first, .last = j->last, .n_events = j->n_events, .low = j->low};
	ret->parts = mem_zero((ret->n + 1) * sizeof(ret->parts[0]));
	if (end < j->n) {
		ret->last = j->segments[end]->before;
		ret->n_events = j->segments[end]->ordinal;
	}
	for (size_t i = 0; i < ret->n; i++) {
		struct segment *s = j->segments[first + i];
		ret->parts[i] = (struct journal_part){
			.segment = segment_ref(s),
			.start = segment_start(s),
			.size = s->size,
			/* What is missing before the oldest was not dropped by retention. */
			.ordinal = first + i ? s->ordinal : j->low_ordinal,
		};
	}
}

/* Whether a reader that has come to `after` needs no gap before segment `i`: the segment
 * continues the one before it, or the reader has seen the gap already.
 */
static bool joins(const struct journal *j, size_t i, event_id after)
{
	const struct segment *before = j->segments[i - 1], *s = j->segments[i];
	return before->ordinal + before->n_events == s->ordinal || s->before <= after;
}

void journal_snapshot(const struct journal *j, event_id after, struct journal_snapshot *ret)
{
	size_t i = 0;
	while (i + 1 < j->n && j->segments[i]->last <= after && joins(j, i + 1, after))
		i++;
	take_range(j, i, j->n, ret);
	if (!j->n)
		return;
	const struct segment *s = j->segments[i];
	uint64_t ordinal, start = segment_seek(s, after, &ordinal);
	if (start > segment_start(s)) {
		ret->parts[0].start = start;
		ret->parts[0].ordinal = ordinal;
	}
}

static void put_places(const struct segment *s, struct journal_part *part)
{
	part->places = mem_zero((s->n_marks + 1) * sizeof(part->places[0]));
	for (size_t i = 0; i < s->n_marks; i++) {
		const struct segment_mark *m = &s->marks[i];
		if (i && m->offset - part->places[part->n_places - 1].offset < PLACE_EVERY)
			continue;
		part->places[part->n_places++] =
			(struct journal_place){m->first, m->offset, m->ordinal};
	}
}

void journal_snapshot_back(const struct journal *j, event_id upto, struct journal_snapshot *ret)
{
	size_t end = j->n;
	while (end > 1 && j->segments[end - 1]->first > upto)
		end--;
	take_range(j, 0, end, ret);
	for (size_t i = 0; i < ret->n; i++)
		put_places(ret->parts[i].segment, &ret->parts[i]);
}

void journal_snapshot_fini(struct journal_snapshot *s)
{
	for (size_t i = 0; i < s->n; i++) {
		segment_unref(s->parts[i].segment);
		free(s->parts[i].places);
	}
	free(s->parts);
	*s = (struct journal_snapshot){0};
}

/* SPDX-License-Identifier: MIT
 *
 * tail_search - finds, backwards, where the last so many events begin.
 *
 * Reads the channels' journals from their ends in pieces, always the piece that
 * reaches highest among those not yet read, until enough events that match lie
 * above all that is unread.  May be stopped at a time and gone on with.
 */
#ifndef SLUICE_PAST_TAIL_SEARCH_H
#define SLUICE_PAST_TAIL_SEARCH_H

#include <stdatomic.h>

#include "past/past.h"

struct tail_place; /* of one channel */

struct tail_search {
	const struct past_channel *channels; /* borrowed; snapshots for reading back */
	size_t n_channels;
	struct tail_place *places;
	event_id upto; /* inclusive */
	uint64_t want;
	event_id *ids; /* of the matches seen, in no order */
	size_t n_ids, room;
	struct buf bloom;                /* scratch */
	event_id bound;                  /* every match from here to upto is among them */
	const atomic_bool *is_cancelled; /* or NULL */
};

void tail_search_init(struct tail_search *l, const struct past_channel *channels, size_t n,
		      event_id upto, uint64_t want);
void tail_search_fini(struct tail_search *l);

/* Goes on until `deadline_ns` (monotonic): 1 when found or everything was read, 0
 * when there is more to read, or -ELIMIT.
 */
int tail_search_run(struct tail_search *l, struct filter_run *run, int64_t deadline_ns) must_check;

/* How many of them are known to be the newest: at most `want`. */
uint64_t tail_search_found(const struct tail_search *l) must_check;

/* The id after which these begin. */
event_id tail_search_after(struct tail_search *l);

#endif

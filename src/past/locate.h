/* SPDX-License-Identifier: MIT
 *
 * locate - finds, backwards, where the last so many events begin.
 *
 * Reads the channels' journals from their ends in pieces, always the piece that
 * reaches highest among those not yet read, until enough events that match lie
 * above all that is unread.  May be stopped at a time and gone on with.
 */
#ifndef SLUICE_PAST_LOCATE_H
#define SLUICE_PAST_LOCATE_H

#include <stdatomic.h>

#include "past/past.h"

struct locate_place; /* of one channel */

struct locate {
	const struct past_channel *channels; /* borrowed; snapshots for reading back */
	size_t n_channels;
	struct locate_place *places;
	event_id upto; /* inclusive */
	uint64_t want;
	event_id *ids; /* of the matches seen, in no order */
	size_t n_ids, room;
	event_id bound;                  /* every match from here to upto is among them */
	const atomic_bool *is_cancelled; /* or NULL */
};

void locate_init(struct locate *l, const struct past_channel *channels, size_t n, event_id upto,
		 uint64_t want);
void locate_fini(struct locate *l);

/* Goes on until `deadline_ns` (monotonic): 1 when found or everything was read, 0
 * when there is more to read, or -ELIMIT.
 */
int locate_run(struct locate *l, struct filter_run *run, int64_t deadline_ns) must_check;

/* The id after which the last `want` of what was found begin. */
event_id locate_after(struct locate *l);

#endif

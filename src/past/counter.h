/* SPDX-License-Identifier: MIT
 *
 * counter - how many events of a range match, by time and severity.
 *
 * Counts in slices of time, the newest first, and what it has counted is right at any moment for
 * everything from `backwards.bound` on.  Blocks of sealed segments are not read where their
 * directory says enough.  Runs in a helper thread.
 */
#ifndef SLUICE_PAST_COUNTER_H
#define SLUICE_PAST_COUNTER_H

#include "past/backwards.h"
#include "past/missing.h"

enum { COUNTER_BUCKETS_MAX = 2000 };

struct counter {
	/* what is asked */
	struct filter_run *run;              /* of the thread that does it; set before each slice */
	const struct past_channel *channels; /* borrowed; snapshots for reading back */
	const struct filter_scan *scans;     /* borrowed; one for each of these */
	size_t n_channels;
	event_id after, upto; /* exclusive, inclusive */
	/* Times are those at which sluice got the events, which their ids tell. */
	uint64_t since_ms, width_ms; /* bucket n begins at since_ms + n * width_ms */
	size_t n_buckets;
	const atomic_bool *is_cancelled; /* or NULL */

	/* what came of it */
	uint64_t *counts; /* owned: for each bucket one for each severity, by severity_place() */
	uint64_t n_matches;
	uint64_t n_indexed; /* of these, not read */
	struct missing missing;
	bool is_complete;
	struct regex *slow; /* the regex that would not end: it stopped there; borrowed */

	struct backwards backwards; /* what is behind its bound has been counted */
	struct back_taker taker;
	struct past_channel *of; /* owned: the channels, asking for blocks */
	struct past_blocks blocks;
};

/* `c` has what is asked, all else is zero.  Keep it where it is. */
void counter_init(struct counter *c);
void counter_fini(struct counter *c);

/* Goes on until `deadline_ns` (monotonic).  Whether it is over: it is complete, or has met a slow
 * regex.
 */
bool counter_run(struct counter *c, int64_t deadline_ns) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * searcher - all events of a range that match, as text, the newest or the oldest first.
 *
 * Searches in slices of time, and says at any moment how far it has come.  Runs in a helper
 * thread.
 */
#ifndef SLUICE_PAST_SEARCHER_H
#define SLUICE_PAST_SEARCHER_H

#include "past/backwards.h"
#include "wire/format.h"

enum { SEARCHER_CONTEXT_MAX = 100 };

struct searcher {
	/* what is asked */
	struct filter_run *run;              /* of the thread that does it; set before each slice */
	struct str epoch;                    /* borrowed */
	const struct past_channel *channels; /* borrowed; snapshots for reading back */
	size_t n_channels;
	enum format format;
	bool is_oldest_first;
	event_id after, upto; /* exclusive, inclusive */
	uint64_t limit;       /* matches; 0: any number */
	uint64_t lines_before,
		lines_after; /* context: older and newer ones; at most SEARCHER_CONTEXT_MAX */
	const atomic_bool *is_cancelled; /* or NULL */

	/* what came of it */
	struct buf out;       /* what has been found, to be taken; gaps are told, too */
	uint64_t n_matches;   /* gaps are none */
	event_id reached;     /* everything beyond has been searched; 0: nothing yet */
	event_id next;        /* to go on with: before= or after= */
	uint64_t read, total; /* bytes of journals; the first is exact once it is over */
	uint64_t skipped;     /* of those read, what the index has ruled out */
	bool is_full, is_complete;
	struct regex *slow; /* the regex that would not end: it stopped there; borrowed */

	struct backwards backwards;
	struct pasts pasts;
	bool is_begun;
	/* Context: lines that came last in the order of output, each with the gaps behind it, and
	 * how many are still to follow.
	 */
	struct held_line {
		struct buf text;
		size_t len; /* of the line itself */
	} held[SEARCHER_CONTEXT_MAX];
	size_t n_held, first_held;
	uint64_t n_follow;
};

/* Zeroed, but for what is asked. */
void searcher_fini(struct searcher *s);

/* Goes on until `deadline_ns` (monotonic), or until `out` holds `enough` bytes.  Whether it is
 * over: it is complete, full, or has met a slow regex.
 */
bool searcher_run(struct searcher *s, int64_t deadline_ns, size_t enough) must_check;

#endif

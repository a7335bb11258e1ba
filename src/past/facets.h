/* SPDX-License-Identifier: MIT
 *
 * facets - which values the newest events that match have, and how often.
 *
 * Counts in slices of time, the newest first, and what it has counted is right at any moment for
 * the matches that it has come to.  Runs in a helper thread.
 */
#ifndef SLUICE_PAST_FACETS_H
#define SLUICE_PAST_FACETS_H

#include "base/table.h"
#include "past/backwards.h"
#include "past/missing.h"

enum {
	FACETS_MAX = 64,           /* names */
	FACETS_VALUES_MAX = 40000, /* of all of them */
	FACET_VALUES_MAX = 4000,   /* of one */
	FACETS_TEXT_MAX = 256, /* bytes of a value, as JSON; one that is longer is among others */
};

struct facet_value {
	struct table_entry by_text;
	struct facet *of;
	uint64_t count;
	size_t len;
	char text[]; /* JSON */
};

struct facet {
	char *name;                  /* as filters have it: "severity", "fields.status"; owned */
	uint64_t n_events;           /* that have one */
	uint64_t n_others;           /* of these, with a value that is not counted by itself */
	struct facet_value **values; /* owned; in no order */
	size_t n_values;
};

struct facets {
	/* what is asked */
	struct filter_run *run;              /* of the thread that does it; set before each slice */
	const struct past_channel *channels; /* borrowed; snapshots for reading back */
	size_t n_channels;
	event_id after, upto;            /* exclusive, inclusive */
	uint64_t limit;                  /* matches */
	const atomic_bool *is_cancelled; /* or NULL */

	/* what came of it */
	struct facet all[FACETS_MAX];
	size_t n;
	bool takes_all;     /* names that occur, beside those that were asked for: set before */
	uint64_t n_unnamed; /* values whose name was one too many */
	uint64_t n_matches;
	struct missing missing;
	bool is_complete, is_full;
	struct regex *slow; /* the regex that would not end: it stopped there; borrowed */

	struct backwards backwards; /* what is behind its bound has been counted */
	struct back_taker taker;
	struct table values;
	struct buf text;
};

/* `f` has what is asked, all else is zero.  Keep it where it is. */
void facets_init(struct facets *f);
void facets_fini(struct facets *f);

/* Asks for one, before it runs: severity, type, source, channel, or the name of a field, with or
 * without "fields." before it.  False when there are too many.
 */
bool facets_ask(struct facets *f, struct str name) must_check;

/* Goes on until `deadline_ns` (monotonic).  Whether it is over: it is complete, full, or has met a
 * slow regex.
 */
bool facets_run(struct facets *f, int64_t deadline_ns) must_check;

/* The values of one with the most events, at most `n`, the most first, and of equals the first by
 * bytes; returns how many.
 */
size_t facet_top(const struct facet *f, struct facet_value **top, size_t n);

#endif

/* SPDX-License-Identifier: MIT
 *
 * scan - where in a row of records a filter can match at all.
 *
 * Most filters let through only events whose message holds certain bytes.  These are looked for
 * in the records as they stand, many events at once; what they are in is then matched.  Never
 * decides that something matches.
 */
#ifndef SLUICE_FILTER_SCAN_H
#define SLUICE_FILTER_SCAN_H

#include "filter/filter.h"
#include "filter/grams.h"

enum {
	SCAN_LITERALS_MAX = 8,
	SCAN_LITERAL_MAX = 64,
	SCAN_LITERAL_MIN = 2,
	SCAN_GRAMS_MAX = 2 * SCAN_LITERAL_MAX,
	SCAN_FIELD_GRAMS_MAX = 8 * GRAMS_OF_FIELD
};

/* What an event may hold. */
struct scan_literal {
	char text[SCAN_LITERAL_MAX];    /* in its record; with is_any_case in small letters */
	size_t len;                     /* 0: nothing can be looked for in the record */
	bool is_any_case;               /* of ASCII letters */
	size_t rare[2];                 /* which two of its bytes are expected least */
	uint32_t grams[SCAN_GRAMS_MAX]; /* that its message has */
	size_t n_grams;                 /* 0 when it is too short to have any */
	uint32_t field_grams[SCAN_FIELD_GRAMS_MAX];
	size_t n_field_grams;
};

/* Every event that matches holds one of the literals, if there are any, or is a gap (EVENT_GAP).
 * Whether one of these severities matches is known without a look at it: two sets (record.h).
 */
struct filter_scan {
	struct scan_literal literals[SCAN_LITERALS_MAX];
	size_t n;
	bool is_in_text; /* all have a text */
	uint32_t always, never;
};

/* Of a channel of that name.  `f` may be NULL: all events match. */
void filter_scan_init(struct filter_scan *s, const struct filter *f, struct str channel);

/* Where each literal is next; all zero at the beginning of other bytes. */
struct scan_place {
	const char *next[SCAN_LITERALS_MAX];
};

/* The next place from `from` on where one of them is; `end` when there is none, and `from` when
 * not all literals have a text.  `from` never goes back.
 */
const char *filter_scan_next(const struct filter_scan *s, struct scan_place *at, const char *from,
			     const char *end) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * missing - what a reading backwards has found to be missing, for an answer that tells it at once.
 */
#ifndef SLUICE_PAST_MISSING_H
#define SLUICE_PAST_MISSING_H

#include "past/past.h"

enum { MISSING_MAX = 100 };

struct missing_gap {
	struct str channel; /* borrowed from its past_channel */
	event_id from, to;
	int64_t count;      /* events, or -1: not known */
	const char *reason; /* static */
};

struct missing {
	struct missing_gap gaps[MISSING_MAX]; /* the newest; newest first */
	uint64_t n;                           /* more than that, perhaps */
};

/* Of a gap: as bytes for back_taker.put(), and what take() gets of these. */
void missing_put(const struct past *gap, struct buf *out);
void missing_take(struct missing *m, struct str bytes);

#endif

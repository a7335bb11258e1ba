/* SPDX-License-Identifier: MIT
 *
 * backwards - the journals of some channels, read from the newest event to the oldest.
 *
 * The exact reverse of what `past` reads, gaps included.  Each journal is read in pieces, from its
 * end; in a piece forwards, and what is wanted of it is kept until every unread event of all
 * channels is older.  May be stopped at a time and gone on with.  Runs in a helper thread, on
 * snapshots for reading back.
 */
#ifndef SLUICE_PAST_BACKWARDS_H
#define SLUICE_PAST_BACKWARDS_H

#include <stdatomic.h>

#include "past/past.h"

struct back_place; /* of one channel */

/* What somebody wants of the past.  The functions are called in the thread that reads. */
struct back_taker {
	void *ctx;
	/* Whether this event or gap is wanted: 1, 0, or -ELIMIT. */
	int (*wants)(void *ctx, const struct past *p);
	/* Appends what is to be kept of one that is. */
	void (*put)(void *ctx, const struct past *p, int wanted, struct buf *out);
	/* One of those, newest first.  Whether another one may follow at once. */
	bool (*take)(void *ctx, event_id id, struct str text);
};

struct backwards {
	const struct past_channel *channels; /* borrowed */
	size_t n_channels;
	const struct back_taker *taker; /* borrowed */
	struct back_place *places;
	event_id after, upto; /* exclusive, inclusive */
	event_id bound;       /* everything from here to upto has been taken */
	uint64_t total, read; /* bytes of the journals in that range, and those of them read */
	uint64_t skipped;     /* of these, bytes that were not even unpacked */
	const atomic_bool *is_cancelled; /* or NULL */
	struct past past;                /* reads the piece at hand */
};

void backwards_init(struct backwards *b, const struct past_channel *channels, size_t n,
		    event_id after, event_id upto, const struct back_taker *taker);
void backwards_fini(struct backwards *b);

/* Goes on until `deadline_ns` (monotonic), or until take() says so: 1 when all has been taken, 0
 * when there is more, or -ELIMIT.
 */
int backwards_run(struct backwards *b, int64_t deadline_ns) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * budget - how much of the loop's time the views may take for events.
 *
 * Within it nobody notices anything.  While it is exceeded, the views that take more than
 * the average are too dear for the loop, and are put aside (view_aside.c), if their client
 * takes more than clients do on average.  Views that cost next to nothing are never dear.
 */
#ifndef SLUICE_STREAM_BUDGET_H
#define SLUICE_STREAM_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/table.h"

/* What all views have spent in the current window of time. */
struct budget {
	int64_t began_ns;
	uint64_t window; /* its number; the first is 1 */
	int64_t spent_ns;
	uint64_t n_spenders;            /* views that used time in it */
	uint64_t n_payers;              /* clients whose views did */
	int64_t turn_ns, turn_spent_ns; /* of the loop: when it began, and in it */
	struct table purses;            /* by their owners */
};

/* What the views of one client have. */
struct purse {
	struct table_entry by_owner;
	struct budget *budget; /* that it is in */
	uint64_t owner;
	size_t n_views;
	uint64_t window; /* to which spent_ns belongs */
	int64_t spent_ns;
};

/* What one view has. */
struct spender {
	struct purse *purse; /* counted; NULL: it pays for itself */
	uint64_t window;     /* to which spent_ns belongs */
	int64_t spent_ns;
	int64_t usual_ns; /* for one event */
	int64_t extra_ns; /* what was done for several at once; charged with the next event */
	unsigned n_known; /* events that usual_ns is of, up to as many as it remembers */
};

void budget_init(struct budget *b);
/* Once all purses are given back. */
void budget_fini(struct budget *b);

/* Notes that a turn of the loop began at `turn_ns`; a second call in the same turn does nothing.
 * A new window begins only at the beginning of a turn.
 */
void budget_begin_turn(struct budget *b, int64_t turn_ns);

/* The purse of this client, with one view more; give it back with purse_put(). */
struct purse *purse_get(struct budget *b, uint64_t owner) must_check;
void purse_put(struct purse *p);

/* Charges the time of one event. */
void budget_charge(struct budget *b, struct spender *s, int64_t took_ns);

/* Whether an event took so much longer than usual that another process may have run. */
bool budget_is_odd(const struct spender *s, int64_t took_ns) must_check;

/* Whether the budget has room for a view that was put aside.  If so, time is reserved for it. */
bool budget_reserve(struct budget *b, const struct spender *s) must_check;

/* In this window, or this turn. */
bool budget_is_exceeded(const struct budget *b) must_check;

/* Whether this view, of `n_all` views, is one of those to blame for an exceeded budget. */
bool budget_is_dear(const struct budget *b, const struct spender *s, uint64_t n_all) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * budget - how much of the loop's time the views may take for events.
 *
 * Within it nobody notices anything.  While it is exceeded, the views that take more than
 * the average are too dear for the loop, and are put aside (view_aside.c).  Views that
 * cost next to nothing are never dear.
 */
#ifndef SLUICE_HUB_BUDGET_H
#define SLUICE_HUB_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* What all views have spent in the current window of time. */
struct budget {
	int64_t began_ns;
	uint64_t window; /* its number; the first is 1 */
	int64_t spent_ns;
	uint64_t n_spenders; /* views that used time in it */
};

/* What one view has. */
struct spender {
	uint64_t window; /* to which spent_ns belongs */
	int64_t spent_ns;
	int64_t usual_ns; /* for one event */
	int64_t extra_ns; /* what was done for several at once; charged with the next event */
	bool is_known;
};

/* Charges the time of one event; `now_ns` is the monotonic clock. */
void budget_charge(struct budget *b, struct spender *s, int64_t now_ns, int64_t took_ns);

/* Whether there is room for one more that was sent away; then some of it is its own. */
bool budget_reserve(struct budget *b, struct spender *s, int64_t now_ns) must_check;

bool budget_is_exceeded(const struct budget *b) must_check;

/* Whether it is among those that an exceeded budget is due to, of so many in all. */
bool budget_is_dear(const struct budget *b, const struct spender *s, uint64_t n_all) must_check;

#endif

/* SPDX-License-Identifier: MIT */
#include "hub/budget.h"

#include "base/clock.h"

#define WINDOW_NS  (100 * NS_PER_MS)
#define BUDGET_NS  (15 * NS_PER_MS) /* in a window */
#define TRIFLE_NS  5000LL           /* for an event: never too expensive */
#define TRIFLES_NS (2 * NS_PER_MS)  /* the same, of all views together */
#define OUTLIER_NS 50000LL

enum { OUTLIER_FACTOR = 8, SMOOTHING = 8, RESERVED_EVENTS = 10 };

static void open_window(struct budget *b, int64_t now_ns)
{
	if (b->window && now_ns - b->began_ns < WINDOW_NS)
		return;
	b->window++;
	b->began_ns = now_ns;
	b->spent_ns = 0;
	b->n_spenders = 0;
}

void budget_charge(struct budget *b, struct spender *s, int64_t now_ns, int64_t took_ns)
{
	open_window(b, now_ns);
	if (s->window != b->window) {
		s->window = b->window;
		s->spent_ns = 0;
		b->n_spenders++;
	}
	/* An extreme outlier means that another process ran meanwhile, so it is capped. */
	took_ns += s->extra_ns;
	took_ns = MIN(took_ns, OUTLIER_FACTOR * s->usual_ns + OUTLIER_NS);
	s->extra_ns = 0;
	s->usual_ns = s->is_known ? s->usual_ns + (took_ns - s->usual_ns) / SMOOTHING : took_ns;
	s->is_known = true;
	s->spent_ns += took_ns;
	b->spent_ns += took_ns;
}

bool budget_reserve(struct budget *b, struct spender *s, int64_t now_ns)
{
	open_window(b, now_ns);
	int64_t wants_ns = RESERVED_EVENTS * s->usual_ns;
	if (b->spent_ns + wants_ns > BUDGET_NS / 2)
		return false;
	b->spent_ns += wants_ns;
	return true;
}

bool budget_is_exceeded(const struct budget *b)
{
	return b->spent_ns > BUDGET_NS;
}

bool budget_is_dear(const struct budget *b, const struct spender *s, uint64_t n_all)
{
	if (!s->is_known)
		return true;
	if (s->usual_ns <= MIN(TRIFLE_NS, TRIFLES_NS / (int64_t)(n_all + 1)))
		return false;
	int64_t spent_ns = s->window == b->window ? s->spent_ns : 0;
	return spent_ns + s->usual_ns >= b->spent_ns / (int64_t)(b->n_spenders + 1);
}

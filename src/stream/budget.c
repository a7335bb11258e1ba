/* SPDX-License-Identifier: MIT */
#include "stream/budget.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#define WINDOW_NS  (100 * NS_PER_MS)
#define BUDGET_NS  (15 * NS_PER_MS) /* in a window */
#define TURN_NS    (4 * NS_PER_MS)  /* in a turn */
#define TRIFLE_NS  5000LL           /* for an event: never too expensive */
#define TRIFLES_NS (2 * NS_PER_MS)  /* the same, of all views together */
#define OUTLIER_NS 50000LL
#define ODD_NS     10000LL

enum { OUTLIER_FACTOR = 8, SMOOTHING = 8, RESERVED_EVENTS = 10 };

void budget_init(struct budget *b)
{
	*b = (struct budget){.window = 1};
	table_init(&b->purses);
}

void budget_fini(struct budget *b)
{
	table_fini(&b->purses);
}

void budget_begin_turn(struct budget *b, int64_t turn_ns)
{
	if (b->turn_ns == turn_ns)
		return;
	b->turn_ns = turn_ns;
	b->turn_spent_ns = 0;
	if (turn_ns - b->began_ns < WINDOW_NS)
		return;
	b->window++;
	b->began_ns = turn_ns;
	b->spent_ns = 0;
	b->n_spenders = b->n_payers = 0;
}

struct purse *purse_get(struct budget *b, uint64_t owner)
{
	uint64_t hash = table_hash(&b->purses, &owner, sizeof(owner));
	table_each_of (e, &b->purses, hash) {
		struct purse *p = container_of(e, struct purse, by_owner);
		if (p->owner == owner) {
			p->n_views++;
			return p;
		}
	}
	struct purse *p = mem_zero(sizeof(*p));
	p->budget = b;
	p->owner = owner;
	p->n_views = 1;
	table_add(&b->purses, &p->by_owner, hash);
	return p;
}

void purse_put(struct purse *p)
{
	if (!p || --p->n_views)
		return;
	table_remove(&p->budget->purses, &p->by_owner);
	free(p);
}

static void charge_purse(struct budget *b, struct purse *p, int64_t took_ns)
{
	if (p->window != b->window) {
		p->window = b->window;
		p->spent_ns = 0;
		b->n_payers++;
	}
	p->spent_ns += took_ns;
}

bool budget_is_odd(const struct spender *s, int64_t took_ns)
{
	return took_ns > 2 * s->usual_ns + ODD_NS;
}

void budget_charge(struct budget *b, struct spender *s, int64_t took_ns)
{
	if (s->window != b->window) {
		s->window = b->window;
		s->spent_ns = 0;
		b->n_spenders++;
		b->n_payers += !s->purse;
	}
	/* An extreme outlier means that another process ran meanwhile, so it is capped. */
	took_ns += s->extra_ns;
	took_ns = MIN(took_ns, OUTLIER_FACTOR * s->usual_ns + OUTLIER_NS);
	s->extra_ns = 0;
	s->n_known = MIN(s->n_known + 1, SMOOTHING);
	s->usual_ns += (took_ns - s->usual_ns) / (int64_t)s->n_known;
	s->spent_ns += took_ns;
	b->spent_ns += took_ns;
	b->turn_spent_ns += took_ns;
	if (s->purse)
		charge_purse(b, s->purse, took_ns);
}

bool budget_reserve(struct budget *b, const struct spender *s)
{
	int64_t wants_ns = RESERVED_EVENTS * s->usual_ns;
	if (b->spent_ns + wants_ns > BUDGET_NS / 2)
		return false;
	b->spent_ns += wants_ns;
	return true;
}

bool budget_is_exceeded(const struct budget *b)
{
	return b->spent_ns > BUDGET_NS || b->turn_spent_ns > TURN_NS;
}

/* Whether its client takes less than clients do on average. */
static bool client_is_modest(const struct budget *b, const struct spender *s)
{
	const struct purse *p = s->purse;
	uint64_t window = p ? p->window : s->window;
	int64_t spent_ns = window != b->window ? 0 : p ? p->spent_ns : s->spent_ns;
	return spent_ns + s->usual_ns < b->spent_ns / (int64_t)(b->n_payers + 1);
}

bool budget_is_dear(const struct budget *b, const struct spender *s, uint64_t n_all)
{
	if (client_is_modest(b, s))
		return false;
	if (!s->n_known)
		return true;
	if (s->usual_ns <= MIN(TRIFLE_NS, TRIFLES_NS / (int64_t)(n_all + 1)))
		return false;
	if (b->turn_spent_ns > TURN_NS)
		return true;
	int64_t spent_ns = s->window == b->window ? s->spent_ns : 0;
	return spent_ns + s->usual_ns >= b->spent_ns / (int64_t)(b->n_spenders + 1);
}

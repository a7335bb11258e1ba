/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "base/clock.h"
#include "hub/budget.h"

static const int64_t US = 1000;

START_TEST(within_the_budget_nobody_is_sent_away)
{
	struct budget b = {0};
	struct spender s = {0};
	for (int i = 0; i < 1000; i++)
		budget_charge(&b, &s, i * NS_PER_MS, 20 * US);
	ck_assert(!budget_is_exceeded(&b));
}
END_TEST

START_TEST(an_exceeded_budget_is_due_to_the_dear_ones_not_to_the_cheap_ones)
{
	struct budget b = {0};
	struct spender dear = {0}, cheap = {0};
	for (int i = 0; i < 2000; i++) {
		budget_charge(&b, &dear, i * 50 * US, 50 * US);
		budget_charge(&b, &cheap, i * 50 * US, 1 * US);
	}
	ck_assert(budget_is_exceeded(&b));
	ck_assert(budget_is_dear(&b, &dear, 2));
	ck_assert(!budget_is_dear(&b, &cheap, 2));
}
END_TEST

START_TEST(the_next_window_begins_with_nothing_spent)
{
	struct budget b = {0};
	struct spender s = {0};
	for (int i = 0; i < 1000; i++)
		budget_charge(&b, &s, 1, 1000 * US);
	ck_assert(budget_is_exceeded(&b));
	budget_charge(&b, &s, NS_PER_SEC, 1 * US);
	ck_assert(!budget_is_exceeded(&b));
}
END_TEST

/* Another process had the processor: 20 ms for what takes a microsecond. */
START_TEST(a_busy_machine_makes_no_cheap_view_dear)
{
	struct budget b = {0};
	struct spender s = {0};
	for (int i = 0; i < 200; i++)
		budget_charge(&b, &s, i * NS_PER_MS, i % 50 ? 1 * US : 20 * NS_PER_MS);
	ck_assert(!budget_is_exceeded(&b));
}
END_TEST

START_TEST(many_trifles_are_no_trifle)
{
	struct budget b = {0};
	struct spender s = {0};
	for (int i = 0; i < 100; i++)
		budget_charge(&b, &s, 1, 4 * US);
	ck_assert(!budget_is_dear(&b, &s, 10));
	ck_assert(budget_is_dear(&b, &s, 5000));
}
END_TEST

UNIT_MAIN("budget", within_the_budget_nobody_is_sent_away,
	  an_exceeded_budget_is_due_to_the_dear_ones_not_to_the_cheap_ones,
	  the_next_window_begins_with_nothing_spent, a_busy_machine_makes_no_cheap_view_dear,
	  many_trifles_are_no_trifle)

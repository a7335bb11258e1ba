/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "base/clock.h"
#include "stream/budget.h"

static const int64_t US = 1000;

START_TEST(within_the_budget_nobody_is_sent_away)
{
	struct budget b;
	budget_init(&b);
	struct spender s = {0};
	for (int i = 0; i < 1000; i++) {
		budget_begin_turn(&b, i * NS_PER_MS);
		budget_charge(&b, &s, 20 * US);
	}
	ck_assert(!budget_is_exceeded(&b));
	budget_fini(&b);
}
END_TEST

START_TEST(an_exceeded_budget_is_due_to_the_dear_ones_not_to_the_cheap_ones)
{
	struct budget b;
	budget_init(&b);
	struct spender dear = {0}, cheap = {0};
	for (int i = 0; i < 2000; i++) {
		budget_charge(&b, &dear, 50 * US);
		budget_charge(&b, &cheap, 1 * US);
	}
	ck_assert(budget_is_exceeded(&b));
	ck_assert(budget_is_dear(&b, &dear, 2));
	ck_assert(!budget_is_dear(&b, &cheap, 2));
	budget_fini(&b);
}
END_TEST

START_TEST(the_next_window_begins_with_nothing_spent)
{
	struct budget b;
	budget_init(&b);
	struct spender s = {0};
	for (int i = 0; i < 1000; i++)
		budget_charge(&b, &s, 1000 * US);
	ck_assert(budget_is_exceeded(&b));
	budget_begin_turn(&b, NS_PER_SEC);
	budget_charge(&b, &s, 1 * US);
	ck_assert(!budget_is_exceeded(&b));
	budget_fini(&b);
}
END_TEST

/* Another process had the processor: 20 ms for what takes a microsecond. */
START_TEST(a_busy_machine_makes_no_cheap_view_dear)
{
	struct budget b;
	budget_init(&b);
	struct spender s = {0};
	for (int i = 0; i < 200; i++) {
		budget_begin_turn(&b, i * NS_PER_MS);
		budget_charge(&b, &s, i % 50 ? 1 * US : 20 * NS_PER_MS);
	}
	ck_assert(!budget_is_exceeded(&b));
	budget_fini(&b);
}
END_TEST

START_TEST(many_trifles_are_no_trifle)
{
	struct budget b;
	budget_init(&b);
	struct spender s = {0};
	for (int i = 0; i < 100; i++)
		budget_charge(&b, &s, 4 * US);
	ck_assert(!budget_is_dear(&b, &s, 10));
	ck_assert(budget_is_dear(&b, &s, 5000));
	budget_fini(&b);
}
END_TEST

/* Ninety of one client take 2 us each for an event, and one of another client 3 us. */
START_TEST(a_client_that_takes_little_keeps_its_place)
{
	struct budget b;
	budget_init(&b);
	struct spender many[90] = {0}, one = {.purse = purse_get(&b, 2)};
	for (int i = 0; i < 90; i++)
		many[i].purse = purse_get(&b, 1);
	for (int i = 0; i < 200; i++) {
		for (int k = 0; k < 90; k++)
			budget_charge(&b, &many[k], 2 * US);
		budget_charge(&b, &one, 3 * US);
	}
	ck_assert(budget_is_exceeded(&b));
	ck_assert(!budget_is_dear(&b, &one, 2000));
	purse_put(one.purse);
	one.purse = many[0].purse; /* had it been the same client's */
	ck_assert(budget_is_dear(&b, &one, 2000));
	for (int i = 0; i < 90; i++)
		purse_put(many[i].purse);
	budget_fini(&b);
}
END_TEST

/* Beyond some milliseconds there is no average that anything could stay below. */
START_TEST(a_turn_does_not_go_on_with_those_below_the_average)
{
	struct budget b;
	budget_init(&b);
	struct spender some[2] = {{.purse = purse_get(&b, 1)}, {.purse = purse_get(&b, 1)}};
	budget_begin_turn(&b, 1);
	for (int i = 0; i < 60; i++) {
		budget_charge(&b, &some[0], 20 * US);
		budget_charge(&b, &some[1], 50 * US);
	}
	ck_assert(budget_is_exceeded(&b));
	ck_assert(budget_is_dear(&b, &some[0], 2));
	budget_begin_turn(&b, 2);
	ck_assert(!budget_is_exceeded(&b));
	ck_assert(!budget_is_dear(&b, &some[0], 2));
	ck_assert(budget_is_dear(&b, &some[1], 2));
	purse_put(some[0].purse);
	purse_put(some[1].purse);
	budget_fini(&b);
}
END_TEST

/* Also when the window has just begun, and its event took long because nothing was cached. */
START_TEST(a_long_turn_of_others_puts_no_cheap_client_aside)
{
	struct budget b;
	budget_init(&b);
	struct spender heavy = {.purse = purse_get(&b, 1)}, one = {.purse = purse_get(&b, 2)};
	budget_begin_turn(&b, NS_PER_SEC);
	budget_charge(&b, &one, 9 * US);
	budget_begin_turn(&b, 2 * NS_PER_SEC);
	for (int i = 0; i < 200; i++)
		budget_charge(&b, &heavy, 30 * US);
	ck_assert(budget_is_exceeded(&b));
	ck_assert(budget_is_dear(&b, &heavy, 300));
	ck_assert(!budget_is_dear(&b, &one, 300));
	purse_put(heavy.purse);
	purse_put(one.purse);
	budget_fini(&b);
}
END_TEST

START_TEST(what_is_new_is_judged_by_its_client)
{
	struct budget b;
	budget_init(&b);
	struct spender old = {.purse = purse_get(&b, 1)}, own = {.purse = old.purse},
		       others = {.purse = purse_get(&b, 2)};
	for (int i = 0; i < 1000; i++)
		budget_charge(&b, &old, 20 * US);
	ck_assert(budget_is_dear(&b, &own, 3));
	ck_assert(!budget_is_dear(&b, &others, 3));
	purse_put(old.purse);
	purse_put(others.purse);
	budget_fini(&b);
}
END_TEST

UNIT_MAIN("budget", within_the_budget_nobody_is_sent_away,
	  an_exceeded_budget_is_due_to_the_dear_ones_not_to_the_cheap_ones,
	  the_next_window_begins_with_nothing_spent, a_busy_machine_makes_no_cheap_view_dear,
	  many_trifles_are_no_trifle, a_client_that_takes_little_keeps_its_place,
	  what_is_new_is_judged_by_its_client, a_long_turn_of_others_puts_no_cheap_client_aside,
	  a_turn_does_not_go_on_with_those_below_the_average)

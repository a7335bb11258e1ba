/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "base/mem.h"
#include "hub/admissions.h"
#include "stream/quota.h"

/* Responders: never looked into. */
static char responder[2];
#define ONE ((const struct connection *)(const void *)&responder[0])
#define TWO ((const struct connection *)(const void *)&responder[1])

static struct {
	struct loop *loop;
	struct admissions all;
	struct quota *addresses, *users;
	size_t n_admitted;
} fix;

static void begin(void)
{
	memset(&fix, 0, sizeof(fix));
	fix.loop = loop_new();
	fix.addresses = quota_new();
	fix.users = quota_new();
	admissions_init(&fix.all, fix.loop);
}

static void end(void)
{
	admissions_fini(&fix.all);
	quota_free(fix.addresses);
	quota_free(fix.users);
	loop_free(fix.loop);
}

static void let_in(const struct connection *c, uint32_t serial, const char *address)
{
	struct admission a = {.who = {.user = mem_strdup("ann"), .address = mem_strdup(address)}};
	admission_count(&a, fix.addresses, fix.users, &fix.n_admitted);
	admissions_keep(&fix.all, c, serial, &a);
	admission_fini(&a); /* which holds nothing any more */
}

static void counted(size_t n)
{
	ck_assert_uint_eq(fix.n_admitted, n);
	ck_assert_uint_eq(quota_count(fix.users, STR("ann")), n);
}

START_TEST(each_is_claimed_once_by_its_responder_and_number)
{
	begin();
	struct admission a;
	let_in(ONE, 1, "192.0.2.1");
	let_in(TWO, 1, "192.0.2.2");
	let_in(ONE, 2, "192.0.2.3");
	counted(3);
	ck_assert(!admissions_claim(&fix.all, TWO, 2, &a));
	ck_assert(!admissions_claim(&fix.all, NULL, 1, &a));
	ck_assert(admissions_claim(&fix.all, TWO, 1, &a));
	ck_assert_str_eq(a.who.address, "192.0.2.2");
	counted(3); /* it is about to be opened */
	admission_fini(&a);
	counted(2);
	ck_assert(!admissions_claim(&fix.all, TWO, 1, &a));
	end();
	ck_assert_uint_eq(fix.n_admitted, 0);
}
END_TEST

START_TEST(what_is_opened_goes_on_counting_under_its_names)
{
	begin();
	struct admission a;
	struct quota_entry *quotas[2];
	let_in(ONE, 1, "192.0.2.1");
	ck_assert(admissions_claim(&fix.all, ONE, 1, &a));
	admission_give_quotas(&a, quotas);
	admission_fini(&a);
	ck_assert_uint_eq(fix.n_admitted, 0);
	ck_assert_uint_eq(quota_count(fix.addresses, STR("192.0.2.1")), 1);
	ck_assert_uint_eq(quota_count(fix.users, STR("ann")), 1);
	quota_give(quotas[0]);
	quota_give(quotas[1]);
	ck_assert_uint_eq(quota_count(fix.users, STR("ann")), 0);
	end();
}
END_TEST

START_TEST(a_responder_that_is_gone_takes_its_own_with_it)
{
	begin();
	struct admission a;
	for (uint32_t i = 0; i < 100; i++)
		let_in(i % 2 ? ONE : TWO, i, "192.0.2.1");
	admissions_drop_of(&fix.all, ONE);
	counted(50);
	ck_assert(!admissions_claim(&fix.all, ONE, 1, &a));
	ck_assert(admissions_claim(&fix.all, TWO, 2, &a));
	admission_fini(&a);
	admissions_drop_all(&fix.all);
	counted(0);
	end();
}
END_TEST

START_TEST(one_that_nobody_claims_waits_for_its_time)
{
	begin();
	let_in(ONE, 1, "192.0.2.1");
	ck_assert_uint_ne(fix.all.expiry.slot, 0);
	/* A timer that is early. */
	loop_timer_set(fix.loop, &fix.all.expiry, 1);
	loop_turn(fix.loop);
	counted(1); /* the timer alone ends nothing that is young */
	ck_assert_uint_ne(fix.all.expiry.slot, 0);
	ck_assert_int_gt(loop_next_ms(fix.loop), 5000);
	end();
}
END_TEST

UNIT_MAIN("admissions", each_is_claimed_once_by_its_responder_and_number,
	  what_is_opened_goes_on_counting_under_its_names,
	  a_responder_that_is_gone_takes_its_own_with_it, one_that_nobody_claims_waits_for_its_time)

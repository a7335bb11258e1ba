/* SPDX-License-Identifier: MIT */
#include "hub/admissions.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#define MAX_AGE_NS (10 * NS_PER_SEC)

struct admitted {
	struct table_entry by_key;
	struct list by_age;
	const struct connection *connection; /* never read from */
	uint32_t serial;
	int64_t until_ns; /* loop time */
	struct admission admission;
};

static uint64_t hash_of(const struct admissions *all, const struct connection *c, uint32_t serial)
{
	struct {
		const struct connection *connection;
		uint64_t serial;
	} key = {c, serial};
	return table_hash(&all->by_key, &key, sizeof(key));
}

static struct admitted *find(const struct admissions *all, const struct connection *c,
			     uint32_t serial)
{
	table_each_of (e, &all->by_key, hash_of(all, c, serial)) {
		struct admitted *m = container_of(e, struct admitted, by_key);
		if (m->connection == c && m->serial == serial)
			return m;
	}
	return NULL;
}

static struct admission take_out(struct admissions *all, struct admitted *m)
{
	struct admission a = m->admission;
	table_remove(&all->by_key, &m->by_key);
	list_remove(&m->by_age);
	free(m);
	return a;
}

static void drop(struct admissions *all, struct admitted *m)
{
	struct admission a = take_out(all, m);
	admission_fini(&a);
}

static void on_expiry(struct loop_timer *t)
{
	struct admissions *all = container_of(t, struct admissions, expiry);
	list_each_safe (e, &all->by_age) {
		struct admitted *m = list_entry(e, struct admitted, by_age);
		if (m->until_ns > loop_now(all->loop)) {
			loop_timer_set(all->loop, t, m->until_ns);
			return;
		}
		drop(all, m);
	}
}

void admissions_init(struct admissions *all, struct loop *l)
{
	*all = (struct admissions){.loop = l, .expiry.fn = on_expiry};
	table_init(&all->by_key);
	list_init(&all->by_age);
}

void admissions_fini(struct admissions *all)
{
	admissions_drop_all(all);
	loop_timer_cancel(all->loop, &all->expiry);
	table_fini(&all->by_key);
}

void admissions_keep(struct admissions *all, const struct connection *c, uint32_t serial,
		     struct admission *a)
{
	struct admitted *m = mem_zero(sizeof(*m));
	m->connection = c;
	m->serial = serial;
	m->until_ns = loop_now(all->loop) + MAX_AGE_NS;
	m->admission = *a;
	*a = (struct admission){0};
	table_add(&all->by_key, &m->by_key, hash_of(all, c, serial));
	list_append(&all->by_age, &m->by_age);
	if (!all->expiry.slot)
		loop_timer_set(all->loop, &all->expiry, m->until_ns);
}

bool admissions_claim(struct admissions *all, const struct connection *c, uint32_t serial,
		      struct admission *ret)
{
	struct admitted *m = find(all, c, serial);
	if (m)
		*ret = take_out(all, m);
	return m != NULL;
}

void admissions_drop_of(struct admissions *all, const struct connection *c)
{
	list_each_safe (e, &all->by_age) {
		struct admitted *m = list_entry(e, struct admitted, by_age);
		if (m->connection == c)
			drop(all, m);
	}
}

void admissions_drop_all(struct admissions *all)
{
	list_each_safe (e, &all->by_age)
		drop(all, list_entry(e, struct admitted, by_age));
}

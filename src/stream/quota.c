/* SPDX-License-Identifier: MIT */
#include "stream/quota.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/table.h"

struct quota_entry {
	struct table_entry by_name;
	struct quota *quota; /* that it is in */
	uint64_t n;
	size_t len;
	char name[];
};

struct quota {
	struct table by_name;
};

struct quota *quota_new(void)
{
	struct quota *q = mem_zero(sizeof(*q));
	table_init(&q->by_name);
	return q;
}

void quota_free(struct quota *q)
{
	table_each_safe (e, &q->by_name)
		free(container_of(e, struct quota_entry, by_name));
	table_fini(&q->by_name);
	free(q);
}

static struct quota_entry *find(const struct quota *q, struct str name)
{
	table_each_of (e, &q->by_name, table_hash(&q->by_name, name.data, name.len)) {
		struct quota_entry *x = container_of(e, struct quota_entry, by_name);
		if (str_eq((struct str){x->name, x->len}, name))
			return x;
	}
	return NULL;
}

uint64_t quota_count(const struct quota *q, struct str name)
{
	const struct quota_entry *e = name.len ? find(q, name) : NULL;
	return e ? e->n : 0;
}

struct quota_entry *quota_take(struct quota *q, struct str name)
{
	if (!name.len)
		return NULL;
	struct quota_entry *e = find(q, name);
	if (!e) {
		e = mem_zero(sizeof(*e) + name.len + 1);
		e->len = name.len;
		memcpy(e->name, name.data, name.len);
		e->quota = q;
		table_add(&q->by_name, &e->by_name, table_hash(&q->by_name, name.data, name.len));
	}
	e->n++;
	return e;
}

char *quota_name(struct quota_entry *e)
{
	static char nobody[] = "";
	return e ? e->name : nobody;
}

void quota_give(struct quota_entry *e)
{
	if (!e || --e->n)
		return;
	table_remove(&e->quota->by_name, &e->by_name);
	free(e);
}

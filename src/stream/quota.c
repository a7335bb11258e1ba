/* SPDX-License-Identifier: MIT */
#include "stream/quota.h"

#include <stdlib.h>

#include "base/crc32c.h"
#include "base/list.h"
#include "base/mem.h"

enum { BUCKETS = 256 };

struct quota_entry {
	struct list link;
	uint64_t n;
	size_t len;
	char name[];
};

struct quota {
	struct list buckets[BUCKETS];
};

struct quota *quota_new(void)
{
	struct quota *q = mem_zero(sizeof(*q));
	for (int i = 0; i < BUCKETS; i++)
		list_init(&q->buckets[i]);
	return q;
}

void quota_free(struct quota *q)
{
	for (int i = 0; i < BUCKETS; i++)
		list_each_safe (e, &q->buckets[i])
			free(list_entry(e, struct quota_entry, link));
	free(q);
}

static struct quota_entry *find(const struct quota *q, struct str name)
{
	const struct list *bucket = &q->buckets[crc32c(0, name.data, name.len) % BUCKETS];
	list_each (e, bucket) {
		struct quota_entry *x = list_entry(e, struct quota_entry, link);
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
		e = mem_zero(sizeof(*e) + name.len);
		e->len = name.len;
		memcpy(e->name, name.data, name.len);
		list_append(&q->buckets[crc32c(0, name.data, name.len) % BUCKETS], &e->link);
	}
	e->n++;
	return e;
}

void quota_give(struct quota_entry *e)
{
	if (!e || --e->n)
		return;
	list_remove(&e->link);
	free(e);
}

/* SPDX-License-Identifier: MIT */
#include "base/table.h"

#include <stdlib.h>

#include "base/mem.h"

enum { SLOTS_FIRST = 16 };

void table_init(struct table *t)
{
	*t = (struct table){.key = siphash_new_key()};
}

void table_fini(struct table *t)
{
	free(t->slots);
	*t = (struct table){0};
}

uint64_t table_hash(const struct table *t, const void *key, size_t n)
{
	return siphash(&t->key, key, n);
}

static struct table_entry **slot_of(const struct table *t, uint64_t hash)
{
	return &t->slots[hash & (t->n_slots - 1)];
}

static void push(struct table *t, struct table_entry *e)
{
	struct table_entry **slot = slot_of(t, e->hash);
	e->next = *slot;
	*slot = e;
}

static void grow(struct table *t)
{
	struct table old = *t;
	t->n_slots = old.n_slots ? 2 * old.n_slots : SLOTS_FIRST;
	t->slots = mem_zero(t->n_slots * sizeof(t->slots[0]));
	for (size_t i = 0; i < old.n_slots; i++) {
		for (struct table_entry *e = old.slots[i], *next; e; e = next) {
			next = e->next;
			push(t, e);
		}
	}
	free(old.slots);
}

void table_add(struct table *t, struct table_entry *e, uint64_t hash)
{
	if (t->n == t->n_slots)
		grow(t);
	e->hash = hash;
	push(t, e);
	t->n++;
}

void table_remove(struct table *t, struct table_entry *e)
{
	struct table_entry **p = slot_of(t, e->hash);
	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	t->n--;
}

static struct table_entry *with_hash(struct table_entry *e, uint64_t hash)
{
	while (e && e->hash != hash)
		e = e->next;
	return e;
}

struct table_entry *table_first(const struct table *t, uint64_t hash)
{
	return t->n ? with_hash(*slot_of(t, hash), hash) : NULL;
}

struct table_entry *table_next(const struct table_entry *e)
{
	return with_hash(e->next, e->hash);
}

struct table_entry *table_after(const struct table *t, const struct table_entry *e)
{
	if (e && e->next)
		return e->next;
	for (size_t i = e ? (e->hash & (t->n_slots - 1)) + 1 : 0; i < t->n_slots; i++)
		if (t->slots[i])
			return t->slots[i];
	return NULL;
}

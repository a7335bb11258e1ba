/* SPDX-License-Identifier: MIT
 *
 * table - a hash table whose entries are embedded in what they are entries of.
 *
 *	struct lane { struct table_entry by_owner; uint64_t owner; ... };
 *
 *	uint64_t hash = table_hash(&t, &owner, sizeof(owner));
 *	table_each_of (e, &t, hash)
 *		if (container_of(e, struct lane, by_owner)->owner == owner)
 *			return container_of(e, struct lane, by_owner);
 *
 * It compares hashes, and its user compares keys.  Adding an entry allocates nothing
 * but, now and then, twice as many slots.  The hash is keyed by a secret of the table,
 * so that nobody who chooses keys can make them fall into one slot.
 */
#ifndef SLUICE_BASE_TABLE_H
#define SLUICE_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/siphash.h"

struct table_entry {
	struct table_entry *next; /* in its slot */
	uint64_t hash;
};

struct table {
	struct table_entry **slots;
	size_t n_slots; /* a power of two; 0 before the first entry */
	size_t n;       /* entries */
	struct siphash_key key;
};

void table_init(struct table *t);
/* Forgets its entries, which it does not own. */
void table_fini(struct table *t);

/* The hash of a key; the same as long as the table lives. */
uint64_t table_hash(const struct table *t, const void *key, size_t n) must_check;

void table_add(struct table *t, struct table_entry *e, uint64_t hash);
/* `e` is in the table. */
void table_remove(struct table *t, struct table_entry *e);

/* The first entry with that hash, and the one after another; or NULL. */
struct table_entry *table_first(const struct table *t, uint64_t hash);
struct table_entry *table_next(const struct table_entry *e);

#define table_each_of(e, t, hash)                                                                  \
	for (struct table_entry *e = table_first(t, hash); e; e = table_next(e))

/* All entries, in no order: the one after `e`, or the first for NULL.  `e` may be taken
 * out or freed in the loop.
 */
struct table_entry *table_after(const struct table *t, const struct table_entry *e);

#define table_each_safe(e, t)                                                                      \
	for (struct table_entry *e = table_after(t, NULL),                                         \
				*e##_after = e ? table_after(t, e) : NULL;                         \
	     e; e = e##_after, e##_after = e ? table_after(t, e) : NULL)

#endif

/* SPDX-License-Identifier: MIT */
#include "loop/lanes.h"

#include <stdlib.h>

#include "base/mem.h"

struct lane {
	struct list turn;
	struct table_entry by_owner;
	uint64_t owner;
	struct list items;
};

void lanes_init(struct lanes *l)
{
	list_init(&l->turns);
	table_init(&l->by_owner);
}

static void lane_free(struct lanes *l, struct lane *lane)
{
	list_remove(&lane->turn);
	table_remove(&l->by_owner, &lane->by_owner);
	free(lane);
}

void lanes_fini(struct lanes *l)
{
	list_each_safe (e, &l->turns)
		lane_free(l, list_entry(e, struct lane, turn));
	table_fini(&l->by_owner);
}

static struct lane *find(struct lanes *l, uint64_t owner)
{
	uint64_t hash = table_hash(&l->by_owner, &owner, sizeof(owner));
	table_each_of (e, &l->by_owner, hash) {
		struct lane *lane = container_of(e, struct lane, by_owner);
		if (lane->owner == owner)
			return lane;
	}
	struct lane *lane = mem_zero(sizeof(*lane));
	lane->owner = owner;
	list_init(&lane->items);
	table_add(&l->by_owner, &lane->by_owner, hash);
	list_append(&l->turns, &lane->turn);
	return lane;
}

void lanes_put(struct lanes *l, uint64_t owner, struct list *item)
{
	list_append(&find(l, owner)->items, item);
}

struct list *lanes_take(struct lanes *l)
{
	while (!list_is_empty(&l->turns)) {
		struct lane *lane = list_entry(l->turns.next, struct lane, turn);
		if (list_is_empty(&lane->items)) { /* its last one was taken, or taken back */
			lane_free(l, lane);
			continue;
		}
		struct list *item = lane->items.next;
		list_remove(item);
		list_remove(&lane->turn);
		list_append(&l->turns, &lane->turn);
		return item;
	}
	return NULL;
}

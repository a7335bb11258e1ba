/* SPDX-License-Identifier: MIT */
#include "loop/lanes.h"

#include <stdlib.h>

#include "base/mem.h"

struct lane {
	struct list turn, bucket;
	uint64_t owner;
	struct list items;
};

void lanes_init(struct lanes *l)
{
	list_init(&l->turns);
	for (int i = 0; i < LANES_BUCKETS; i++)
		list_init(&l->buckets[i]);
}

static void lane_free(struct lane *lane)
{
	list_remove(&lane->turn);
	list_remove(&lane->bucket);
	free(lane);
}

void lanes_fini(struct lanes *l)
{
	list_each_safe (e, &l->turns)
		lane_free(list_entry(e, struct lane, turn));
}

static struct lane *find(struct lanes *l, uint64_t owner)
{
	struct list *bucket = &l->buckets[owner % LANES_BUCKETS];
	list_each (e, bucket) {
		struct lane *lane = list_entry(e, struct lane, bucket);
		if (lane->owner == owner)
			return lane;
	}
	struct lane *lane = mem_zero(sizeof(*lane));
	lane->owner = owner;
	list_init(&lane->items);
	list_append(bucket, &lane->bucket);
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
			lane_free(lane);
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

/* SPDX-License-Identifier: MIT
 *
 * lanes - a queue that is fair between the owners of what waits in it.
 *
 *	owner 7 | a | b | c |
 *	owner 3 | d |            taken: a d e b f c
 *	owner 9 | e | f |
 *
 * The things of one owner keep their order.  One that has many delays nobody but
 * itself.
 */
#ifndef SLUICE_LOOP_LANES_H
#define SLUICE_LOOP_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/table.h"

struct lanes {
	struct list turns; /* of lanes, the one whose turn it is first */
	struct table by_owner;
};

void lanes_init(struct lanes *l);
/* What waits is forgotten, not freed. */
void lanes_fini(struct lanes *l);

/* Behind all of the same owner.  list_remove() takes it back. */
void lanes_put(struct lanes *l, uint64_t owner, struct list *item);

/* The next one, taken out; NULL when nothing waits. */
struct list *lanes_take(struct lanes *l);

#endif

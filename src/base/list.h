/* SPDX-License-Identifier: MIT
 *
 * list - a circular doubly linked list embedded in its elements.
 *
 * A head and an element are the same struct; an element that is in no list
 * points to itself, so list_remove() may be called on it again.
 */
#ifndef SLUICE_BASE_LIST_H
#define SLUICE_BASE_LIST_H

#include <stdbool.h>

#include "base/attr.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_append(struct list *head, struct list *e)
{
	e->prev = head->prev;
	e->next = head;
	head->prev->next = e;
	head->prev = e;
}

static inline void list_remove(struct list *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
	list_init(e);
}

/* Moves all of `from` to the end of `to`. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(e, type, member) container_of(e, type, member)

#define list_each(e, head) for (struct list *e = (head)->next; e != (head); e = e->next)

/* As list_each(), while the body may remove `e`. */
#define list_each_safe(e, head)                                                                    \
	for (struct list *e = (head)->next, *e##_next = e->next; e != (head);                      \
	     e = e##_next, e##_next = e->next)

#endif

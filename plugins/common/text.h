/* SPDX-License-Identifier: MIT
 *
 * text - a piece of a line, and taking it apart from its front.
 *
 * Everything is borrowed from the line.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/fields.h"

struct text {
	const char *p;
	size_t n; /* 0: it is not there */
};

static inline struct text text_between(const char *from, const char *to)
{
	return (struct text){from, (size_t)(to - from)};
}

static inline bool text_is(struct text t, const char *want)
{
	return strlen(want) == t.n && memcmp(t.p, want, t.n) == 0;
}

static inline bool text_begins(struct text t, const char *want)
{
	size_t n = strlen(want);
	return t.n >= n && memcmp(t.p, want, n) == 0;
}

static inline void text_advance(struct text *t, size_t n)
{
	t->p += n;
	t->n -= n;
}

static inline bool text_take(struct text *t, char c)
{
	if (!t->n || *t->p != c)
		return false;
	text_advance(t, 1);
	return true;
}

static inline void text_take_blanks(struct text *t)
{
	while (text_take(t, ' '))
		;
}

/* Up to the next blank or the end, and the blanks behind it. */
static inline struct text text_take_word(struct text *t)
{
	const char *from = t->p, *blank = memchr(t->p, ' ', t->n);
	size_t n = blank ? (size_t)(blank - from) : t->n;
	text_advance(t, n);
	text_take_blanks(t);
	return (struct text){from, n};
}

/* The text up to `stop`, which is skipped; false: there is none. */
static inline bool text_take_until(struct text *t, char stop, struct text *ret)
{
	const char *at = t->n ? memchr(t->p, stop, t->n) : NULL;
	if (!at)
		return false;
	*ret = text_between(t->p, at);
	text_advance(t, ret->n + 1);
	return true;
}

/* "text" with \" in it, and the blanks behind it. */
bool text_take_quoted(struct text *t, struct text *ret);

/* Digits only, so few that their number fits. */
bool text_is_number(struct text t);
/* The number that it begins with; 0 without one. */
int64_t text_number(struct text t);

/* A field of the text, unless it is empty or "-", as logs write what is not there. */
void text_put(struct fields *f, const char *name, struct text t);
/* The same as a number, if it is one. */
void text_put_number(struct fields *f, const char *name, struct text t);

#endif

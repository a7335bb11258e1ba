/* SPDX-License-Identifier: MIT
 *
 * buf - a growing byte buffer, and str - a borrowed run of bytes.
 *
 * Bytes are put at the end and dropped from the front; nothing here knows
 * what they mean.
 */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

/* Borrowed bytes, not ended by a NUL. */
struct str {
	const char *data;
	size_t len;
};

#define STR(literal) ((struct str){literal, sizeof(literal) - 1})

static inline struct str str_of(const char *s)
{
	return (struct str){s, s ? strlen(s) : 0};
}

static inline bool str_is(struct str s, const char *literal)
{
	size_t n = strlen(literal);
	return s.len == n && (!n || memcmp(s.data, literal, n) == 0);
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0);
}

struct buf {
	char *data; /* owned; NULL while nothing was put */
	size_t len; /* bytes in use */
	size_t cap; /* bytes allocated */
};

void buf_fini(struct buf *b);

void buf_grow(struct buf *b, size_t n);

/* Room for `n` more bytes; returns where they go.  Valid until the next put. */
static inline char *buf_reserve(struct buf *b, size_t n)
{
	if (b->cap - b->len < n)
		buf_grow(b, n);
	return b->data + b->len;
}

/* Drops the first `n` bytes. */
void buf_drop(struct buf *b, size_t n);

/* Empties it, and gives memory back when it grew beyond `keep` bytes. */
void buf_reset(struct buf *b, size_t keep);

void buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) printf_like(2, 0);

static inline void buf_put(struct buf *b, const void *p, size_t n)
{
	if (!n)
		return;
	memcpy(buf_reserve(b, n), p, n);
	b->len += n;
}

static inline void buf_put_str(struct buf *b, struct str s)
{
	buf_put(b, s.data, s.len);
}

static inline void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

static inline void buf_putc(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->len++;
}

static inline struct str buf_str(const struct buf *b)
{
	return (struct str){b->data, b->len};
}

/* NUL-ended text of the buffer; borrowed, valid until the next put. */
static inline const char *buf_text(struct buf *b)
{
	*buf_reserve(b, 1) = 0;
	return b->data;
}

#endif

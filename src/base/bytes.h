/* SPDX-License-Identifier: MIT
 *
 * bytes - integers put into and got out of byte buffers.
 *
 * Our own formats are little-endian.  The reader is sticky: read all fields,
 * then ask once whether they were there.
 */
#ifndef SLUICE_BASE_BYTES_H
#define SLUICE_BASE_BYTES_H

#include <endian.h>
#include <stdint.h>

#include "base/buf.h"

static inline void put_u32(void *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put_u64(void *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

static inline uint32_t get_u32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t get_u64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_putc(b, (char)v);
}

static inline void buf_put_u16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_put(b, &v, sizeof(v));
}

static inline void buf_put_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_put(b, &v, sizeof(v));
}

static inline void buf_put_u64(struct buf *b, uint64_t v)
{
	v = htole64(v);
	buf_put(b, &v, sizeof(v));
}

/* A string of at most 64 KiB - 1 with its length before it. */
static inline void buf_put_short(struct buf *b, struct str s)
{
	buf_put_u16(b, (uint16_t)s.len);
	buf_put(b, s.data, (uint16_t)s.len);
}

struct reader {
	const char *p, *end;
	bool failed; /* something was asked for that was not there */
};

static inline struct reader reader_of(const void *p, size_t n)
{
	return (struct reader){p, (const char *)p + n, false};
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

/* `n` bytes, borrowed; an empty string once the reader has failed. */
static inline struct str get_bytes(struct reader *r, size_t n)
{
	if (r->failed || reader_left(r) < n) {
		r->failed = true;
		return (struct str){"", 0};
	}
	struct str s = {r->p, n};
	r->p += n;
	return s;
}

static inline uint8_t get_byte(struct reader *r)
{
	struct str s = get_bytes(r, 1);
	return s.len ? (uint8_t)s.data[0] : 0;
}

static inline uint16_t get_short(struct reader *r)
{
	struct str s = get_bytes(r, 2);
	uint16_t v = 0;
	if (s.len)
		memcpy(&v, s.data, 2);
	return le16toh(v);
}

static inline uint32_t get_word(struct reader *r)
{
	struct str s = get_bytes(r, 4);
	return s.len ? get_u32(s.data) : 0;
}

static inline uint64_t get_long(struct reader *r)
{
	struct str s = get_bytes(r, 8);
	return s.len ? get_u64(s.data) : 0;
}

static inline struct str get_short_str(struct reader *r)
{
	return get_bytes(r, get_short(r));
}

#endif

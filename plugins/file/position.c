/* SPDX-License-Identifier: MIT */
#include "position.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FORMAT = 3,
	FORMAT_OF_STREAMS = 4, /* the same with emitted_to behind what is fixed */
	FIXED = 2 + 2 + 8 + 8 + 8 + 1 + 8,
	STREAMS = 2 * 8,
	TIMES = 4 * 8
};

/* FNV-1a, 64 bits. */
uint64_t position_hash(const char *p, size_t n)
{
	uint64_t h = 14695981039346656037ULL;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 1099511628211ULL;
	return h;
}

/* format u8, done u8, head length u16, head hash u64, offset u64, time i64, tail
 * length u8, tail hash u64, in one format emitted_to 2 * u64, then the name; if there is
 * room, a NUL, the place, a NUL, the birth i64 and, unless an older sluice wrote it, when the
 * name was lost i64, and birth i64 and time i64 of what it was compressed from.  In the machine's
 * byte order, for it never leaves it. Never the bytes themselves: they may hold what is redacted.
 */
size_t position_encode(const struct position *p, const struct origin *o,
		       char out[POSITION_VALUE_MAX])
{
	bool has_streams = p->emitted_to[0] > p->offset || p->emitted_to[1] > p->offset;
	size_t fixed = FIXED + (has_streams ? STREAMS : 0);
	size_t len = strnlen(o->name, POSITION_VALUE_MAX - fixed);
	size_t place = o->place ? strlen(o->place) : 0;
	out[0] = has_streams ? FORMAT_OF_STREAMS : FORMAT;
	out[1] = (char)p->is_done;
	memcpy(out + 2, &p->head_len, 2);
	memcpy(out + 4, &p->head_hash, 8);
	memcpy(out + 12, &p->offset, 8);
	memcpy(out + 20, &p->mtime_ns, 8);
	out[28] = (char)p->tail_len;
	uint64_t tail = p->is_hashed ? p->tail_hash : position_hash(p->tail, p->tail_len);
	memcpy(out + 29, &tail, 8);
	if (has_streams)
		memcpy(out + FIXED, p->emitted_to, STREAMS);
	memcpy(out + fixed, o->name, len);
	len += fixed;
	if (len + place + 2 + TIMES > POSITION_VALUE_MAX)
		return len;
	out[len] = 0;
	if (place)
		memcpy(out + len + 1, o->place, place);
	out[len + 1 + place] = 0;
	const int64_t times[] = {o->born_ns, o->lost_ns, o->was_born_ns, o->was_mtime_ns};
	memcpy(out + len + 2 + place, times, TIMES);
	return len + 2 + place + TIMES;
}

static int decode_origin(const char *p, size_t n, struct origin *ret)
{
	size_t name = strnlen(p, n);
	*ret = (struct origin){.name = strndup(p, name)};
	if (!ret->name)
		return -1;
	if (name == n)
		return 0;
	p += name + 1;
	n -= name + 1;
	size_t place = strnlen(p, n);
	int64_t times[4] = {0};
	if (n != place + 1 + TIMES && n != place + 1 + sizeof(times[0]))
		return 0;
	if (place)
		ret->place = strndup(p, place);
	memcpy(times, p + place + 1, n - place - 1);
	ret->born_ns = times[0];
	ret->lost_ns = times[1];
	ret->was_born_ns = times[2];
	ret->was_mtime_ns = times[3];
	return 0;
}

int position_decode(const void *value, size_t len, struct position *ret, struct origin *origin)
{
	const char *q = value;
	*ret = (struct position){0};
	size_t fixed = len && q[0] == FORMAT_OF_STREAMS ? FIXED + STREAMS : FIXED;
	if (len < fixed || (q[0] != FORMAT && q[0] != FORMAT_OF_STREAMS))
		return -1;
	if (q[0] == FORMAT_OF_STREAMS)
		memcpy(ret->emitted_to, q + FIXED, STREAMS);
	ret->is_done = q[1] != 0;
	memcpy(&ret->head_len, q + 2, 2);
	memcpy(&ret->head_hash, q + 4, 8);
	memcpy(&ret->offset, q + 12, 8);
	memcpy(&ret->mtime_ns, q + 20, 8);
	ret->tail_len = (uint8_t)q[28];
	memcpy(&ret->tail_hash, q + 29, 8);
	ret->is_hashed = true;
	if (ret->tail_len > TAIL_MAX || ret->head_len > HEAD_MAX)
		return -1;
	return decode_origin(q + fixed, len - fixed, origin);
}

void origin_free(struct origin *o)
{
	free(o->name);
	free(o->place);
}

bool position_has_tail(const struct position *p, const char *tail)
{
	return p->is_hashed ? position_hash(tail, p->tail_len) == p->tail_hash
			    : memcmp(tail, p->tail, p->tail_len) == 0;
}

void position_set_tail(struct position *p, const char *tail, size_t n)
{
	p->tail_len = (uint8_t)(n < TAIL_MAX ? n : TAIL_MAX);
	p->is_hashed = false;
	if (p->tail_len)
		memcpy(p->tail, tail, p->tail_len);
}

static bool is_all_nul(const char *p, size_t n)
{
	while (n > 0 && !p[n - 1])
		n--;
	return n == 0;
}

bool position_fits(struct position *p, int fd)
{
	char head[HEAD_MAX], tail[TAIL_MAX];
	if (pread(fd, head, p->head_len, 0) != p->head_len)
		return false;
	if (pread(fd, tail, p->tail_len, (off_t)(p->offset - p->tail_len)) != p->tail_len)
		return false;
	if (!position_has_tail(p, tail))
		return false;
	/* Space that is not needed any more can be given back: fallocate(1), --punch-hole. */
	if (position_hash(head, p->head_len) != p->head_hash &&
	    (!is_all_nul(head, p->head_len) || is_all_nul(tail, p->tail_len)))
		return false;
	position_set_tail(p, tail, p->tail_len);
	return true;
}

bool position_is_telling(const struct position *p)
{
	return p->head_len == HEAD_MAX;
}

void position_grow_head(struct position *p, int fd, uint64_t size)
{
	char head[HEAD_MAX];
	uint64_t want = size < HEAD_MAX ? size : HEAD_MAX;
	if (p->head_len >= want && p->head_hash)
		return;
	if (pread(fd, head, want, 0) == (ssize_t)want) {
		p->head_len = (uint16_t)want;
		p->head_hash = position_hash(head, want);
	}
}

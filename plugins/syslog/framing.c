/* SPDX-License-Identifier: MIT */
#include "framing.h"

#include <string.h>

/* A count has at most seven digits; one far beyond what is kept is a mistake. */
enum { DIGITS_MAX = 7, COUNT_SLACK = 16 };

enum head { HEAD_COUNT, HEAD_LINE, HEAD_UNKNOWN };

/* What a frame begins with: "123 <" or something else. */
static enum head look_at(const char *p, size_t n, bool strict, uint64_t *count, size_t *len)
{
	size_t i = 0;
	*count = 0;
	if (n && (p[0] < '1' || p[0] > '9'))
		return HEAD_LINE;
	while (i < n && i < DIGITS_MAX && p[i] >= '0' && p[i] <= '9')
		*count = *count * 10 + (uint64_t)(p[i++] - '0');
	if (i == n)
		return HEAD_UNKNOWN;
	if (p[i] != ' ')
		return HEAD_LINE;
	*len = i + 1;
	if (strict)
		return HEAD_COUNT;
	if (i + 1 == n)
		return HEAD_UNKNOWN;
	return p[i + 1] == '<' ? HEAD_COUNT : HEAD_LINE;
}

/* Begins a frame: 1 and *skip bytes of header, 0 for more bytes, -1. */
static int begin(struct framing *f, enum framing_mode mode, size_t max, const char *p, size_t n,
		 bool at_end, size_t *skip)
{
	uint64_t count = 0;
	*skip = 0;
	*f = (struct framing){.is_inside = true};
	if (mode == FRAMING_LF || mode == FRAMING_NUL)
		return 1;
	enum head head = look_at(p, n, mode == FRAMING_OCTET, &count, skip);
	if (head == HEAD_UNKNOWN && !at_end) {
		f->is_inside = false;
		return 0;
	}
	if (head != HEAD_COUNT) {
		*skip = 0;
		return mode == FRAMING_OCTET ? -1 : 1;
	}
	if (count > (uint64_t)max * COUNT_SLACK)
		return -1;
	f->is_counted = true;
	f->left = count;
	return 1;
}

static void end_frame(struct framing *f, const char *p, size_t n, size_t max, struct frame *ret)
{
	size_t kept = n < max ? n : max;
	*ret = (struct frame){p, kept, n + f->over, f->in_pieces};
	*f = (struct framing){0};
}

static enum framing_result next_counted(struct framing *f, size_t max, const char *p, size_t n,
					bool at_end, size_t *used, struct frame *ret)
{
	uint64_t there = n < f->left ? n : f->left;
	if (there < f->left && !at_end)
		return FRAMING_MORE;
	*used = (size_t)there;
	end_frame(f, p, (size_t)there, max, ret);
	return FRAMING_FRAME;
}

/* A NUL that ends a frame among lines: the beginning of another one follows, or
 * nothing yet.  One within a line is a byte like others.
 */
static const char *find_nul(const char *p, const char *end)
{
	for (; (p = memchr(p, 0, (size_t)(end - p))); p++)
		if (p + 1 == end || p[1] == '<' || p[1] == 0 || p[1] == '\n' || p[1] == '\r')
			return p;
	return NULL;
}

static enum framing_result next_line(struct framing *f, enum framing_mode mode, size_t max,
				     const char *p, size_t n, bool at_end, size_t *used,
				     struct frame *ret)
{
	const char *end = memchr(p, mode == FRAMING_NUL ? 0 : '\n', n);
	if (mode == FRAMING_AUTO) {
		const char *nul = find_nul(p, end ? end + 1 : p + n);
		end = nul ? nul : end;
	}
	if (end) {
		*used = (size_t)(end - p) + 1;
		end_frame(f, p, (size_t)(end - p), max, ret);
		return FRAMING_FRAME;
	}
	if (at_end) {
		*used = n;
		end_frame(f, p, n, max, ret);
		return FRAMING_FRAME;
	}
	return FRAMING_MORE;
}

void framing_forget(struct framing *f, size_t n, bool are_lost)
{
	if (are_lost)
		f->over += n;
	else
		f->in_pieces = true;
	if (f->is_counted)
		f->left -= n;
}

enum framing_result framing_next(struct framing *f, enum framing_mode mode, size_t max,
				 const char *p, size_t n, bool at_end, size_t *used,
				 struct frame *ret)
{
	size_t skip = 0;
	*used = 0;
	if (!n)
		return FRAMING_MORE;
	if (!f->is_inside) {
		int r = begin(f, mode, max, p, n, at_end, &skip);
		if (r <= 0)
			return r ? FRAMING_BROKEN : FRAMING_MORE;
	}
	p += skip;
	n -= skip;
	enum framing_result r = f->is_counted ? next_counted(f, max, p, n, at_end, used, ret)
					      : next_line(f, mode, max, p, n, at_end, used, ret);
	*used += skip;
	return r;
}

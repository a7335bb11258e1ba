/* SPDX-License-Identifier: MIT */
#include "filter/fold.h"

#include <ctype.h>

#include "base/utf8.h"

/* Every `step`th character from `first` to `last` folds to the one `delta` further. */
static const struct range {
	uint32_t first, last, step;
	int32_t delta;
	bool is_capital;
} ranges[] = {
#include "filter/fold_table.h"
};

static const struct range *range_of(uint32_t c)
{
	size_t low = 0, high = array_size(ranges);
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (c > ranges[mid].last)
			low = mid + 1;
		else
			high = mid;
	}
	const struct range *r = &ranges[low];
	bool is_in = low < array_size(ranges) && c >= r->first && (c - r->first) % r->step == 0;
	return is_in ? r : NULL;
}

/* The bytes of the character that `s` begins with, which is none of ASCII; 0 when it is no UTF-8.
 */
static size_t take_wide(struct str s, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)s.data;
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (n > s.len || utf8_valid_prefix(s.data, n) != n)
		return 0;
	uint32_t c = p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 63u);
	*ret = c;
	return n;
}

static void put_char(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(out, (char)c);
		return;
	}
	int n = c >= 0x10000 ? 4 : c >= 0x800 ? 3 : 2;
	buf_putc(out, (char)((0xf00u >> n & 0xff) | c >> 6 * (n - 1)));
	for (int i = n - 2; i >= 0; i--)
		buf_putc(out, (char)(0x80 | (c >> 6 * i & 63)));
}

static bool is_wide(char c)
{
	return (c & 0x80) != 0;
}

/* As far as it is ASCII; written so that a compiler makes vectors of it. */
static size_t put_ascii(struct buf *out, struct str s)
{
	size_t n = 0;
	uint64_t eight;
	for (; s.len - n >= sizeof(eight); n += sizeof(eight)) {
		memcpy(&eight, s.data + n, sizeof(eight));
		if (eight & 0x8080808080808080ULL)
			break;
	}
	while (n < s.len && !is_wide(s.data[n]))
		n++;
	char *p = buf_reserve(out, n);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s.data[i];
		p[i] = (char)(c | (unsigned char)((unsigned char)(c - 'A') < 26) << 5);
	}
	out->len += n;
	return n;
}

void fold_put(struct buf *out, struct str s)
{
	while (s.len) {
		uint32_t c;
		size_t n = put_ascii(out, s);
		s.data += n;
		s.len -= n;
		while (s.len && is_wide(*s.data)) {
			n = take_wide(s, &c);
			const struct range *r = n ? range_of(c) : NULL;
			if (r)
				put_char(out, (uint32_t)((int32_t)c + r->delta));
			else
				buf_put(out, s.data, MAX(n, (size_t)1));
			n = MAX(n, (size_t)1);
			s.data += n;
			s.len -= n;
		}
	}
}

bool fold_has_capital(struct str s)
{
	for (size_t i = 0; i < s.len;) {
		struct str rest = {s.data + i, s.len - i};
		uint32_t c;
		size_t n = is_wide(s.data[i]) ? take_wide(rest, &c) : 0;
		const struct range *r = n ? range_of(c) : NULL;
		if (r ? r->is_capital : !n && isupper((unsigned char)s.data[i]))
			return true;
		i += MAX(n, (size_t)1);
	}
	return false;
}

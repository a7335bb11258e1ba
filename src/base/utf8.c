/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

/* Length of the well-formed character at `p`, or 0 with *bad set to the length
 * of the maximal ill-formed part (Unicode, table 3-7).
 */
static size_t one_char(const unsigned char *p, size_t left, size_t *bad)
{
	unsigned char c = p[0];
	size_t want;
	unsigned char lo = 0x80, hi = 0xbf;
	*bad = 1;
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf) {
		want = 2;
	} else if (c >= 0xe0 && c <= 0xef) {
		want = 3;
		if (c == 0xe0)
			lo = 0xa0;
		else if (c == 0xed)
			hi = 0x9f;
	} else if (c >= 0xf0 && c <= 0xf4) {
		want = 4;
		if (c == 0xf0)
			lo = 0x90;
		else if (c == 0xf4)
			hi = 0x8f;
	} else {
		return 0;
	}
	for (size_t i = 1; i < want; i++) {
		if (i >= left || p[i] < lo || p[i] > hi) {
			*bad = i;
			return 0;
		}
		lo = 0x80;
		hi = 0xbf;
	}
	return want;
}

size_t utf8_valid_prefix(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n) {
		uint64_t eight;
		while (n - i >= 8) {
			memcpy(&eight, s + i, 8);
			if (eight & 0x8080808080808080ULL)
				break;
			i += 8;
		}
		if (i >= n)
			break;
		size_t bad;
		size_t len = one_char((const unsigned char *)s + i, n - i, &bad);
		if (!len)
			break;
		i += len;
	}
	return i;
}

void utf8_put(struct buf *out, struct str s)
{
	while (s.len) {
		size_t good = utf8_valid_prefix(s.data, s.len);
		buf_put(out, s.data, good);
		s.data += good;
		s.len -= good;
		if (!s.len)
			return;
		size_t bad;
		(void)one_char((const unsigned char *)s.data, s.len, &bad);
		buf_put(out, "\xef\xbf\xbd", 3);
		s.data += bad;
		s.len -= bad;
	}
}

size_t utf8_cut(struct str s, size_t max)
{
	if (s.len <= max)
		return s.len;
	size_t cut = max;
	for (int back = 0; back < 3 && cut > 0; back++, cut--)
		if (((unsigned char)s.data[cut] & 0xc0) != 0x80)
			return cut;
	return cut > 0 && ((unsigned char)s.data[cut] & 0xc0) != 0x80 ? cut : max;
}

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

/* Of fewer than eight bytes: names of fields, short values, the ends of all others. */
static bool is_short_ascii(const char *s, size_t n)
{
	uint32_t first, last;
	if (n < 4)
		return !n || !((s[0] | s[n / 2] | s[n - 1]) & 0x80);
	memcpy(&first, s, 4);
	memcpy(&last, s + n - 4, 4);
	return !((first | last) & 0x80808080U);
}

static size_t ascii_prefix(const char *s, size_t n)
{
	const uint64_t high = 0x8080808080808080ULL;
	uint64_t a, b;
	size_t i = 0;
	for (; n - i >= 16; i += 16) {
		memcpy(&a, s + i, 8);
		memcpy(&b, s + i + 8, 8);
		if ((a | b) & high)
			return i;
	}
	if (n - i >= 8) {
		memcpy(&a, s + i, 8);
		if (a & high)
			return i;
		i += 8;
	}
	return is_short_ascii(s + i, n - i) ? n : i;
}

bool utf8_is_ascii(const char *s, size_t n)
{
	return ascii_prefix(s, n) == n;
}

size_t utf8_valid_prefix(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n) {
		i += ascii_prefix(s + i, n - i);
		if (i == n)
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

/* Of a well-formed character of `len` bytes. */
static uint32_t code_of(const unsigned char *p, size_t len)
{
	uint32_t code = len == 1 ? p[0] : p[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++)
		code = code << 6 | (p[i] & 0x3f);
	return code;
}

/* C0, DEL and C1; the controls of UAX #9; the separators of lines and paragraphs. */
static bool is_command(uint32_t c)
{
	return (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0) || c == 0x061c ||
	       (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

static void put_visible(struct buf *out, struct str s, bool is_json)
{
	size_t from = 0, at = 0;
	while (at < s.len) {
		const unsigned char *p = (const unsigned char *)s.data + at;
		size_t bad, len = one_char(p, s.len - at, &bad);
		uint32_t code = len ? code_of(p, len) : 0;
		if (len && (!is_command(code) || (is_json && code == '\n'))) {
			at += len;
			continue;
		}
		buf_put(out, s.data + from, at - from);
		for (size_t i = 0; !len && i < bad; i++)
			buf_printf(out, "\\x%02x", p[i]);
		if (len)
			buf_printf(out, code < 0x100 && !is_json ? "\\x%02x" : "\\u%04x", code);
		at += len ? len : bad;
		from = at;
	}
	if (at > from)
		buf_put(out, s.data + from, at - from);
}

void utf8_put_visible(struct buf *out, struct str s)
{
	put_visible(out, s, false);
}

void utf8_put_visible_json(struct buf *out, struct str s)
{
	put_visible(out, s, true);
}

void utf8_put_visible_lines(struct buf *out, struct str s, const char *indent)
{
	while (s.len) {
		const char *end = memchr(s.data, '\n', s.len);
		size_t n = end ? (size_t)(end - s.data) : s.len;
		put_visible(out, (struct str){s.data, n}, false);
		n += end != NULL;
		s.data += n;
		s.len -= n;
		if (end)
			buf_putc(out, '\n');
		if (end && s.len)
			buf_puts(out, indent);
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

static bool is_wide_space(uint32_t c)
{
	return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200b) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x2060 ||
	       c == 0x3000 || c == 0xfeff;
}

size_t utf8_space(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.data;
	if (!s.len)
		return 0;
	if (p[0] < 0x80)
		return p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r');
	if (s.len >= 2 && p[0] == 0xc2 && is_wide_space(p[1]))
		return 2;
	if (s.len >= 3 && p[0] >= 0xe1 && p[0] <= 0xef &&
	    is_wide_space((p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u)))
		return 3;
	return 0;
}

/* The bytes of the white space at its end. */
static size_t space_before(struct str s)
{
	for (size_t n = 1; n <= MIN(s.len, (size_t)3); n++)
		if (utf8_space((struct str){s.data + s.len - n, n}) == n)
			return n;
	return 0;
}

struct str utf8_trim(struct str s)
{
	size_t n;
	while ((n = utf8_space(s)) > 0) {
		s.data += n;
		s.len -= n;
	}
	while ((n = space_before(s)) > 0)
		s.len -= n;
	return s;
}

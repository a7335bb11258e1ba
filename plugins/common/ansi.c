/* SPDX-License-Identifier: MIT */
#include "common/ansi.h"

static bool is_between(char c, int low, int high)
{
	return (unsigned char)c >= low && (unsigned char)c <= high;
}

static size_t skip(const char *p, size_t n, size_t at, int low, int high)
{
	while (at < n && is_between(p[at], low, high))
		at++;
	return at;
}

/* ESC [ parameters, intermediates, final byte: ECMA-48, 5.4. */
static size_t control_sequence(const char *p, size_t n)
{
	size_t at = skip(p, n, skip(p, n, 2, 0x30, 0x3f), 0x20, 0x2f);
	return at < n && is_between(p[at], 0x40, 0x7e) ? at + 1 : at;
}

/* ESC ] text BEL, ESC P text ESC \: titles, links.  Without an end only the
 * introducer is taken, so that no text is lost.
 */
static size_t control_string(const char *p, size_t n)
{
	for (size_t at = 2; at < n; at++) {
		if (p[at] == '\a')
			return at + 1;
		if (p[at] == ANSI_ESCAPE)
			return at + 1 < n && p[at + 1] == '\\' ? at + 2 : 2;
	}
	return 2;
}

size_t ansi_sequence(const char *p, size_t n)
{
	if (!n || *p != ANSI_ESCAPE)
		return 0;
	if (n == 1)
		return 1;
	if (p[1] == '[')
		return control_sequence(p, n);
	if (strchr("]PX^_", p[1]) && p[1])
		return control_string(p, n);
	size_t at = skip(p, n, 1, 0x20, 0x2f);
	return at < n && is_between(p[at], 0x30, 0x7e) ? at + 1 : 1;
}

size_t ansi_strip(const char *p, size_t n, char *out)
{
	size_t len = 0;
	while (n) {
		const char *escape = memchr(p, ANSI_ESCAPE, n);
		size_t plain = escape ? (size_t)(escape - p) : n;
		memmove(out + len, p, plain);
		len += plain;
		size_t used = plain + ansi_sequence(p + plain, n - plain);
		p += used;
		n -= used;
	}
	return len;
}

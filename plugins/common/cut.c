/* SPDX-License-Identifier: MIT */
#include "common/cut.h"

/* What a character has that begins with this byte; 1 for what begins none. */
static size_t length_of(unsigned char first)
{
	if (first < 0xc2 || first > 0xf4)
		return 1;
	return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
}

size_t cut_utf8(const char *p, size_t n)
{
	size_t back = 1;
	while (back < 4 && back < n && ((unsigned char)p[n - back] & 0xc0) == 0x80)
		back++;
	if (back >= n || length_of((unsigned char)p[n - back]) <= back)
		return n;
	return n - back;
}

/* SPDX-License-Identifier: MIT */
#include "base/hex.h"

#include <errno.h>

void hex_put(struct buf *out, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *b = p;
	for (size_t i = 0; i < n; i++) {
		buf_putc(out, digits[b[i] >> 4]);
		buf_putc(out, digits[b[i] & 15]);
	}
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int hex_get(struct str text, struct buf *out)
{
	if (text.len % 2)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i += 2) {
		int high = digit(text.data[i]), low = digit(text.data[i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		buf_putc(out, (char)(high << 4 | low));
	}
	return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * ansi - the escape sequences that programs colour their lines with (ECMA-48).
 */
#ifndef COMMON_ANSI_H
#define COMMON_ANSI_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { ANSI_ESCAPE = 0x1b };

/* The length of the sequence that begins at `p`; 0 when none does. */
size_t ansi_sequence(const char *p, size_t n);
/* Copies what is no sequence to `out`, which has room for `n` bytes and may be
 * `p` itself.  Returns the length.
 */
size_t ansi_strip(const char *p, size_t n, char *out);

static inline bool ansi_is_there(const char *p, size_t n)
{
	return n && memchr(p, ANSI_ESCAPE, n);
}

#endif

/* SPDX-License-Identifier: MIT
 *
 * cut - where a text that is too long can be cut without splitting a character.
 */
#ifndef COMMON_CUT_H
#define COMMON_CUT_H

#include <stddef.h>

/* How many of the `n` bytes of UTF-8 at p to keep when the text is cut behind
 * them: all, but for the start of a character that is not whole.  Bytes that
 * are no UTF-8 are kept as they are, and never is nothing left of something.
 */
size_t cut_utf8(const char *p, size_t n);

#endif

/* SPDX-License-Identifier: MIT
 *
 * grams - short pieces of a text that tell what it holds.
 *
 * Of each GRAMS_WINDOW pieces that begin one behind the other, the one whose hash is the smallest
 * is taken (a minimizer).  Every text within another has all of its grams there, too.  ASCII
 * letters count as small ones.
 */
#ifndef SLUICE_FILTER_GRAMS_H
#define SLUICE_FILTER_GRAMS_H

#include <stdint.h>

#include "base/buf.h"

enum { GRAMS_SIZE = 5, GRAMS_WINDOW = 6, GRAMS_MIN = GRAMS_SIZE + GRAMS_WINDOW - 1 };

/* At most so many of a text of `n` bytes. */
static inline size_t grams_max(size_t n)
{
	return n < GRAMS_MIN ? 0 : n - GRAMS_MIN + 1;
}

/* Puts their hashes into `out`, which has room for grams_max(); returns how many.  None of a text
 * with less than GRAMS_MIN bytes.  One may come more than once.
 */
size_t grams_of(struct str text, uint32_t *out);

#endif

/* SPDX-License-Identifier: MIT
 *
 * grams - selected short pieces of a text, for an index.
 *
 * Of every GRAMS_WINDOW consecutive pieces, the one with the smallest hash is taken (a minimizer).
 * If one text contains another, its grams include all grams of the other.  ASCII letters are
 * lower-cased.
 */
#ifndef SLUICE_FILTER_GRAMS_H
#define SLUICE_FILTER_GRAMS_H

#include <stdint.h>

#include "base/buf.h"

enum { GRAMS_SIZE = 5, GRAMS_WINDOW = 6, GRAMS_MIN = GRAMS_SIZE + GRAMS_WINDOW - 1 };

/* The largest number of grams of a text of `n` bytes. */
static inline size_t grams_max(size_t n)
{
	return n < GRAMS_MIN ? 0 : n - GRAMS_MIN + 1;
}

/* Puts their hashes into `out`, which has room for grams_max(); returns how many.  None of a text
 * with less than GRAMS_MIN bytes.  One may come more than once.
 */
size_t grams_of(struct str text, uint32_t *out);

#endif

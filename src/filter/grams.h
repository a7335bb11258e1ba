/* SPDX-License-Identifier: MIT
 *
 * grams - what an index has of an event: selected short pieces of its message, and its fields.
 *
 * Of every GRAMS_WINDOW consecutive pieces, the one with the smallest hash is taken (a minimizer).
 * If one text contains another, its grams include all grams of the other.  ASCII letters are
 * lower-cased.
 */
#ifndef SLUICE_FILTER_GRAMS_H
#define SLUICE_FILTER_GRAMS_H

#include <stdint.h>

#include "filter/value.h"

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

enum { GRAMS_OF_FIELD = 3 };

/* Puts GRAMS_OF_FIELD hashes of a field's name and value, equal for values that are equal
 * (value_equals()).  A value that is JSON counts as that alone, whatever is in it.  False: there
 * are none of this value, which is a number with a fraction or no value at all.
 */
bool grams_of_field(struct str name, const struct value *v, uint32_t *out);

#endif

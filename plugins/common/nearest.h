/* SPDX-License-Identifier: MIT
 *
 * nearest - which of the known names was probably meant.
 */
#ifndef COMMON_NEAREST_H
#define COMMON_NEAREST_H

#include <stddef.h>

/* How many letters have to be inserted, removed or replaced to make `b` of `a`.  Names of more
 * than 100 letters are compared by their beginnings.
 */
size_t edit_distance(const char *a, const char *b);

#endif

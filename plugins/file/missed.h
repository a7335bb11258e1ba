/* SPDX-License-Identifier: MIT
 *
 * missed - what shows that files were rotated away and removed between two looks.
 *
 * Nobody saw them, but others show that they were there: a rotation removes the oldest
 * file and makes a new one, and it gives numbers without leaving any out.
 */
#ifndef FILE_MISSED_H
#define FILE_MISSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The file that had the name was removed then; the `n` files that have had it since were
 * made at these times, in order.  Each of them that was made by a later rotation stands for
 * one that this rotation removed, perhaps.
 */
size_t missed_by_times(int64_t removed_ns, const int64_t *born_ns, size_t n);

/* The same of one that is done with: it lost the name then or before, and the oldest of those that
 * have had it since was made at that time.  A rotation makes the next file at once.
 */
size_t missed_by_loss(int64_t lost_ns, int64_t born_ns);

/* The file that had the name has this number now, and `n` younger ones have these. */
size_t missed_by_numbers(unsigned number, const unsigned *there, size_t n);

#endif

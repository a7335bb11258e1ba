/* SPDX-License-Identifier: MIT
 *
 * delta - the numbers of batches as differences, in place, so that they compress well.
 *
 * Ids, ordinals and times of neighbours are close: what is left of each is what it is more than
 * the one before it.  Checksums of batches are left out, since they can be worked out again.
 */
#ifndef SLUICE_JOURNAL_DELTA_H
#define SLUICE_JOURNAL_DELTA_H

#include <stdbool.h>
#include <stddef.h>

/* Of a row of whole batches; false, and nothing is changed, when there is anything else in it. */
bool delta_make(char *p, size_t n);

/* The reverse.  False, with `p` half done, when these bytes cannot come from delta_make(). */
bool delta_undo(char *p, size_t n);

#endif

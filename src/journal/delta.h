/* SPDX-License-Identifier: MIT
 *
 * delta - the numbers of batches as differences, in place, so that they compress well.
 *
 * Ids, ordinals and times of neighbours are close: each is stored as its difference from the one
 * before it.  Checksums of batches become 0, since they can be computed again.
 */
#ifndef SLUICE_JOURNAL_DELTA_H
#define SLUICE_JOURNAL_DELTA_H

#include <stdbool.h>
#include <stddef.h>

/* `p` must hold whole batches only; otherwise returns false and changes nothing. */
bool delta_make(char *p, size_t n);

/* The reverse.  False, with `p` half done, when these bytes cannot come from delta_make(). */
bool delta_undo(char *p, size_t n);

#endif

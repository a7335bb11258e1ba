/* SPDX-License-Identifier: MIT
 *
 * follow - a plain file: reading, noticing truncation.
 */
#ifndef FILE_FOLLOW_H
#define FILE_FOLLOW_H

#include "file.h"

enum { FOLLOW_EMPTIED = 2 };

/* Reads what there is, within a budget: 1 when there may be more, 0 at the end, -ECANCELED, or
 * FOLLOW_EMPTIED: it was emptied, or written anew, when it had been read up to *emptied_at, and
 * its start is to be read next.
 */
int follow_read(struct state *s, struct file *f, struct position *emptied_at);

/* The offset of the last `n` lines of what is open; of 0: behind the last line end. */
uint64_t follow_find_lines(struct state *s, struct file *f, uint64_t n);

#endif

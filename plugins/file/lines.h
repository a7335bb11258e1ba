/* SPDX-License-Identifier: MIT
 *
 * lines - bytes into lines, of any length.
 */
#ifndef FILE_LINES_H
#define FILE_LINES_H

#include "file.h"

/* The buffer holds the part that was kept, then `n` new bytes.  0 or -ECANCELED. */
int lines_take(struct state *s, struct file *f, size_t n);
/* What has not ended is the last line.  0 or -ECANCELED. */
int lines_end(struct state *s, struct file *f);
void lines_drop(struct file *f);

#endif

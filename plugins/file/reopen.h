/* SPDX-License-Identifier: MIT
 *
 * reopen - files that are known and closed are opened again.
 */
#ifndef FILE_REOPEN_H
#define FILE_REOPEN_H

#include "file.h"

/* Opens a known file again and goes on in it, or drops it: 0 or -ECANCELED. */
int reopen(struct state *s, struct file *f, const struct stat *st);
/* Whether what was opened has only the number of the file that was followed: it begins as itself
 * then, also if it is a copy of that one.
 */
bool reopen_is_another(const struct file *f);

#endif

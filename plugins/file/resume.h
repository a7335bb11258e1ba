/* SPDX-License-Identifier: MIT
 *
 * resume - after a restart: the files that the cursors tell of.
 */
#ifndef FILE_RESUME_H
#define FILE_RESUME_H

#include "file.h"

/* Takes over the committed cursors of an earlier run.  0 or -ECANCELED. */
int resume(struct state *s);
/* A key of its own among the cursors: from now on every file that appears is read from its
 * beginning, also after a restart.  0 or -ECANCELED.
 */
int resume_note_start(struct state *s);

#endif

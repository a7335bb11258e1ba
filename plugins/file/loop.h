/* SPDX-License-Identifier: MIT
 *
 * loop - the main loop.
 */
#ifndef FILE_LOOP_H
#define FILE_LOOP_H

#include "file.h"

/* Until the source is to end: -ECANCELED. */
int loop_run(struct state *s);

#endif

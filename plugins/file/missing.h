/* SPDX-License-Identifier: MIT
 *
 * missing - files that no pattern leads to: where they are, or that they are gone.
 */
#ifndef FILE_MISSING_H
#define FILE_MISSING_H

#include "file.h"

void place_add(struct state *s, const char *dir);
/* Of another look. */
void places_begin(struct state *s);
void places_clear(struct state *s);
/* Whether no name in them has changed since they were read, nor right before. */
bool places_were_quiet(const struct state *s);
/* Looks after the files that are not open and were not seen by the discovery
 * under way, in all places.  0 or -ECANCELED.
 */
int missing_look(struct state *s);
/* Nothing more can come of this file, and a gap says so.  0 or -ECANCELED. */
int missing_is_gone(struct state *s, struct file *f);

#endif

/* SPDX-License-Identifier: MIT
 *
 * discover - which files there are: patterns, rotation.
 */
#ifndef FILE_DISCOVER_H
#define FILE_DISCOVER_H

#include "file.h"

/* Looks at all patterns.  0 or -ECANCELED. */
int discover(struct state *s);
/* The watch of that number, or NULL. */
struct watch *discover_watch(struct state *s, int wd);
void discover_unwatch(struct state *s, int wd);
void discover_free(struct state *s);

#endif

/* SPDX-License-Identifier: MIT
 *
 * fifo - FIFOs, read as streams.
 */
#ifndef FILE_FIFO_H
#define FILE_FIFO_H

#include "file.h"

/* One that a pattern leads to.  0 or -ECANCELED. */
int fifo_found(struct state *s, const char *path, const struct stat *st);
/* Before a look: none of them has been found by it. */
void fifos_unsee(struct state *s);
/* Reads those that have a writer, or all: 1 when there may be more, 0, or -ECANCELED. */
int fifos_read(struct state *s, bool all);
/* What is to be waited for, at most `max`. */
size_t fifos_poll(const struct state *s, struct pollfd *ret, size_t max);
void fifos_free(struct state *s);

#endif

/* SPDX-License-Identifier: MIT
 *
 * holes - runs of NULs.
 */
#ifndef FILE_HOLES_H
#define FILE_HOLES_H

#include "file.h"

/* How many of the `n` bytes at p, which are to be read next, come before a hole;
 * *nuls: how many NULs follow, be it up to the end of the bytes; 0: none.
 */
size_t hole_find(const struct file *f, const char *p, size_t n, size_t *nuls);
/* Goes on behind a hole that begins where reading stands, `is_all` when nothing
 * else has been read: 1, 0 when there is no text behind it, or -ECANCELED.
 */
int hole_cross(struct state *s, struct file *f, size_t nuls, bool is_all);
/* As lines_take(), of bytes that are not read again: what may be a hole is counted in file.nuls. */
int hole_take(struct state *s, struct file *f, size_t n);

#endif

/* SPDX-License-Identifier: MIT
 *
 * held - the same of containers: pieces of lines, of two streams.
 */
#ifndef FILE_HELD_H
#define FILE_HELD_H

#include "file.h"

/* As assemble_take(), of a container's line. */
int held_take(struct state *s, struct file *f, const char *p, size_t n, uint32_t flags,
	      uint64_t size, const struct position *behind);
int held_flush(struct state *s, struct file *f);
int held_expire(struct state *s, struct file *f, int64_t now_ns);
void held_drop(struct file *f);

#endif

/* SPDX-License-Identifier: MIT
 *
 * assemble - lines into events: emitted, or held back with those that belong to them.
 */
#ifndef FILE_ASSEMBLE_H
#define FILE_ASSEMBLE_H

#include "file.h"

/* A line with the position behind it; emits what is whole.  0 or -ECANCELED. */
int assemble_take(struct state *s, struct file *f, const char *p, size_t n, uint32_t flags,
		  uint64_t size, const struct position *behind);
int assemble_flush(struct state *s, struct file *f);
void assemble_drop(struct file *f);
/* Flushes those that have been quiet for multiline.timeout. */
int assemble_expire(struct state *s);

#endif

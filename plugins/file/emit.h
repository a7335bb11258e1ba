/* SPDX-License-Identifier: MIT
 *
 * emit - an event with its position.
 */
#ifndef FILE_EMIT_H
#define FILE_EMIT_H

#include "file.h"

/* What a container's runtime says about a line. */
struct wrapping {
	int64_t time_ns;
	enum container_stream stream;
	const char *attrs; /* a JSON object; NULL: nothing */
	size_t attrs_len;
};

/* One event; the file's position is behind it already.  `w` is NULL for a line that is not
 * a container's.  0 or -ECANCELED.
 */
int emit_line(struct state *s, struct file *f, const char *line, size_t len, uint32_t flags,
	      uint64_t size, const struct wrapping *w);
/* Declares that something is lost, at this file's position. 0 or -ECANCELED. */
int emit_gap(struct state *s, struct file *f, const char *reason, const char *message);
/* The gap of a file that was emptied, or written anew. */
int emit_emptied(struct state *s, struct file *f);
int emit_cursor(struct state *s, struct file *f);

#endif

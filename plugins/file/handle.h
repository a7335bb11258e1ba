/* SPDX-License-Identifier: MIT
 *
 * handle - a file's descriptor: opened by a name, read from some place on, closed.
 */
#ifndef FILE_HANDLE_H
#define FILE_HANDLE_H

#include "file.h"

/* Opens it by its present name: 0 or a negative errno; -ESTALE: that is another file's now. */
int handle_open(struct state *s, struct file *f);
/* Says that it could not be opened, if it is there; returns -error. */
int handle_refused(struct state *s, const char *path, int error);
/* The name that an open file has now, wherever it is: owned; NULL: none. */
char *handle_name(const struct file *f);
/* Sets where to read on, and what stands before it. */
void handle_seek(struct file *f, uint64_t offset);
/* Emits a last line without a line end and closes the file.  0 or -ECANCELED. */
int handle_finish(struct state *s, struct file *f);
/* Closes a file that may be written to again. */
void handle_suspend(struct file *f);
/* Whether the first `n` bytes of two open files are the same. */
bool handles_begin_alike(int a, int b, uint64_t n);

#endif

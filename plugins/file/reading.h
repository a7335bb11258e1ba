/* SPDX-License-Identifier: MIT
 *
 * reading - reading on in a file: a plain one, a compressed one, or one that was copied and
 * emptied.
 */
#ifndef FILE_READING_H
#define FILE_READING_H

#include "file.h"

/* Reads what there is, within a budget: 1 when there may be more, 0 at the end, or -ECANCELED.
 * When it has been emptied, copies are to be read before it goes on: see file.owes_emptied.
 */
int reading_some(struct state *s, struct file *f);
/* Everything up to the size that the file has now, or until it has been emptied.  0 or
 * -ECANCELED.
 */
int reading_drain(struct state *s, struct file *f);
/* Emits a last line without a line end and closes the file.  0 or -ECANCELED. */
int reading_finish(struct state *s, struct file *f);

/* A file was emptied: has what is behind `at` in the copy that was made before read first, if
 * there is one, and those made after it; also those that were made after `since_ns` and
 * hold something else.  Whether there are any.
 */
bool reading_copies(struct state *s, struct file *f, const struct position *at, int64_t since_ns);
/* Copies of what was in a file that we have read nothing of since it was emptied: it
 * has been emptied again.
 */
void reading_late_copies(struct state *s, struct file *f);

#endif

/* SPDX-License-Identifier: MIT
 *
 * unseen - files that came and went unseen: how many.
 */
#ifndef FILE_UNSEEN_H
#define FILE_UNSEEN_H

#include "search.h"

/* Sets file.n_missed: how many came between `before` and those of the search, and were removed;
 * NULL: that one is done with.  What is not certain yet is file.doubt.
 */
void unseen_count(struct search *q, struct file *f, const struct file *before);
/* Looks again at what is in doubt, and ends the doubt or has it looked at later. */
void unseen_judge(struct state *s, struct listings *lists, struct file *f);

#endif

/* SPDX-License-Identifier: MIT
 *
 * adopt - the rest of a file that is not there any more.
 */
#ifndef FILE_ADOPT_H
#define FILE_ADOPT_H

#include "search.h"

/* Looks for the rest of a file that is not there any more: in copies of it, also
 * compressed ones.  1 if it goes on there, 0, -EAGAIN when another look can tell, or
 * -ECANCELED.
 */
int generation_adopt(struct state *s, struct file *f);
/* The rest of `f` is in a compressed file, which is read from where `at` is; it is the last of the
 * table then.  False: it cannot be opened.
 */
bool adopt_in_gz(struct state *s, struct file *f, const struct candidate *c,
		 const struct position *at);

#endif

/* SPDX-License-Identifier: MIT
 *
 * generations - files that were rotated away before anybody looked.
 */
#ifndef FILE_GENERATIONS_H
#define FILE_GENERATIONS_H

#include "file.h"

/* It has the name that `before` had, and waits for what came between them. */
void generations_await(struct file *f, struct file *before);
/* Looks for what came between, for all that wait for it.  0 or -ECANCELED. */
int generations_settle(struct state *s);
/* The gaps that a file owes once what came before has been read: that it was emptied, and of
 * files that may have been removed unread.  0 or -ECANCELED.
 */
int generation_tell_owed(struct state *s, struct file *f);
/* Whether it is looked after by generations_settle(). */
bool generation_is_awaited(struct state *s, const char *path);
/* Whether the name is that of an older generation of a file that is followed. */
bool generation_has_base(struct state *s, const char *path);

#endif

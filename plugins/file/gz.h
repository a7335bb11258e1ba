/* SPDX-License-Identifier: MIT
 *
 * gz - compressed files: what of them has been read before.
 */
#ifndef FILE_GZ_H
#define FILE_GZ_H

#include "file.h"

/* gzip(1) writes it while the original is still there. */
#define GZ_SETTLE_NS 2000000000LL

/* Whether this compressed file has that position. */
bool gz_holds(const char *path, const struct position *p);
/* Whether this compressed file begins like that open one, which is not empty. */
bool gz_begins_like(const char *path, const struct file *f);
/* Whether this compressed file begins like one that is followed, or was. */
bool gz_is_of_known(struct state *s, const char *path);
/* Goes on in one that is known and has changed: 0 or -ECANCELED. */
int gz_reopen(struct state *s, struct file *f);
/* As follow_read(), of a compressed file. */
int gz_read(struct state *s, struct file *f);

#endif

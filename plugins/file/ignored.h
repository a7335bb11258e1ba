/* SPDX-License-Identifier: MIT
 *
 * ignored - what is named and not read, and why.
 */
#ifndef FILE_IGNORED_H
#define FILE_IGNORED_H

#include "file.h"

/* For each pattern: ignored_begin() once, and behind all that it finds ignored_tell(). */
void ignored_begin(struct state *s);
/* Whether what the pattern has found is not to be read, which is noted; else *st is filled in. */
bool ignored_is(struct state *s, size_t pattern, const char *path, struct stat *st);
void ignored_add(struct state *s, size_t pattern, enum ignored why, const char *path);
void ignored_trouble(struct state *s, size_t pattern, enum pattern_trouble what, const char *path);
void ignored_tell(struct state *s, size_t pattern, size_t n_found);
/* Tells the same before anything is read, and of files that may not be. */
void ignored_check(struct state *s);
/* Whether a file of this name is read: not if it is compressed in a way that is not. */
bool ignored_reads(const struct state *s, const char *path);
void ignored_free(struct state *s);

#endif

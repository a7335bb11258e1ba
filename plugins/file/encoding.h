/* SPDX-License-Identifier: MIT
 *
 * encoding - other encodings than UTF-8.
 */
#ifndef FILE_ENCODING_H
#define FILE_ENCODING_H

#include "file.h"

/* Whether these `unit` bytes are a line feed. */
bool encoding_is_line_end(const char *p, unsigned unit);

/* What its characters have at least: 1, 2, 4; or 0 when iconv does not know it, or
 * when what it makes of a line feed is none.
 */
unsigned encoding_unit(const char *name);
/* Learns the file's encoding, by its first bytes if it has to; false while those
 * are too few.
 */
bool encoding_begin(struct state *s, struct file *f, const char *head, size_t n);
/* The same of a file to which nothing is added any more. */
void encoding_begin_whole(struct state *s, struct file *f, const char *head, size_t n);
void encoding_end(struct file *f);
/* How many of the `n` bytes at p, cut off behind them, are whole characters. */
size_t encoding_cut(const struct file *f, const char *p, size_t n);
/* The line in UTF-8, borrowed from it or from state.text. */
const char *encoding_decode(struct state *s, struct file *f, const char *p, size_t *n);

#endif

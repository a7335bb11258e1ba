/* SPDX-License-Identifier: MIT
 *
 * utf8 - bytes from anywhere made into valid UTF-8 (RFC 3629).
 */
#ifndef SLUICE_BASE_UTF8_H
#define SLUICE_BASE_UTF8_H

#include "base/buf.h"

bool utf8_is_ascii(const char *s, size_t n) must_check;

/* Length of the longest valid prefix of `s`. */
size_t utf8_valid_prefix(const char *s, size_t n) must_check;

/* Appends `s`, each maximal ill-formed part replaced by U+FFFD as the WHATWG
 * decoder does it.  Output is at most three times the input.
 */
void utf8_put(struct buf *out, struct str s);

/* Appends `s` for a terminal: what would command it or turn the direction of a line
 * (controls, bidirectional controls, line separators) and what is no UTF-8 as \xHH and
 * \uHHHH.  A tab stays.
 */
void utf8_put_visible(struct buf *out, struct str s);

/* The same of several lines; `indent` is put before all but the first. */
void utf8_put_visible_lines(struct buf *out, struct str s, const char *indent);

/* Of JSON text, which stays JSON of the same meaning: as \uHHHH within its strings. */
void utf8_put_visible_json(struct buf *out, struct str s);

/* The largest length <= `max` at which `s` can be cut without splitting a
 * character; `max` itself when the bytes there are no UTF-8 anyway.
 */
size_t utf8_cut(struct str s, size_t max) must_check;

/* The bytes of the white space that `s` begins with, 0 when there is none: of ASCII, and
 * what comes along when text is pasted (U+00A0, U+200B, U+FEFF and their kind).
 */
size_t utf8_space(struct str s) must_check;

/* Without the white space around it. */
struct str utf8_trim(struct str s) must_check;

#endif

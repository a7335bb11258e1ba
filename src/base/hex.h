/* SPDX-License-Identifier: MIT
 *
 * hex - bytes as pairs of hexadecimal digits.
 */
#ifndef SLUICE_BASE_HEX_H
#define SLUICE_BASE_HEX_H

#include "base/buf.h"

/* Small letters. */
void hex_put(struct buf *out, const void *p, size_t n);

/* Appends the bytes; -EINVAL for an odd number of digits or what is none. */
int hex_get(struct str text, struct buf *out) must_check;

#endif

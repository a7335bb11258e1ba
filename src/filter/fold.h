/* SPDX-License-Identifier: MIT
 *
 * fold - text in which letters that differ only in case are the same: Unicode's simple case
 * folding (C and S of CaseFolding.txt), in which a character becomes one character.
 *
 * It is what PCRE2 means by the flag i.  Bytes that are no UTF-8 stay as they are.
 */
#ifndef SLUICE_FILTER_FOLD_H
#define SLUICE_FILTER_FOLD_H

#include "base/buf.h"

/* Appends `s` folded, which may take half as many bytes more. */
void fold_put(struct buf *out, struct str s);

/* Whether a letter of it is a capital. */
bool fold_has_capital(struct str s) must_check;

#endif

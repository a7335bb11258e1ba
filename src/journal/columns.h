/* SPDX-License-Identifier: MIT
 *
 * columns - batches taken apart, so that what is alike stands together and compresses well.
 *
 *	counts     how many batches, records and events; bytes of names, fields, messages and others
 *	headers    of batches: the first byte of each, then the second of each, ...
 *	heads      of records, length and kind, in the same way
 *	numbers    of events, all up to the type, in the same way
 *	names      type and source of each event
 *	fields     of each event
 *	messages
 *	others     of records that are no events, all behind the head
 */
#ifndef SLUICE_JOURNAL_COLUMNS_H
#define SLUICE_JOURNAL_COLUMNS_H

#include "base/buf.h"

/* Bytes that they take beside those of the text. */
enum { COLUMNS_COUNTS = 28 };

/* Appends what `text` becomes, which must hold whole batches only (delta_make() has said so). */
void columns_make(struct str text, struct buf *out);

/* The reverse, into `n` bytes at `text`.  False, with some of them written, when these bytes cannot
 * come from columns_make().
 */
bool columns_undo(struct str columns, char *text, size_t n) must_check;

#endif

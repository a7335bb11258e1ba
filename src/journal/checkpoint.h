/* SPDX-License-Identifier: MIT
 *
 * checkpoint - the newest cursors of a journal's sources, in a file beside its segments.
 *
 *	header  magic, version, crc (of all that follows), upto, length
 *	entry   the id of the batch that set it, then the cursor as a record
 *
 * Batches carry the cursors that they changed; so the cursors are those of the newest
 * checkpoint and of every batch after `upto`.  The file is replaced whole, and the one
 * before it stays as a second choice.
 */
#ifndef SLUICE_JOURNAL_CHECKPOINT_H
#define SLUICE_JOURNAL_CHECKPOINT_H

#include "wire/record.h"

struct checkpoint {
	event_id upto;
	struct buf entries; /* owned */
};

/* Appends an entry. */
void checkpoint_put(struct buf *entries, event_id at, const struct cursor *c);

/* Takes the next entry from *rest, borrowing from it: false at the end. */
bool checkpoint_next(struct str *rest, event_id *at, struct cursor *ret) must_check;

/* Writes the next one of `dir`, which counts once it is put in place.  0 or a negative
 * errno.
 */
int checkpoint_write(const char *dir, event_id upto, struct str entries) must_check;

/* Puts the one that was written in place; `synced`: once the disk has it. */
int checkpoint_place(const char *dir, bool synced) must_check;

/* The newest whole one of `dir` that is not after `last`; if there is none of those, the
 * oldest that is whole.  0, -ENOENT when there is none, or another negative errno.
 */
int checkpoint_read(const char *dir, event_id last, struct checkpoint *ret) must_check;
void checkpoint_fini(struct checkpoint *c);

#endif

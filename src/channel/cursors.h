/* SPDX-License-Identifier: MIT
 *
 * cursors - the newest committed position of every source in what it reads.
 *
 * Rebuilt from the journals at start, changed only after a journal write has
 * succeeded, handed to a source when it opens.
 */
#ifndef SLUICE_CHANNEL_CURSORS_H
#define SLUICE_CHANNEL_CURSORS_H

#include "journal/checkpoint.h"
#include "wire/record.h"

struct cursors;

struct cursors *cursors_new(void) must_check;
void cursors_free(struct cursors *c);

/* Limits for one source: a source with an unlimited number of cursors would fill the
 * memory and every checkpoint.
 */
enum { CURSORS_OF_SOURCE_MAX = 65536, CURSOR_BYTES_OF_SOURCE_MAX = 32 * 1024 * 1024 };

/* Whether a source may set this cursor: false if the key is new and the limit reached. */
bool cursors_admit(const struct cursors *c, const struct cursor *cur) must_check;

/* To be called once all journals have been read: from then on what is forgotten is gone. */
void cursors_settle(struct cursors *c);

/* Takes over `cur` as committed by the batch `at`; an older one than is known
 * changes nothing, one with an empty value forgets the key.  `owner` names the
 * journal that must carry it on; only compared, never looked into.
 */
void cursors_set(struct cursors *c, const struct cursor *cur, event_id at, const void *owner);

/* Borrowed until the next change; empty when there is none. */
struct str cursors_get(const struct cursors *c, struct str source, struct str key) must_check;

/* Appends the cursors of a source as records. */
void cursors_put_of_source(const struct cursors *c, const char *source, struct buf *out);

/* Appends the cursors of an owner as entries of a checkpoint.  Those that were
 * forgotten, and that no other journal may still have, are freed.
 */
void cursors_put_of_owner(struct cursors *c, const void *owner, struct buf *out);

#endif

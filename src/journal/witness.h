/* SPDX-License-Identifier: MIT
 *
 * witness - what each journal of a state directory has held, kept apart from them.
 *
 *	file    header | slot | slot | ...      one for each journal that ever was
 *	slot    crc, last id, events, low-watermark and its ordinal, cursors, name
 *
 * A journal cannot tell that its end was cut off, or that all of it was taken away or
 * replaced by an older copy.  Its slot can: it is written with every batch, after it,
 * so what it names has been in the journal, also after kill -9.
 */
#ifndef SLUICE_JOURNAL_WITNESS_H
#define SLUICE_JOURNAL_WITNESS_H

#include "wire/id.h"

struct witness;

struct extent {
	event_id last;        /* of the newest batch */
	uint64_t n_events;    /* ever written */
	event_id low;         /* the last id that retention has dropped */
	uint64_t low_ordinal; /* events up to it */
	event_id cursors;     /* the checkpoint of cursors holds those up to here */
};

/* Opens the file, which is made when `writable`.  0 or a negative errno; one that is
 * damaged is begun anew.
 */
int witness_open(const char *path, bool writable, struct witness **ret) must_check;
void witness_close(struct witness *w); /* NULL: nothing */

/* What is known of a journal; false: nothing is. */
bool witness_get(const struct witness *w, const char *name, struct extent *ret) must_check;

/* Puts it into the file: 0 or a negative errno.  *slot: where it was put the last time, 0
 * at first; so that the work does not grow with the journals.
 */
int witness_put(struct witness *w, const char *name, const struct extent *e,
		size_t *slot) must_check;

/* Syncs the file to the disk: 0 or a negative errno. */
int witness_sync(const struct witness *w) must_check;

#endif

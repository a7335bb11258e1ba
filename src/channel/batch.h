/* SPDX-License-Identifier: MIT
 *
 * batch - the events and cursors of one frame, as the journal keeps them and as taps see
 * them.
 *
 * A frame is parsed once, when it is taken.  What is put here is copied once, into the bytes
 * that go to the journal; batch_seal() points the events at these bytes, and so they are
 * shown, at once or when the disk has them.
 */
#ifndef SLUICE_CHANNEL_BATCH_H
#define SLUICE_CHANNEL_BATCH_H

#include "base/list.h"
#include "journal/segment.h"
#include "wire/record.h"

struct channel_batch {
	struct list link;   /* of who holds it */
	struct buf kept;    /* BATCH_HEADER free bytes, then records */
	struct buf passing; /* records of events that are shown, and not kept */
	event_id first, last;
	uint32_t n_kept; /* events in `kept` */
	struct batch_event {
		struct event event;
		size_t at; /* of its record, in `kept` or `passing` */
	} * events;        /* in the order of their ids */
	size_t n_events, events_room;
	struct batch_cursor {
		struct cursor cursor;
		size_t at;
	} * cursors;
	size_t n_cursors, cursors_room;
};

struct channel_batch *batch_new(void) must_check;
/* NULL is allowed. */
void batch_free(struct channel_batch *b);
/* Empties it, and gives back the memory of an unusually large one. */
void batch_reset(struct channel_batch *b);

/* Copies what it is given.  Events come in the order of their ids. */
void batch_put_event(struct channel_batch *b, const struct event *ev);
void batch_put_cursor(struct channel_batch *b, const struct cursor *c);

/* Nothing is put any more: the events and cursors point into the bytes of the batch now. */
void batch_seal(struct channel_batch *b);

/* The records for the journal, without the room for its header. */
struct str batch_records(const struct channel_batch *b);

/* Whether there is anything for the journal. */
bool batch_has_records(const struct channel_batch *b) must_check;

/* The memory it takes, in bytes. */
size_t batch_memory(const struct channel_batch *b) must_check;

#endif

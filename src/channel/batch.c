/* SPDX-License-Identifier: MIT */
#include "channel/batch.h"

#include <stdlib.h>

#include "base/mem.h"

enum { BYTES_KEPT = 1024 * 1024, ROOM_KEPT = 16 * 1024 };

static void begin(struct channel_batch *b)
{
	buf_reserve(&b->kept, BATCH_HEADER);
	b->kept.len = BATCH_HEADER;
	b->passing.len = 0;
	b->first = b->last = 0;
	b->n_kept = 0;
	b->n_events = b->n_cursors = 0;
}

struct channel_batch *batch_new(void)
{
	struct channel_batch *b = mem_zero(sizeof(*b));
	list_init(&b->link);
	begin(b);
	return b;
}

void batch_free(struct channel_batch *b)
{
	if (!b)
		return;
	buf_fini(&b->kept);
	buf_fini(&b->passing);
	free(b->events);
	free(b->cursors);
	free(b);
}

void batch_reset(struct channel_batch *b)
{
	buf_reset(&b->kept, BYTES_KEPT);
	buf_reset(&b->passing, BYTES_KEPT);
	if (b->events_room > ROOM_KEPT) {
		free(b->events);
		b->events = NULL;
		b->events_room = 0;
	}
	if (b->cursors_room > ROOM_KEPT) {
		free(b->cursors);
		b->cursors = NULL;
		b->cursors_room = 0;
	}
	begin(b);
}

static struct buf *bytes_of(struct channel_batch *b, const struct event *ev)
{
	return ev->flags & EVENT_TRANSIENT ? &b->passing : &b->kept;
}

void batch_put_event(struct channel_batch *b, const struct event *ev)
{
	struct buf *bytes = bytes_of(b, ev);
	if (b->n_events == b->events_room) {
		b->events_room = b->events_room ? b->events_room * 2 : 16;
		b->events = mem_resize(b->events, b->events_room * sizeof(b->events[0]));
	}
	b->events[b->n_events++] = (struct batch_event){*ev, bytes->len};
	record_put_event(bytes, ev);
	b->n_kept += bytes == &b->kept;
	b->last = ev->id;
	if (!b->first)
		b->first = ev->id;
}

void batch_put_cursor(struct channel_batch *b, const struct cursor *c)
{
	if (b->n_cursors == b->cursors_room) {
		b->cursors_room = b->cursors_room ? b->cursors_room * 2 : 4;
		b->cursors = mem_resize(b->cursors, b->cursors_room * sizeof(b->cursors[0]));
	}
	b->cursors[b->n_cursors++] = (struct batch_cursor){*c, b->kept.len};
	record_put_cursor(&b->kept, c);
}

void batch_seal(struct channel_batch *b)
{
	for (size_t i = 0; i < b->n_events; i++) {
		struct batch_event *e = &b->events[i];
		record_find_event(bytes_of(b, &e->event)->data + e->at, &e->event);
	}
	for (size_t i = 0; i < b->n_cursors; i++)
		record_find_cursor(b->kept.data + b->cursors[i].at, &b->cursors[i].cursor);
}

struct str batch_records(const struct channel_batch *b)
{
	return (struct str){b->kept.data + BATCH_HEADER, b->kept.len - BATCH_HEADER};
}

bool batch_has_records(const struct channel_batch *b)
{
	return b->kept.len > BATCH_HEADER;
}

size_t batch_memory(const struct channel_batch *b)
{
	return sizeof(*b) + b->kept.cap + b->passing.cap + b->events_room * sizeof(b->events[0]) +
	       b->cursors_room * sizeof(b->cursors[0]);
}

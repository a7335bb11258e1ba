/* SPDX-License-Identifier: MIT
 *
 * format - the forms in which a subscription can be delivered.
 *
 * Events are delivered in groups: those of one write.  A group of most formats is
 * simply its events; in a batch or a poll it is one block or document.
 */
#ifndef SLUICE_WIRE_FORMAT_H
#define SLUICE_WIRE_FORMAT_H

#include "wire/event_json.h"
#include "wire/sse.h"

enum format {
	FORMAT_SSE,         /* text/event-stream, data is a JSON object */
	FORMAT_SSE_MESSAGE, /* the same, data is the bare message */
	FORMAT_SSE_HTML,    /* the same, escaped for HTML */
	FORMAT_SSE_BATCH,   /* the same, data is a JSON array of all events of a write */
	/* The same four with events and gaps that have no name: EventSource's onmessage. */
	FORMAT_SSE_UNNAMED,
	FORMAT_SSE_UNNAMED_MESSAGE,
	FORMAT_SSE_UNNAMED_HTML,
	FORMAT_SSE_UNNAMED_BATCH,
	FORMAT_NDJSON, /* one JSON object a line */
	FORMAT_TEXT,   /* one line an event, for people */
	FORMAT_PAGE,   /* one JSON document: {"events": [...], "next": ID} */
};

/* Such as "text/event-stream". */
const char *format_media_type(enum format f);
/* As in `format=`. */
const char *format_name(enum format f);
bool format_is_sse(enum format f);
/* That of FORMAT_SSE to FORMAT_SSE_BATCH without names. */
enum format format_unnamed(enum format f) must_check;

/* Before a group's first event, and behind its last, whose id (or a later one, up
 * to which there is nothing) is `last`.
 */
void format_begin(struct buf *out, enum format f);
void format_end(struct buf *out, enum format f, struct str epoch, event_id last);

/* What stands for the names that no event of a source has for clients: those of our own
 * messages, and of the events that EventSource itself makes.  The name is what follows
 * "event."; ends with NULL.
 */
extern const char *const format_renamed[];

/* The type that an event has for clients: its own, or what stands for it; what a program
 * calls its events must not steer a client.  Borrowed from `type`, or static.
 */
struct str format_type(struct str type) must_check;

/* `is_first` of its group. */
void format_event(struct buf *out, enum format f, struct str epoch, struct str channel,
		  const struct event *ev, bool is_first);
void format_gap(struct buf *out, enum format f, struct str epoch, const struct gap *g,
		bool is_first);

/* What is not an event, between groups: hello, changed, bye, busy, error.  `data`
 * is a JSON object; `id` is FORMAT_NO_ID where the client's cursor stays what it is.
 */
#define FORMAT_NO_ID UINT64_MAX
void format_control(struct buf *out, enum format f, struct str epoch, event_id id, const char *type,
		    struct str data);
/* The reconnection time, as part of the message that format_control() puts next: in a block
 * of its own, clients that hand on every block would take it for an empty event.
 */
void format_retry(struct buf *out, enum format f, int64_t ms);
void format_heartbeat(struct buf *out, enum format f, struct str epoch, event_id id,
		      enum sse_heartbeat kind);

#endif

/* SPDX-License-Identifier: MIT
 *
 * sse - blocks of a Server-Sent Events stream (WHATWG HTML, section 9.2).
 *
 * Names and ids are ours and hold no line end; data may hold anything and is
 * split on LF, CR and CRLF.
 */
#ifndef SLUICE_WIRE_SSE_H
#define SLUICE_WIRE_SSE_H

#include "wire/event_json.h"

/* What `data:` holds. */
enum sse_data {
	SSE_DATA_JSON,    /* an object: time, channel, source, severity, message, fields */
	SSE_DATA_MESSAGE, /* the bare message */
	SSE_DATA_HTML,    /* the same with &, <, > and quotes escaped; a gap is JSON without them */
};

/* What a sign of life looks like. */
enum sse_heartbeat {
	/* A comment for the proxies and an id alone, which moves the client's cursor and
	 * wakes no script ("If the data buffer is an empty string, ... return").
	 */
	SSE_HEARTBEAT_ID,
	/* A "ping" that a script can see. */
	SSE_HEARTBEAT_EVENT,
	/* A comment and an id without an end of their block: for clients that hand on every
	 * block.  One that goes by the book takes the id with the next block.
	 */
	SSE_HEARTBEAT_COMMENT,
};

/* One block; `data` is one line already (JSON is). */
void sse_put_line(struct buf *out, struct str epoch, event_id id, const char *type,
		  struct str data);

/* The reconnection time: the first line of a block that is completed by what follows. */
void sse_put_retry(struct buf *out, int64_t ms);

void sse_put_heartbeat(struct buf *out, struct str epoch, event_id id, enum sse_heartbeat kind);

/* One event of `channel`, whole. */
void sse_put_event(struct buf *out, struct str epoch, struct str channel, const struct event *ev,
		   enum sse_data data);

/* A gap that the hub itself declares. */
void sse_put_gap(struct buf *out, const struct gap *g, struct str epoch);

/* Both without a name.  JSON has the id and the type inside; of a gap, other data is the
 * line that format=text has.
 */
void sse_put_unnamed_event(struct buf *out, struct str epoch, struct str channel,
			   const struct event *ev, enum sse_data data);
void sse_put_unnamed_gap(struct buf *out, const struct gap *g, struct str epoch,
			 enum sse_data data);

#endif

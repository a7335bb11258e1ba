/* SPDX-License-Identifier: MIT
 *
 * event_json - an event, or a gap that the hub declares, as one line of JSON.
 */
#ifndef SLUICE_WIRE_EVENT_JSON_H
#define SLUICE_WIRE_EVENT_JSON_H

#include "wire/record.h"

/* What lies in (from, to] was not sent. */
struct gap {
	struct str channel; /* empty: of all that were asked for */
	event_id from, to;
	event_id at;   /* its place in the order; 0: `to` */
	int64_t count; /* events; negative when it is not known */
	const char *reason;
};

/* {"time":..., "channel":..., ...}; with "id" and "event" before them where no
 * line of the stream carries these.
 */
void event_put_json(struct buf *out, struct str epoch, struct str channel, const struct event *ev,
		    bool is_named);
void gap_put_json(struct buf *out, struct str epoch, const struct gap *g, bool is_named);

/* "emergency" .. "debug" (RFC 5424, section 6.2.1), or NULL. */
const char *severity_name(uint8_t severity);

#endif

/* SPDX-License-Identifier: MIT
 *
 * plain - events as lines of text, for a person with curl.
 *
 *	2026-11-21T12:00:00.000000Z web nginx error upstream timed out
 *
 * Further lines of a message are indented with a tab.  Control characters are shown as
 * \xHH and those of bidirectional text as \uHHHH, so that a log line cannot command the
 * terminal or pass for another one.  Lines that begin with "# " are not events.
 */
#ifndef SLUICE_WIRE_PLAIN_H
#define SLUICE_WIRE_PLAIN_H

#include "wire/event_json.h"

void plain_put_event(struct buf *out, struct str channel, const struct event *ev);
void plain_put_gap(struct buf *out, struct str epoch, const struct gap *g);
void plain_put_control(struct buf *out, struct str epoch, event_id id, const char *type,
		       struct str data);

#endif

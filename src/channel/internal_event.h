/* SPDX-License-Identifier: MIT
 *
 * internal_event - what sluice says of itself, as events on its own channel.
 */
#ifndef SLUICE_CHANNEL_INTERNAL_EVENT_H
#define SLUICE_CHANNEL_INTERNAL_EVENT_H

#include "channel/registry.h"
#include "wire/record.h"

/* One event of `type`; `fields` as field_put() makes them.  What cannot be
 * written is only counted: the log has it too.
 */
void internal_event_publish(struct registry *r, const char *type, int severity, struct str fields,
			    const char *fmt, ...) printf_like(5, 6);

/* Appends a text field. */
void internal_event_put(struct buf *fields, const char *name, const char *value);

#endif

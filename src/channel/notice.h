/* SPDX-License-Identifier: MIT
 *
 * notice - what sluice says of itself, as events on its own channel.
 */
#ifndef SLUICE_CHANNEL_NOTICE_H
#define SLUICE_CHANNEL_NOTICE_H

#include "channel/registry.h"
#include "wire/record.h"

/* One event of `type`; `fields` as field_put() makes them.  What cannot be
 * written is only counted: the log has it too.
 */
void notice(struct registry *r, const char *type, int severity, struct str fields, const char *fmt, ...)
	printf_like(5, 6);

/* Appends a text field. */
void notice_put(struct buf *fields, const char *name, const char *value);

#endif

/* SPDX-License-Identifier: MIT */
#include "channel/internal_event.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "channel/channel.h"

enum { MESSAGE_MAX = 2048 };

void internal_event_put(struct buf *fields, const char *name, const char *value)
{
	field_put(fields, &(struct field){.name = str_of(name),
					  .type = value ? FIELD_STRING : FIELD_NULL,
					  .string = str_of(value)});
}

void internal_event_publish(struct registry *r, const char *type, int severity, struct str fields,
			    const char *fmt, ...)
{
	struct channel *c = registry_channel(r, SETTINGS_OWN_CHANNEL);
	char message[MESSAGE_MAX];
	struct buf record = {0};
	struct channel_taken taken;
	const struct channel_from from = {.source = SETTINGS_OWN_CHANNEL};
	va_list ap;
	va_start(ap, fmt);
	int len = vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	record_put_event(&record, &(struct event){.time_ns = clock_wall_ns(),
						  .severity = (uint8_t)severity,
						  .type = str_of(type),
						  .message = {message, MIN((size_t)MAX(len, 0),
									   sizeof(message) - 1)},
						  .fields = fields});
	if (!c || channel_take(c, &from, buf_str(&record), &taken))
		r->n_internal_lost++;
	buf_fini(&record);
}

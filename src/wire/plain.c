/* SPDX-License-Identifier: MIT */
#include "wire/plain.h"

#include <inttypes.h>

#include "base/timestamp.h"
#include "base/utf8.h"
#include "base/unit.h"
#include "wire/format.h"

/* Further lines are indented. */
static void put_safe(struct buf *out, struct str s)
{
	while (s.len) {
		const char *end = memchr(s.data, '\n', s.len);
		size_t n = end ? (size_t)(end - s.data) : s.len, skip = n + (end != NULL);
		size_t is_crlf = end && n && s.data[n - 1] == '\r';
		utf8_put_visible(out, (struct str){s.data, n - is_crlf});
		if (end)
			buf_puts(out, "\n\t");
		s.data += skip;
		s.len -= skip;
	}
}

void plain_put_event(struct buf *out, struct str channel, const struct event *ev)
{
	const char *severity = severity_name(ev->severity);
	if (ev->flags & EVENT_GAP)
		buf_puts(out, "# gap ");
	timestamp_put(out, ev->time_ns);
	buf_putc(out, ' ');
	buf_put_str(out, channel);
	buf_putc(out, ' ');
	buf_put_str(out, ev->source);
	buf_putc(out, ' ');
	buf_puts(out, severity ? severity : "-");
	buf_putc(out, ' ');
	put_safe(out, ev->message);
	buf_putc(out, '\n');
}

void plain_put_gap(struct buf *out, struct str epoch, const struct gap *g)
{
	buf_puts(out, "# gap ");
	buf_put_str(out, g->channel.len ? g->channel : STR("-"));
	buf_printf(out, " (%s): ", g->reason);
	if (g->count >= 0)
		buf_printf(out, "%" PRId64 " %s ", g->count,
			   plural((uint64_t)g->count, "event", "events"));
	buf_puts(out, "from ");
	buf_put_id(out, epoch, g->from);
	buf_puts(out, " to ");
	buf_put_id(out, epoch, g->to);
	buf_putc(out, '\n');
}

void plain_put_control(struct buf *out, struct str epoch, event_id id, const char *type,
		       struct str data)
{
	buf_printf(out, "# %s", type);
	if (id != FORMAT_NO_ID) {
		buf_putc(out, ' ');
		buf_put_id(out, epoch, id);
	}
	if (data.len > 2) {
		buf_putc(out, ' ');
		put_safe(out, data);
	}
	buf_putc(out, '\n');
}

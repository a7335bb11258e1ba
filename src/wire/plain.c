/* SPDX-License-Identifier: MIT */
#include "wire/plain.h"

#include <inttypes.h>

#include "base/timestamp.h"
#include "wire/format.h"

/* C0 and C1 controls and DEL; a tab is left, a line end indents the next line. */
static void put_safe(struct buf *out, struct str s)
{
	size_t from = 0;
	if (!s.len)
		return;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		bool c1 = c == 0xc2 && i + 1 < s.len && (unsigned char)s.data[i + 1] < 0xa0;
		if ((c >= 0x20 && c != 0x7f && !c1) || c == '\t')
			continue;
		buf_put(out, s.data + from, i - from);
		if (c == '\n')
			buf_puts(out, "\n\t");
		else if (c == '\r' && i + 1 < s.len && s.data[i + 1] == '\n')
			; /* one line end */
		else
			buf_printf(out, "\\x%02x", c1 ? (unsigned char)s.data[i + 1] : c);
		i += c1;
		from = i + 1;
	}
	buf_put(out, s.data + from, s.len - from);
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
		buf_printf(out, "%" PRId64 " events ", g->count);
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

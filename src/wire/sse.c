/* SPDX-License-Identifier: MIT */
#include "wire/sse.h"

#include <errno.h>
#include <stdio.h>

static void put_start(struct buf *out, struct str epoch, event_id id, struct str type)
{
	buf_put(out, "id: ", 4);
	buf_put_id(out, epoch, id);
	buf_put(out, "\nevent: ", 8);
	buf_put_str(out, type);
	buf_put(out, "\ndata: ", 7);
}

void sse_put_line(struct buf *out, struct str epoch, event_id id, const char *type, struct str data)
{
	put_start(out, epoch, id, str_of(type));
	buf_put_str(out, data);
	buf_put(out, "\n\n", 2);
}

void sse_put_retry(struct buf *out, int64_t ms)
{
	buf_printf(out, "retry: %lld\n\n", (long long)ms);
}

void sse_put_heartbeat(struct buf *out, struct str epoch, event_id id, bool is_event)
{
	if (is_event) {
		sse_put_line(out, epoch, id, "ping", STR("{}"));
		return;
	}
	buf_put(out, ":\nid: ", 6);
	buf_put_id(out, epoch, id);
	buf_put(out, "\n\n", 2);
}

static void put_split(struct buf *out, struct str s)
{
	size_t from = 0;
	if (!s.len)
		return;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (c != '\n' && c != '\r')
			continue;
		buf_put(out, s.data + from, i - from);
		buf_put(out, "\ndata: ", 7);
		if (c == '\r' && i + 1 < s.len && s.data[i + 1] == '\n')
			i++;
		from = i + 1;
	}
	buf_put(out, s.data + from, s.len - from);
}

void sse_put_event(struct buf *out, struct str epoch, struct str channel, const struct event *ev,
		   enum sse_data data)
{
	put_start(out, epoch, ev->id, ev->flags & EVENT_GAP ? STR("gap") : ev->type);
	if (data == SSE_DATA_MESSAGE && !(ev->flags & EVENT_GAP))
		put_split(out, ev->message);
	else
		event_put_json(out, epoch, channel, ev, false);
	buf_put(out, "\n\n", 2);
}

void sse_put_gap(struct buf *out, const struct gap *g, struct str epoch)
{
	put_start(out, epoch, g->at ? g->at : g->to, STR("gap"));
	gap_put_json(out, epoch, g, false);
	buf_put(out, "\n\n", 2);
}

/* SPDX-License-Identifier: MIT */
#include "wire/sse.h"

#include <errno.h>
#include <stdio.h>

#include "wire/plain.h"

static void put_id(struct buf *out, struct str epoch, event_id id)
{
	buf_put(out, "id: ", 4);
	buf_put_id(out, epoch, id);
}

static void put_start(struct buf *out, struct str epoch, event_id id, struct str type)
{
	put_id(out, epoch, id);
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
	buf_printf(out, "retry: %lld\n", (long long)ms);
}

void sse_put_heartbeat(struct buf *out, struct str epoch, event_id id, enum sse_heartbeat kind)
{
	if (kind == SSE_HEARTBEAT_EVENT) {
		sse_put_line(out, epoch, id, "ping", STR("{}"));
		return;
	}
	buf_put(out, ":\n", 2);
	put_id(out, epoch, id);
	buf_put(out, "\n\n", kind == SSE_HEARTBEAT_COMMENT ? 1 : 2);
}

static const char *html_escape(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	default: return NULL;
	}
}

/* A line end in it begins another line of data. */
static void put_split(struct buf *out, struct str s, enum sse_data data)
{
	size_t from = 0;
	if (!s.len)
		return;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		bool is_end = c == '\n' || c == '\r';
		const char *instead = is_end                  ? "\ndata: "
				      : data == SSE_DATA_HTML ? html_escape(c)
							      : NULL;
		if (!instead)
			continue;
		buf_put(out, s.data + from, i - from);
		buf_puts(out, instead);
		if (c == '\r' && i + 1 < s.len && s.data[i + 1] == '\n')
			i++;
		from = i + 1;
	}
	buf_put(out, s.data + from, s.len - from);
}

/* JSON that is text for HTML, too: these stand in its strings only. */
static void put_json_for_html(struct buf *out, struct str json)
{
	for (size_t i = 0; i < json.len; i++) {
		if (strchr("<>&'", json.data[i]))
			buf_printf(out, "\\u00%02x", (unsigned)json.data[i]);
		else
			buf_putc(out, json.data[i]);
	}
}

/* A gap of a source tells of names that are not ours, such as those of files. */
static void put_gap_event(struct buf *out, struct str epoch, struct str channel,
			  const struct event *ev, enum sse_data data)
{
	struct buf json = {0};
	event_put_json(&json, epoch, channel, ev, false);
	if (data == SSE_DATA_HTML)
		put_json_for_html(out, buf_str(&json));
	else
		buf_put_str(out, buf_str(&json));
	buf_fini(&json);
}

void sse_put_event(struct buf *out, struct str epoch, struct str channel, const struct event *ev,
		   enum sse_data data)
{
	put_start(out, epoch, ev->id, ev->flags & EVENT_GAP ? STR("gap") : ev->type);
	if (ev->flags & EVENT_GAP)
		put_gap_event(out, epoch, channel, ev, data);
	else if (data != SSE_DATA_JSON)
		put_split(out, ev->message, data);
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

/* The id stands last: some clients take it as soon as its line is there, and must not ask
 * for what is behind an event that they have only half of.
 */
static void end_unnamed(struct buf *out, struct str epoch, event_id id)
{
	buf_putc(out, '\n');
	put_id(out, epoch, id);
	buf_put(out, "\n\n", 2);
}

/* The text line of a gap, as data. */
static void put_plain(struct buf *out, struct buf *line, enum sse_data data)
{
	line->len--; /* its line end */
	put_split(out, buf_str(line), data);
	buf_fini(line);
}

void sse_put_unnamed_event(struct buf *out, struct str epoch, struct str channel,
			   const struct event *ev, enum sse_data data)
{
	struct buf line = {0};
	buf_puts(out, "data: ");
	if (data == SSE_DATA_JSON) {
		event_put_json(out, epoch, channel, ev, true);
	} else if (ev->flags & EVENT_GAP) {
		plain_put_event(&line, channel, ev);
		put_plain(out, &line, data);
	} else {
		put_split(out, ev->message, data);
	}
	end_unnamed(out, epoch, ev->id);
}

void sse_put_unnamed_gap(struct buf *out, const struct gap *g, struct str epoch, enum sse_data data)
{
	struct buf line = {0};
	buf_puts(out, "data: ");
	if (data == SSE_DATA_JSON) {
		gap_put_json(out, epoch, g, true);
	} else {
		plain_put_gap(&line, epoch, g);
		put_plain(out, &line, data);
	}
	end_unnamed(out, epoch, g->at ? g->at : g->to);
}

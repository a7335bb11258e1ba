/* SPDX-License-Identifier: MIT */
#include "wire/format.h"

#include "base/json.h"
#include "wire/plain.h"
#include "wire/sse.h"

#define EVENT_STREAM "text/event-stream"

/* One row for each; `data` of those that are SSE. */
static const struct {
	const char *name, *media_type;
	bool is_sse, is_unnamed, is_batch;
	enum sse_data data;
} formats[] = {
	[FORMAT_SSE] = {"sse", EVENT_STREAM, true, false, false, SSE_DATA_JSON},
	[FORMAT_SSE_MESSAGE] = {"sse", EVENT_STREAM, true, false, false, SSE_DATA_MESSAGE},
	[FORMAT_SSE_HTML] = {"sse", EVENT_STREAM, true, false, false, SSE_DATA_HTML},
	[FORMAT_SSE_BATCH] = {"sse", EVENT_STREAM, true, false, true, SSE_DATA_JSON},
	[FORMAT_SSE_UNNAMED] = {"sse", EVENT_STREAM, true, true, false, SSE_DATA_JSON},
	[FORMAT_SSE_UNNAMED_MESSAGE] = {"sse", EVENT_STREAM, true, true, false, SSE_DATA_MESSAGE},
	[FORMAT_SSE_UNNAMED_HTML] = {"sse", EVENT_STREAM, true, true, false, SSE_DATA_HTML},
	[FORMAT_SSE_UNNAMED_BATCH] = {"sse", EVENT_STREAM, true, true, true, SSE_DATA_JSON},
	[FORMAT_NDJSON] = {"ndjson", "application/x-ndjson"},
	[FORMAT_TEXT] = {"text", "text/plain; charset=utf-8"},
	[FORMAT_PAGE] = {"json", "application/json"},
};

const char *format_media_type(enum format f)
{
	return formats[f].media_type;
}

const char *format_name(enum format f)
{
	return formats[f].name;
}

bool format_is_sse(enum format f)
{
	return formats[f].is_sse;
}

enum format format_unnamed(enum format f)
{
	return f + (FORMAT_SSE_UNNAMED - FORMAT_SSE);
}

/* Whether events of a group are the elements of one array. */
static bool is_array(enum format f)
{
	return formats[f].is_batch || f == FORMAT_PAGE;
}

void format_begin(struct buf *out, enum format f)
{
	if (formats[f].is_batch)
		buf_puts(out, formats[f].is_unnamed ? "data: [" : "event: batch\ndata: [");
	else if (f == FORMAT_PAGE)
		buf_puts(out, "{\"events\":[");
}

void format_end(struct buf *out, enum format f, struct str epoch, event_id last)
{
	if (formats[f].is_batch) {
		buf_puts(out, "]\nid: ");
		buf_put_id(out, epoch, last);
		buf_puts(out, "\n\n");
	} else if (f == FORMAT_PAGE) {
		buf_puts(out, "],\"next\":\"");
		buf_put_id(out, epoch, last);
		buf_puts(out, "\"}\n");
	}
}

/* Those that EventSource uses stand last. */
const char *const format_renamed[] = {
	"event.hello", "event.changed", "event.bye",       "event.busy", "event.ping",
	"event.gap",   "event.batch",   "event.heartbeat", "event.page", "event.progress",
	"event.done",  "event.open",    "event.error",     NULL};

struct str format_type(struct str type)
{
	enum { PREFIX = 6 }; /* "event." */
	for (size_t i = 0; type.len && format_renamed[i]; i++) {
		const char *own = format_renamed[i] + PREFIX;
		/* This is asked of every event. */
		if (own[0] == type.data[0] && str_is(type, own))
			return str_of(format_renamed[i]);
	}
	return type;
}

void format_event(struct buf *out, enum format f, struct str epoch, struct str channel,
		  const struct event *ev, bool is_first)
{
	if (is_array(f)) {
		buf_puts(out, is_first ? "" : ",");
		event_put_json(out, epoch, channel, ev, true);
	} else if (formats[f].is_unnamed) {
		sse_put_unnamed_event(out, epoch, channel, ev, formats[f].data);
	} else if (formats[f].is_sse) {
		sse_put_event(out, epoch, channel, ev, formats[f].data);
	} else if (f == FORMAT_TEXT) {
		plain_put_event(out, channel, ev);
	} else {
		event_put_json(out, epoch, channel, ev, true);
		buf_putc(out, '\n');
	}
}

void format_gap(struct buf *out, enum format f, struct str epoch, const struct gap *g,
		bool is_first)
{
	if (is_array(f)) {
		buf_puts(out, is_first ? "" : ",");
		gap_put_json(out, epoch, g, true);
	} else if (formats[f].is_unnamed) {
		sse_put_unnamed_gap(out, g, epoch, formats[f].data);
	} else if (formats[f].is_sse) {
		sse_put_gap(out, g, epoch);
	} else if (f == FORMAT_TEXT) {
		plain_put_gap(out, epoch, g);
	} else {
		gap_put_json(out, epoch, g, true);
		buf_putc(out, '\n');
	}
}

/* {"id":...,"event":TYPE, and what stands in `data`} */
static void put_json_line(struct buf *out, struct str epoch, event_id id, const char *type,
			  struct str data)
{
	struct json j = {out, false};
	char text[ID_TEXT_MAX];
	json_open(&j, NULL, '{');
	if (id != FORMAT_NO_ID)
		json_str(&j, "id", (struct str){text, id_put(text, epoch, id)});
	json_cstr(&j, "event", type);
	if (data.len > 2) {
		buf_putc(out, ',');
		buf_put(out, data.data + 1, data.len - 2);
	}
	buf_puts(out, "}\n");
}

void format_control(struct buf *out, enum format f, struct str epoch, event_id id, const char *type,
		    struct str data)
{
	if (formats[f].is_sse && id != FORMAT_NO_ID)
		sse_put_line(out, epoch, id, type, data);
	else if (formats[f].is_sse)
		buf_printf(out, "event: %s\ndata: %.*s\n\n", type, (int)data.len, data.data);
	else if (f == FORMAT_NDJSON)
		put_json_line(out, epoch, id, type, data);
	else if (f == FORMAT_TEXT)
		plain_put_control(out, epoch, id, type, data);
	/* FORMAT_PAGE: a document has no room for it */
}

void format_retry(struct buf *out, enum format f, int64_t ms)
{
	if (format_is_sse(f))
		sse_put_retry(out, ms);
}

void format_heartbeat(struct buf *out, enum format f, struct str epoch, event_id id,
		      enum sse_heartbeat kind)
{
	if (format_is_sse(f))
		sse_put_heartbeat(out, epoch, id, kind);
	else
		format_control(out, f, epoch, id, "ping", STR("{}"));
}

/* SPDX-License-Identifier: MIT */
#include "wire/format.h"

#include "base/json.h"
#include "wire/plain.h"
#include "wire/sse.h"

static const struct {
	const char *name, *media_type;
} formats[] = {
	[FORMAT_SSE] = {"sse", "text/event-stream"},
	[FORMAT_SSE_MESSAGE] = {"sse", "text/event-stream"},
	[FORMAT_SSE_BATCH] = {"sse", "text/event-stream"},
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
	return f <= FORMAT_SSE_BATCH;
}

void format_begin(struct buf *out, enum format f)
{
	if (f == FORMAT_SSE_BATCH)
		buf_puts(out, "event: batch\ndata: [");
	else if (f == FORMAT_PAGE)
		buf_puts(out, "{\"events\":[");
}

void format_end(struct buf *out, enum format f, struct str epoch, event_id last)
{
	if (f == FORMAT_SSE_BATCH) {
		buf_puts(out, "]\nid: ");
		buf_put_id(out, epoch, last);
		buf_puts(out, "\n\n");
	} else if (f == FORMAT_PAGE) {
		buf_puts(out, "],\"next\":\"");
		buf_put_id(out, epoch, last);
		buf_puts(out, "\"}\n");
	}
}

struct str format_type(struct str type)
{
	static const char prefix[] = "event.";
	static const char *const ours[] = {"event.hello", "event.bye",     "event.busy",
					   "event.ping",  "event.changed", "event.batch",
					   "event.gap",   "event.error"};
	if (!type.len || !strchr("bceghp", type.data[0]))
		return type; /* nearly all */
	for (size_t i = 0; i < array_size(ours); i++)
		if (str_is(type, ours[i] + strlen(prefix)))
			return str_of(ours[i]);
	return type;
}

void format_event(struct buf *out, enum format f, struct str epoch, struct str channel,
		  const struct event *ev, bool is_first)
{
	switch (f) {
	case FORMAT_SSE: sse_put_event(out, epoch, channel, ev, SSE_DATA_JSON); break;
	case FORMAT_SSE_MESSAGE: sse_put_event(out, epoch, channel, ev, SSE_DATA_MESSAGE); break;
	case FORMAT_TEXT: plain_put_event(out, channel, ev); break;
	case FORMAT_NDJSON:
		event_put_json(out, epoch, channel, ev, true);
		buf_putc(out, '\n');
		break;
	case FORMAT_SSE_BATCH:
	case FORMAT_PAGE:
		buf_puts(out, is_first ? "" : ",");
		event_put_json(out, epoch, channel, ev, true);
		break;
	}
}

void format_gap(struct buf *out, enum format f, struct str epoch, const struct gap *g,
		bool is_first)
{
	switch (f) {
	case FORMAT_SSE:
	case FORMAT_SSE_MESSAGE: sse_put_gap(out, g, epoch); break;
	case FORMAT_TEXT: plain_put_gap(out, epoch, g); break;
	case FORMAT_NDJSON:
		gap_put_json(out, epoch, g, true);
		buf_putc(out, '\n');
		break;
	case FORMAT_SSE_BATCH:
	case FORMAT_PAGE:
		buf_puts(out, is_first ? "" : ",");
		gap_put_json(out, epoch, g, true);
		break;
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
	switch (f) {
	case FORMAT_SSE:
	case FORMAT_SSE_MESSAGE:
	case FORMAT_SSE_BATCH:
		if (id != FORMAT_NO_ID)
			sse_put_line(out, epoch, id, type, data);
		else
			buf_printf(out, "event: %s\ndata: %.*s\n\n", type, (int)data.len,
				   data.data);
		break;
	case FORMAT_NDJSON: put_json_line(out, epoch, id, type, data); break;
	case FORMAT_TEXT: plain_put_control(out, epoch, id, type, data); break;
	case FORMAT_PAGE: break; /* a document has no room for it */
	}
}

void format_retry(struct buf *out, enum format f, int64_t ms)
{
	if (format_is_sse(f))
		sse_put_retry(out, ms);
}

void format_heartbeat(struct buf *out, enum format f, struct str epoch, event_id id, bool is_event)
{
	if (format_is_sse(f))
		sse_put_heartbeat(out, epoch, id, is_event);
	else
		format_control(out, f, epoch, id, "ping", STR("{}"));
}

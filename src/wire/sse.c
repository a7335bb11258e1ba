/* SPDX-License-Identifier: MIT */
#include "wire/sse.h"

#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "base/timestamp.h"

const char *severity_name(uint8_t severity)
{
	static const char *const names[] = {"emergency", "alert",  "critical", "error",
					    "warning",   "notice", "info",     "debug"};
	return severity < array_size(names) ? names[severity] : NULL;
}

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

void sse_put_heartbeat(struct buf *out, struct str epoch, event_id id)
{
	buf_put(out, ":\nid: ", 6);
	buf_put_id(out, epoch, id);
	buf_put(out, "\n\n", 2);
}

static void put_fields(struct json *j, struct str fields)
{
	struct field f;
	json_open(j, "fields", '{');
	while (field_next(&fields, &f) == 1) {
		char name[256];
		size_t n = MIN(f.name.len, sizeof(name) - 1);
		memcpy(name, f.name.data, n);
		name[n] = 0;
		switch (f.type) {
		case FIELD_STRING: json_str(j, name, f.string); break;
		case FIELD_JSON: json_raw(j, name, f.string); break;
		case FIELD_INT: json_int(j, name, f.integer); break;
		case FIELD_DOUBLE: json_double(j, name, f.number); break;
		case FIELD_BOOL: json_bool(j, name, f.integer != 0); break;
		case FIELD_NULL: json_null(j, name); break;
		}
	}
	json_close(j, '}');
}

/* The fixed keys are written by hand: this is the one renderer that every
 * event of a view passes through.
 */
void sse_put_json(struct buf *out, struct str epoch, struct str channel, const struct event *ev)
{
	buf_put(out, "{\"time\":\"", 9);
	timestamp_put(out, ev->time_ns);
	buf_put(out, "\",\"channel\":", 12);
	json_put_string(out, channel);
	buf_put(out, ",\"source\":", 10);
	json_put_string(out, ev->source);
	struct json j = {out, true};
	if (ev->severity != SEVERITY_NONE)
		json_cstr(&j, "severity", severity_name(ev->severity));
	if (ev->flags & EVENT_PARTIAL)
		json_bool(&j, "partial", true);
	if (ev->flags & EVENT_TRUNCATED)
		json_bool(&j, "truncated", true);
	if (ev->flags & EVENT_GAP) {
		char id[ID_TEXT_MAX];
		struct str text = {id, id_put(id, epoch, ev->id)};
		json_str(&j, "from", text);
		json_str(&j, "to", text);
		struct str rest = ev->fields;
		struct field f;
		while (field_next(&rest, &f) == 1) {
			if (str_is(f.name, "reason") && f.type == FIELD_STRING)
				json_str(&j, "reason", f.string);
			if (str_is(f.name, "count") && f.type == FIELD_INT)
				json_int(&j, "count", f.integer);
		}
	}
	buf_put(out, ",\"message\":", 11);
	json_put_string(out, ev->message);
	if (ev->fields.len)
		put_fields(&j, ev->fields);
	buf_putc(out, '}');
}

static void put_split(struct buf *out, struct str s)
{
	size_t from = 0;
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
		sse_put_json(out, epoch, channel, ev);
	buf_put(out, "\n\n", 2);
}

void sse_put_gap(struct buf *out, struct str epoch, struct str channel, event_id from, event_id to,
		 int64_t count, const char *reason)
{
	put_start(out, epoch, to, STR("gap"));
	struct json j = {out, false};
	char id[ID_TEXT_MAX];
	json_open(&j, NULL, '{');
	if (channel.len)
		json_str(&j, "channel", channel);
	json_str(&j, "from", (struct str){id, id_put(id, epoch, from)});
	json_str(&j, "to", (struct str){id, id_put(id, epoch, to)});
	if (count < 0)
		json_null(&j, "count");
	else
		json_int(&j, "count", count);
	json_cstr(&j, "reason", reason);
	json_close(&j, '}');
	buf_put(out, "\n\n", 2);
}

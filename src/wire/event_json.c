/* SPDX-License-Identifier: MIT */
#include "wire/event_json.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"

const char *severity_name(uint8_t severity)
{
	static const char *const names[] = {"emergency", "alert",  "critical", "error",
					    "warning",   "notice", "info",     "debug"};
	return severity < array_size(names) ? names[severity] : NULL;
}

static void put_fields(struct json *j, struct str fields)
{
	struct field f;
	json_open(j, "fields", '{');
	while (field_next(&fields, &f) == 1) {
		char usual[128];
		char *name = f.name.len < sizeof(usual) ? usual : mem_zero(f.name.len + 1);
		memcpy(name, f.name.data, f.name.len);
		name[f.name.len] = 0;
		switch (f.type) {
		case FIELD_STRING: json_str(j, name, f.string); break;
		case FIELD_JSON: json_raw(j, name, f.string); break;
		case FIELD_INT: json_int(j, name, f.integer); break;
		case FIELD_DOUBLE: json_double(j, name, f.number); break;
		case FIELD_BOOL: json_bool(j, name, f.integer != 0); break;
		case FIELD_NULL: json_null(j, name); break;
		}
		if (name != usual)
			free(name);
	}
	json_close(j, '}');
}

static void put_name(struct buf *out, struct str epoch, event_id id, struct str type)
{
	buf_put(out, "\"id\":\"", 6);
	buf_put_id(out, epoch, id);
	buf_put(out, "\",\"event\":\"", 11);
	buf_put_str(out, type);
	buf_put(out, "\",", 2);
}

/* The fixed keys are written by hand: this is the one renderer that every
 * event of a view passes through.
 */
void event_put_json(struct buf *out, struct str epoch, struct str channel, const struct event *ev,
		    bool is_named)
{
	buf_putc(out, '{');
	if (is_named)
		put_name(out, epoch, ev->id, ev->flags & EVENT_GAP ? STR("gap") : ev->type);
	buf_put(out, "\"time\":\"", 8);
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

void gap_put_json(struct buf *out, struct str epoch, const struct gap *g, bool is_named)
{
	char id[ID_TEXT_MAX];
	buf_putc(out, '{');
	if (is_named) {
		put_name(out, epoch, g->at ? g->at : g->to, STR("gap"));
		out->len--; /* the comma is the writer's */
	}
	struct json j = {out, is_named};
	if (g->channel.len)
		json_str(&j, "channel", g->channel);
	json_str(&j, "from", (struct str){id, id_put(id, epoch, g->from)});
	json_str(&j, "to", (struct str){id, id_put(id, epoch, g->to)});
	if (g->count < 0)
		json_null(&j, "count");
	else
		json_int(&j, "count", g->count);
	json_cstr(&j, "reason", g->reason);
	buf_putc(out, '}');
}

/* SPDX-License-Identifier: MIT */
#include "host/emission.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

enum {
	FIELDS_BYTES_MAX = 512 * 1024, /* of all of an event; the hub takes twice that */
	FIELD_NAME_MAX = 1024,
};

static enum field_type field_type_of(enum sluice_type type)
{
	switch (type) {
	case SLUICE_INT: return FIELD_INT;
	case SLUICE_BOOL: return FIELD_BOOL;
	case SLUICE_DOUBLE: return FIELD_DOUBLE;
	case SLUICE_STRING: return FIELD_STRING;
	case SLUICE_JSON: return FIELD_JSON;
	default: return FIELD_NULL;
	}
}

/* The fields as bytes, and whether all had room. */
static bool put_fields(struct host *h, const struct sluice_event *in)
{
	size_t stride = h->plugin.sizes.value;
	bool whole = in->n_fields <= FIELDS_MAX;
	h->fields.len = 0;
	for (size_t i = 0; i < in->n_fields && i < FIELDS_MAX; i++) {
		const struct sluice_value *v =
			(const void *)((const char *)in->fields + i * stride);
		struct field f = {.name = str_of(v->name),
				  .type = field_type_of(v->type),
				  .string = {v->string, v->string_len},
				  .integer = v->integer,
				  .number = v->number};
		size_t room = FIELDS_BYTES_MAX - MIN(h->fields.len, (size_t)FIELDS_BYTES_MAX);
		if (!f.name.len || f.name.len > FIELD_NAME_MAX || room < f.name.len + 16) {
			whole = whole && !f.name.len;
			continue;
		}
		if (f.string.len > room - f.name.len - 16) {
			whole = false;
			f.string.len = utf8_cut(f.string, room - f.name.len - 16);
			if (f.type == FIELD_JSON)
				f.type = FIELD_STRING;
		}
		field_put(&h->fields, &f);
		/* One value is one line; between the tokens of JSON it makes no difference. */
		for (size_t k = 0; f.type == FIELD_JSON && k < f.string.len; k++) {
			char *c = h->fields.data + h->fields.len - f.string.len + k;
			if (*c == '\n' || *c == '\r')
				*c = ' ';
		}
	}
	return whole;
}

static void settle(struct host *h)
{
	int ignored = uplink_settle(&h->up);
	(void)ignored;
}

/* A plugin's mistake is told to it, and to the log: once, for it may be in a loop. */
static int mistake(struct host *h, const char *what, const char *of)
{
	char message[200];
	snprintf(message, sizeof(message), HOST_MISTAKE "%s (%.64s): rejected", what, of);
	if (!h->has_mistaken)
		host_log(&h->src, SLUICE_LOG_ERROR, message);
	h->has_mistaken = true;
	return -EINVAL;
}

static int check_cursor(struct host *h, const struct sluice_cursor *c)
{
	if (!c->key_len || c->key_len > CURSOR_KEY_MAX)
		return mistake(h, "a cursor's key must have 1 to 256 bytes", "see sluice-plugin.h");
	if (c->value_len > CURSOR_VALUE_MAX)
		return mistake(h, "a cursor's value must have at most 8192 bytes",
			       "see sluice-plugin.h");
	return 0;
}

/* Looked at for every event. */
static bool is_type(const char *s)
{
	size_t n = 0;
	for (; s[n] && n <= NAME_MAX_LEN; n++)
		if (!((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= '0' && s[n] <= '9') || s[n] == '_' ||
		      s[n] == '.' || s[n] == '-'))
			return false;
	return n && n <= NAME_MAX_LEN;
}

static int check_event(struct host *h, const struct sluice_event *ev)
{
	if (!ev->type || !is_type(ev->type))
		return mistake(h, "an event's type must be [a-z0-9_.-]{1,64}",
			       ev->type ? ev->type : "NULL");
	return ev->cursor ? check_cursor(h, ev->cursor) : 0;
}

/* To the microsecond, as times are shown: what is finer compresses badly. */
static int64_t now_ns(void)
{
	int64_t ns = clock_wall_ns();
	return ns - ns % 1000;
}

int host_emit(struct sluice_source *src, const struct sluice_event *in)
{
	struct host *h = host_of(src);
	if (h->up.stopping && !(in->flags & SLUICE_LAST_WORDS))
		return -ECANCELED;
	int r = check_event(h, in);
	if (r)
		return r;
	if ((in->flags & SLUICE_NOWAIT) && uplink_is_full(&h->up)) {
		uplink_hear(&h->up, false);
		if (uplink_is_full(&h->up))
			return -EAGAIN;
	}
	struct event ev = {
		.time_ns = in->time_ns > 0 ? in->time_ns : now_ns(),
		.severity = in->severity >= 0 && in->severity <= 7 ? (uint8_t)in->severity
								   : SEVERITY_NONE,
		.flags = (uint8_t)in->flags,
		.type = str_of(in->type),
		.message = {in->body, in->body_len},
	};
	if (in->n_fields) {
		if (!put_fields(h, in))
			ev.flags |= EVENT_TRUNCATED;
		ev.fields = buf_str(&h->fields);
	}
	if (h->opening.event_size && ev.message.len > h->opening.event_size) {
		ev.message.len = utf8_cut(ev.message, h->opening.event_size);
		ev.flags |= EVENT_TRUNCATED;
	}
	uplink_put_event(&h->up, &ev);
	if (in->cursor)
		uplink_put_cursor(&h->up, (struct str){in->cursor->key, in->cursor->key_len},
				  (struct str){in->cursor->value, in->cursor->value_len});
	/* It is taken, whatever comes of the waiting; the next one may not be. */
	if (!(in->flags & SLUICE_NOWAIT) || !uplink_is_full(&h->up))
		settle(h);
	return 0;
}

int host_commit(struct sluice_source *src, const struct sluice_cursor *c)
{
	struct host *h = host_of(src);
	if (h->up.stopping)
		return -ECANCELED;
	int r = check_cursor(h, c);
	if (r)
		return r;
	uplink_put_cursor(&h->up, (struct str){c->key, c->key_len},
			  (struct str){c->value, c->value_len});
	settle(h);
	return 0;
}

int host_cursor(struct sluice_source *src, size_t i, struct sluice_cursor *ret)
{
	struct str rest = host_of(src)->opening.cursors;
	struct record rec;
	for (; record_next(&rest, &rec) == 1; i--) {
		if (i)
			continue;
		*ret = (struct sluice_cursor){rec.cursor.key.data, rec.cursor.key.len,
					      rec.cursor.value.data, rec.cursor.value.len};
		return 0;
	}
	return -ENOENT;
}

/* SPDX-License-Identifier: MIT */
#include "emit.h"

#include <string.h>

#include "common/ansi.h"
#include "common/jsonline.h"
#include "common/severity.h"
#include "parse.h"

static struct sluice_cursor cursor_of(const struct file *f, char value[POSITION_VALUE_MAX])
{
	const struct origin o = {f->origin,  f->place,       f->born_ns,
				 f->lost_ns, f->was_born_ns, f->was_mtime_ns};
	return (struct sluice_cursor){f->key, strlen(f->key), value,
				      position_encode(&f->at, &o, value)};
}

int emit_cursor(struct state *s, struct file *f)
{
	char value[POSITION_VALUE_MAX];
	struct sluice_cursor c = cursor_of(f, value);
	return s->src->host->commit(s->src, &c);
}

static void strip_text(struct state *s, const char **p, size_t *n)
{
	char *out = ansi_is_there(*p, *n) ? fields_alloc(&s->fields, *n) : NULL;
	if (!out)
		return;
	*n = ansi_strip(*p, *n, out);
	*p = out;
}

/* The line has no escape sequences any more, but JSON can have written \u001b. */
static void strip_parsed(struct state *s, struct parsed *p)
{
	strip_text(s, &p->message, &p->message_len);
	for (size_t i = 0; i < s->fields.n; i++) {
		struct sluice_value *v = &s->fields.all[i];
		if (v->type == SLUICE_STRING)
			strip_text(s, &v->string, &v->string_len);
	}
}

/* What is known of the container, and what it says itself. */
static void put_container(struct state *s, struct file *f, const struct wrapping *w)
{
	if (!f->container) {
		f->container = must(calloc(1, sizeof(*f->container)));
		container_learn(f->container, f->path);
		container_learn(f->container, f->origin);
	}
	container_refresh(f->container);
	fields_cstr(&s->fields, "log.iostream", container_stream_name(w->stream));
	container_put(f->container, &s->fields);
	if (w->attrs)
		jsonline_put_object(w->attrs, w->attrs_len, "attrs", &s->fields);
}

/* A form that fits no line at all is likely to be the wrong one. */
static void tell_unparsed(struct state *s, const struct file *f, const char *option)
{
	enum { ENOUGH = 10 };
	s->n_unparsed++;
	if (s->n_unparsed != ENOUGH || s->n_lines + 1 != ENOUGH)
		return;
	say(s->src, SLUICE_LOG_WARNING,
	    "%s: none of the first %d lines has the form \"%s\"; the newest is of %s (they are "
	    "emitted as they are, with the field unparsed; sluice-file(7) lists the forms)",
	    option, ENOUGH, s->src->host->option(s->src, option, 0), f->path);
}

int emit_line(struct state *s, struct file *f, const char *line, size_t len, uint32_t flags,
	      uint64_t size, const struct wrapping *w)
{
	char value[POSITION_VALUE_MAX];
	struct parsed p = {.severity = SLUICE_NO_SEVERITY, .message = line, .message_len = len};
	fields_reset(&s->fields);
	if (s->options.path_field[0])
		fields_cstr(&s->fields, s->options.path_field, f->path);
	if (flags & SLUICE_TRUNCATED)
		fields_int(&s->fields, "log.record.size", (int64_t)size);
	if (w)
		put_container(s, f, w);
	bool is_parsed = s->options.has_containers && !w ? false : parse_line(s, line, len, &p);
	if (!is_parsed) {
		fields_bool(&s->fields, "unparsed", true);
		tell_unparsed(s, f, w ? "parse_message" : "parse");
	}
	if (p.has_bad_time && !p.time_ns) {
		fields_bool(&s->fields, "time_unparsed", true);
		s->n_bad_times++;
	}
	if (s->options.strip_ansi && s->options.parse != PARSE_NONE)
		strip_parsed(s, &p);
	if (p.severity == SLUICE_NO_SEVERITY && s->options.detect_severity)
		p.severity = severity_detect(p.message, p.message_len);
	if (s->fields.n_dropped)
		flags |= SLUICE_TRUNCATED;
	struct sluice_cursor c = cursor_of(f, value);
	struct sluice_event ev = {
		.type = "line",
		.time_ns = p.time_ns || !w ? p.time_ns : w->time_ns,
		.severity = p.severity,
		.flags = flags,
		.body = p.message,
		.body_len = p.message_len,
		.fields = s->fields.all,
		.n_fields = s->fields.n,
		.cursor = &c,
	};
	s->n_lines++;
	return s->src->host->emit(s->src, &ev);
}

int emit_gap(struct state *s, struct file *f, const char *reason, const char *message)
{
	char value[POSITION_VALUE_MAX];
	struct sluice_value field = {.name = "reason",
				     .type = SLUICE_STRING,
				     .string = reason,
				     .string_len = strlen(reason)};
	struct sluice_cursor c = cursor_of(f, value);
	struct sluice_event ev = {
		.type = "gap",
		.severity = SLUICE_NO_SEVERITY,
		.flags = SLUICE_GAP,
		.body = message,
		.body_len = strlen(message),
		.fields = &field,
		.n_fields = 1,
		.cursor = &c,
	};
	return s->src->host->emit(s->src, &ev);
}

int emit_emptied(struct state *s, struct file *f)
{
	char message[768];
	snprintf(message, sizeof(message),
		 "%s was truncated: lines written after it was last read (or copied) are lost, if "
		 "there were any",
		 f->path);
	s->n_truncated++;
	return emit_gap(s, f, "truncated", message);
}

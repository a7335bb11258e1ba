/* SPDX-License-Identifier: MIT */
#include "hub/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "channel/channel.h"

/* ---- the known form: a line for the version, each type, each field -------------------- */

struct known {
	long major, minor;
	char *lines; /* "type NAME VERSION\n", "field TYPE NAME KIND\n"; owned, may be NULL */
};

static const char *kind_of(enum sluice_type type)
{
	switch (type) {
	case SLUICE_BOOL: return "boolean";
	case SLUICE_INT: return "integer";
	case SLUICE_DOUBLE: return "number";
	case SLUICE_STRING: return "string";
	default: return "any";
	}
}

/* Types of several sources of one channel are one: the fields of all. */
static void put_form(struct buf *out, const struct settings *s, const char *channel)
{
	struct buf line = {0};
	for (size_t i = 0; i < s->n_sources; i++) {
		const struct source_settings *src = &s->sources[i];
		if (!src->channel || strcmp(src->channel, channel) != 0)
			continue;
		for (size_t t = 0; t < src->n_types; t++) {
			const struct type_settings *type = &src->types[t];
			line.len = 0;
			buf_printf(&line, "type %s %u\n", type->name, type->version);
			if (!strstr(buf_text(out), buf_text(&line)))
				buf_put_str(out, buf_str(&line));
			for (size_t f = 0; f < type->n_fields; f++) {
				line.len = 0;
				buf_printf(&line, "field %s %s %s\n", type->name,
					   type->fields[f].name, kind_of(type->fields[f].type));
				if (!strstr(buf_text(out), buf_text(&line)))
					buf_put_str(out, buf_str(&line));
			}
		}
	}
	buf_fini(&line);
}

static struct known read_known(const char *state_dir, const char *channel)
{
	struct known k = {0};
	char *path = mem_printf("%s/schema/%s", state_dir, channel);
	FILE *f = fopen(path, "re");
	struct buf text = {0};
	size_t n;
	while (f && (n = fread(buf_reserve(&text, 4096), 1, 4096, f)) > 0)
		text.len += n;
	int at = 0;
	if (f && sscanf(buf_text(&text), "version %ld.%ld\n%n", &k.major, &k.minor, &at) == 2 && at)
		k.lines = mem_strdup(text.data + at);
	if (f)
		fclose(f);
	buf_fini(&text);
	free(path);
	return k;
}

/* ---- what has changed ---------------------------------------------------------------------- */

/* The version of a type in lines, or -1. */
static long version_in(const char *lines, const char *type)
{
	char *start = mem_printf("type %s ", type);
	long version = -1;
	const char *at = strstr(lines, start);
	if (at)
		version = strtol(at + strlen(start), NULL, 10);
	free(start);
	return version;
}

/* What one old line has become, when that is for the worse. */
static int compare_line(const char *line, const char *fresh, const char *channel, struct buf *out)
{
	char type[80], name[300], kind[16];
	long version;
	if (sscanf(line, "type %79s %ld", type, &version) == 2) {
		if (version_in(fresh, type) >= version)
			return 0;
		buf_printf(out,
			   version_in(fresh, type) < 0
				   ? "channel %s: its events of type \"%s\" are gone\n"
				   : "channel %s: type \"%s\" has gone back to an older version\n",
			   channel, type);
		return 1;
	}
	if (sscanf(line, "field %79s %299s %15s", type, name, kind) != 3 ||
	    version_in(fresh, type) < 0)
		return 0; /* told by the type */
	char *same = mem_printf("field %s %s %s\n", type, name, kind);
	char *other = mem_printf("field %s %s ", type, name);
	const char *now = strstr(fresh, other);
	int worse = !strstr(fresh, same);
	if (worse && now)
		buf_printf(out, "channel %s: field \"%s\" of type \"%s\" was %s and is now %.*s\n",
			   channel, name, type, kind, (int)strcspn(now + strlen(other), "\n"),
			   now + strlen(other));
	else if (worse)
		buf_printf(out, "channel %s: field \"%s\" of type \"%s\" is gone\n", channel, name,
			   type);
	free(same);
	free(other);
	return worse;
}

static int compare(const char *lines, const char *fresh, const char *channel, struct buf *out)
{
	int n = 0;
	for (const char *p = lines; p && *p;) {
		const char *end = strchrnul(p, '\n');
		char *line = mem_strndup(p, (size_t)(end - p));
		n += compare_line(line, fresh, channel, out);
		free(line);
		p = *end ? end + 1 : end;
	}
	return n;
}

int schema_compare(const struct settings *s, const char *state_dir, struct buf *out)
{
	int n = 0;
	for (size_t i = 0; i < s->n_channels; i++) {
		struct known k = read_known(state_dir, s->channels[i].name);
		struct buf form = {0};
		put_form(&form, s, s->channels[i].name);
		n += compare(k.lines, buf_text(&form), s->channels[i].name, out);
		buf_fini(&form);
		free(k.lines);
	}
	return n;
}

static int write_known(const char *state_dir, const char *channel, const struct known *k,
		       struct str form)
{
	char *path = mem_printf("%s/schema/%s", state_dir, channel);
	char *fresh = mem_printf("%s.new", path);
	FILE *f = fopen(fresh, "we");
	int r = f ? 0 : -errno;
	if (f) {
		fprintf(f, "version %ld.%ld\n%.*s", k->major, k->minor, (int)form.len,
			form.len ? form.data : "");
		if (fclose(f) || rename(fresh, path))
			r = -errno;
	}
	free(path);
	free(fresh);
	return r;
}

/* A source whose plugin could not be asked says nothing. */
static bool is_known(const struct settings *s, const char *channel)
{
	for (size_t i = 0; i < s->n_sources; i++)
		if (s->sources[i].trouble && strcmp(s->sources[i].channel, channel) == 0)
			return false;
	return true;
}

static void note_channel(struct hub *h, const char *name)
{
	if (!is_known(h->settings, name))
		return;
	const char *dir = h->settings->hub.state_dir;
	struct known k = read_known(dir, name);
	struct buf form = {0}, changes = {0};
	put_form(&form, h->settings, name);
	buf_text(&form);
	if (k.lines && strcmp(k.lines, form.data) == 0) {
		free(k.lines);
		buf_fini(&form);
		return;
	}
	int worse = compare(k.lines, form.data, name, &changes);
	if (!k.lines) {
		k.major = 1;
	} else if (worse) {
		k.major++;
		k.minor = 0;
	} else {
		k.minor++;
	}
	if (worse)
		log_warning(
			"the events of a channel have changed in a way that clients may stumble "
			"over (its schema is %ld.%ld now): %s",
			k.major, k.minor, buf_text(&changes));
	int r = write_known(dir, name, &k, buf_str(&form));
	if (r)
		log_warning("%s/schema/%s: %s (the version of this channel's schema is not kept)",
			    dir, name, strerror(-r));
	free(k.lines);
	buf_fini(&changes);
	buf_fini(&form);
}

void schema_note(struct hub *h)
{
	char *dir = mem_printf("%s/schema", h->settings->hub.state_dir);
	int r = fd_make_dirs(dir);
	if (r)
		log_warning("%s: %s", dir, strerror(-r));
	for (size_t i = 0; !r && i < h->settings->n_channels; i++)
		if (!h->settings->channels[i].n_from)
			note_channel(h, h->settings->channels[i].name);
	free(dir);
}

/* ---- as JSON Schema ------------------------------------------------------------------------- */

static void put_field(struct json *j, const struct field_settings *f)
{
	const char *kind = kind_of(f->type);
	json_open(j, f->name, '{');
	if (strcmp(kind, "any") != 0) {
		json_open(j, "type", '[');
		json_cstr(j, NULL, kind);
		json_cstr(j, NULL, "null");
		json_close(j, ']');
	}
	if (f->doc && *f->doc)
		json_cstr(j, "description", f->doc);
	if (f->unit)
		json_cstr(j, "x-unit", f->unit);
	json_close(j, '}');
}

static bool has_field(const struct json *j, size_t from, const char *name)
{
	struct buf key = {0};
	json_put_string(&key, str_of(name));
	buf_puts(&key, ":{");
	bool has = memmem(j->out->data + from, j->out->len - from, key.data, key.len) != NULL;
	buf_fini(&key);
	return has;
}

/* One type, with the fields that any of the sources says it has. */
static void put_type(struct hub *h, struct json *j, const char *const *channels, size_t n,
		     const struct type_settings *type)
{
	json_open(j, type->name, '{');
	json_cstr(j, "type", "object");
	if (type->doc)
		json_cstr(j, "description", type->doc);
	json_int(j, "x-version", type->version);
	json_open(j, "properties", '{');
	json_open(j, "fields", '{');
	json_cstr(j, "type", "object");
	json_open(j, "properties", '{');
	size_t from = j->out->len;
	for (size_t i = 0; i < h->settings->n_sources; i++) {
		const struct source_settings *src = &h->settings->sources[i];
		bool is_of = false;
		for (size_t c = 0; c < n; c++)
			is_of |= strcmp(src->channel, channels[c]) == 0;
		for (size_t t = 0; is_of && t < src->n_types; t++)
			for (size_t f = 0; f < src->types[t].n_fields; f++)
				if (strcmp(src->types[t].name, type->name) == 0 &&
				    !has_field(j, from, src->types[t].fields[f].name))
					put_field(j, &src->types[t].fields[f]);
	}
	for (int i = 0; i < 4; i++)
		json_close(j, '}');
}

static void put_common(struct json *j)
{
	static const struct {
		const char *name, *type, *doc;
	} members[] = {
		{"time", "string", "when it happened (RFC 3339, UTC)"},
		{"channel", "string", "the channel that it was published in"},
		{"source", "string", "the source that it came from"},
		{"severity", "string",
		 "emergency, alert, critical, error, warning, notice, info or debug"},
		{"message", "string", "the text"},
		{"partial", "boolean", "a piece of something longer"},
		{"truncated", "boolean", "the message was cut"},
		{"fields", "object", "what this type of event has beside that"},
	};
	json_open(j, "properties", '{');
	for (size_t i = 0; i < array_size(members); i++) {
		json_open(j, members[i].name, '{');
		json_cstr(j, "type", members[i].type);
		if (i == 0)
			json_cstr(j, "format", "date-time");
		json_cstr(j, "description", members[i].doc);
		json_close(j, '}');
	}
	json_close(j, '}');
	json_open(j, "required", '[');
	for (const char *const *name =
		     (const char *const[]){"time", "channel", "source", "message", NULL};
	     *name; name++)
		json_cstr(j, NULL, *name);
	json_close(j, ']');
}

static void put_types(struct hub *h, struct json *j, const char *const *channels, size_t n)
{
	struct buf seen = {0};
	json_open(j, "$defs", '{');
	for (size_t i = 0; i < h->settings->n_sources; i++) {
		const struct source_settings *src = &h->settings->sources[i];
		for (size_t c = 0; c < n; c++) {
			if (strcmp(src->channel, channels[c]) != 0)
				continue;
			for (size_t t = 0; t < src->n_types; t++) {
				char *mark = mem_printf("/%s/", src->types[t].name);
				if (!strstr(buf_text(&seen), mark)) {
					buf_puts(&seen, mark);
					put_type(h, j, channels, n, &src->types[t]);
				}
				free(mark);
			}
		}
	}
	json_close(j, '}');
	buf_fini(&seen);
}

int schema_report(struct hub *h, const struct identity *who, struct str channel, struct buf *body)
{
	char *name = mem_strndup(channel.data, channel.len);
	const struct channel_settings *derived = registry_derived(&h->registry, name);
	if ((!derived && !registry_channel(&h->registry, name)) ||
	    !authorize(&h->access, who, name, RIGHT_READ)) {
		buf_puts(body, "There is no channel of that name here that you may read (see "
			       "/channels).\n");
		free(name);
		return 404;
	}
	const char *own[] = {name};
	struct known k = read_known(h->settings->hub.state_dir, name);
	struct json j = {body, false};
	char *version = mem_printf("%ld.%ld", MAX(k.major, 1L), k.minor);
	json_open(&j, NULL, '{');
	json_cstr(&j, "$schema", "https://json-schema.org/draft/2020-12/schema");
	json_cstr(&j, "$id", name);
	json_cstr(&j, "title", name);
	json_cstr(&j, "version", version);
	json_cstr(&j, "description",
		  "The data of an event; its type is the \"event:\" of the stream and names one "
		  "of $defs.");
	json_cstr(&j, "type", "object");
	put_common(&j);
	if (derived)
		put_types(h, &j, (const char *const *)derived->from, derived->n_from);
	else
		put_types(h, &j, own, 1);
	json_close(&j, '}');
	buf_putc(body, '\n');
	free(version);
	free(k.lines);
	free(name);
	return 200;
}

/* SPDX-License-Identifier: MIT */
#include "common/jsonline.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/basics.h"
#include "common/severity.h"
#include "common/times.h"

enum { NAME_MAX_LEN = 200, DEPTH_MAX = 8 };

#define SEC 1000000000LL

static bool is_one_of(const char *key, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(key, *names) == 0)
			return true;
	return false;
}

int jsonline_severity(const char *name, size_t n)
{
	char *end;
	char text[32];
	if (n >= sizeof(text) || !n)
		return severity_detect(name, n);
	memcpy(text, name, n);
	text[n] = 0;
	long v = strtol(text, &end, 10);
	if (*end)
		return severity_detect(text, n);
	if (v >= 0 && v <= 7)
		return (int)v;
	if (v >= 10 && v <= 60)
		return v >= 60 ? 2 : v >= 50 ? 3 : v >= 40 ? 4 : v >= 30 ? 6 : 7;
	return SLUICE_NO_SEVERITY;
}

/* Seconds, milliseconds, microseconds or nanoseconds since 1970, by their size. */
static int64_t time_of_number(double v)
{
	if (v <= 0)
		return 0;
	while (v < 1e17)
		v *= v < 1e11 ? 1e9 : 1e3;
	return v < 9e18 ? (int64_t)v : 0;
}

static int64_t time_of(const json_t *v)
{
	int64_t ns = 0;
	if (json_is_integer(v))
		return times_of_epoch(json_integer_value(v));
	if (json_is_real(v))
		return time_of_number(json_real_value(v));
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);
	return text && times_read(text, n, wall_ns(), &ns) ? ns : 0;
}

static bool names_an_event(const char *s, size_t n)
{
	return n && n <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == n;
}

/* Whether the key is one of those that say something about the whole event. */
static bool take_known(struct jsonline *j, const char *key, const json_t *v)
{
	static const char *const messages[] = {"message", "msg", "log", NULL};
	static const char *const times[] = {"time", "timestamp", "ts", "@timestamp", NULL};
	static const char *const levels[] = {"level", "severity", "lvl", "loglevel", NULL};
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);
	if (!j->message && text && is_one_of(key, messages)) {
		j->message = text;
		j->message_len = n;
		return true;
	}
	if (!j->time_ns && is_one_of(key, times)) {
		j->time_ns = time_of(v);
		if (!j->time_ns && !json_is_null(v)) {
			j->has_bad_time = true;
			j->bad_time = text;
			j->bad_time_len = n;
		}
		return j->time_ns != 0;
	}
	if (j->severity == SLUICE_NO_SEVERITY && is_one_of(key, levels)) {
		char number[24] = "";
		if (json_is_integer(v))
			n = (size_t)snprintf(number, sizeof(number), "%lld",
					     (long long)json_integer_value(v));
		j->severity =
			text || n ? jsonline_severity(text ? text : number, n) : SLUICE_NO_SEVERITY;
		return false; /* the program's own word stays among the fields */
	}
	if (!j->type && text && strcmp(key, "type") == 0 && names_an_event(text, n)) {
		j->type = text;
		return false;
	}
	return false;
}

static void put_json(struct fields *f, const char *name, const json_t *v)
{
	size_t n = json_dumpb(v, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
	char *p = fields_alloc(f, n);
	if (p && json_dumpb(v, p, n, JSON_COMPACT | JSON_ENCODE_ANY) == n)
		fields_json(f, name, p, n);
}

static void put_object(struct fields *f, struct jsonline *j, const char *prefix, const json_t *o,
		       int depth);

static void put_value(struct fields *f, struct jsonline *j, const char *name, const json_t *v,
		      int depth)
{
	switch (json_typeof(v)) {
	case JSON_STRING: fields_str(f, name, json_string_value(v), json_string_length(v)); break;
	case JSON_INTEGER: fields_int(f, name, json_integer_value(v)); break;
	case JSON_REAL: fields_double(f, name, json_real_value(v)); break;
	case JSON_TRUE: fields_bool(f, name, true); break;
	case JSON_FALSE: fields_bool(f, name, false); break;
	case JSON_NULL: fields_null(f, name); break;
	case JSON_ARRAY: put_json(f, name, v); break;
	case JSON_OBJECT:
		if (depth < DEPTH_MAX && json_object_size(v))
			put_object(f, j, name, v, depth + 1);
		else
			put_json(f, name, v);
		break;
	}
}

static const char *join(struct fields *f, const char *prefix, const char *key)
{
	size_t a = strlen(prefix), b = strlen(key);
	if (!a)
		return key;
	char *p = a + b + 2 <= NAME_MAX_LEN ? fields_alloc(f, a + b + 2) : NULL;
	if (!p)
		return prefix;
	memcpy(p, prefix, a);
	p[a] = '.';
	memcpy(p + a + 1, key, b + 1);
	return p;
}

static void put_object(struct fields *f, struct jsonline *j, const char *prefix, const json_t *o,
		       int depth)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)o, key, v) if (depth || !take_known(j, key, v))
		put_value(f, j, join(f, prefix, key), v, depth);
}

bool jsonline_parse(const char *p, size_t n, struct jsonline *ret, struct fields *f)
{
	json_error_t error;
	*ret = (struct jsonline){.severity = SLUICE_NO_SEVERITY};
	while (n && (*p == ' ' || *p == '\t')) {
		p++;
		n--;
	}
	if (!n || *p != '{')
		return false;
	json_t *root = json_loadb(p, n, JSON_ALLOW_NUL, &error);
	if (!json_is_object(root)) {
		json_decref(root);
		return false;
	}
	ret->root = (struct json_t *)root;
	put_object(f, ret, "", root, 0);
	return true;
}

void jsonline_free(struct jsonline *j)
{
	json_decref((json_t *)j->root);
	j->root = NULL;
}

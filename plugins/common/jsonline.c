/* SPDX-License-Identifier: MIT */
#include "common/jsonline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/basics.h"
#include "common/cut.h"
#include "common/jsontext.h"
#include "common/severity.h"
#include "common/times.h"

enum { NAME_MAX_LEN = 1000, DEPTH_MAX = 8, PROBLEMS_MAX = 400 };

/* One line being read. */
struct reading {
	struct jsontext in;
	struct fields *fields;
	struct jsonline *line;
	char *problems; /* in the fields' memory; NULL: none so far */
	size_t problems_len, n_untold;
	int64_t t_ns;         /* for want of a time; 0: none */
	const char *fallback; /* for want of a message; NULL: none */
	size_t fallback_len;
};

static bool is_one_of(const char *key, const char *const *names)
{
	for (; *names; names++)
		if (strcasecmp(key, *names) == 0)
			return true;
	return false;
}

/* Levels that are words of a text, too, or too short to be found in one. */
static int whole_level(const char *name)
{
	static const struct {
		const char *name;
		int severity;
	} levels[] = {{"information", 6}, {"informational", 6},
		      {"verbose", 7},     {"f", 2},
		      {"c", 2},           {"e", 3},
		      {"w", 4},           {"n", 5},
		      {"i", 6},           {"d", 7},
		      {"t", 7},           {"v", 7}};
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcasecmp(name, levels[i].name) == 0)
			return levels[i].severity;
	return SLUICE_NO_SEVERITY;
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
	if (*end) {
		int severity = whole_level(text);
		return severity == SLUICE_NO_SEVERITY ? severity_detect(text, n) : severity;
	}
	if (v >= 0 && v <= 7)
		return (int)v;
	if (v >= 10 && v <= 60)
		return v >= 60 ? 2 : v >= 50 ? 3 : v >= 40 ? 4 : v >= 30 ? 6 : 7;
	return SLUICE_NO_SEVERITY;
}

/* ---- problems ------------------------------------------------------------------------ */

/* Remembers what is wrong with a value, for log.parse.problems. */
static void complain(struct reading *r, const char *name, const char *problem)
{
	if (!r->problems)
		r->problems = fields_alloc(r->fields, PROBLEMS_MAX);
	r->line->n_problems++;
	size_t room = PROBLEMS_MAX - r->problems_len;
	int n = r->problems && !r->n_untold
			? snprintf(r->problems + r->problems_len, room, "%s%.100s: %s",
				   r->problems_len ? "; " : "", name, problem)
			: -1;
	if (n < 0 || (size_t)n + sizeof("; and 1000000 more") > room)
		r->n_untold++;
	else
		r->problems_len += (size_t)n;
}

static void put_problems(struct reading *r)
{
	if (!r->problems)
		return;
	if (r->n_untold)
		r->problems_len += (size_t)snprintf(r->problems + r->problems_len,
						    PROBLEMS_MAX - r->problems_len,
						    "; and %zu more", r->n_untold);
	fields_str(r->fields, "log.parse.problems", r->problems, r->problems_len);
}

/* ---- what a key means ------------------------------------------------------------------ */

/* Seconds, milliseconds, microseconds or nanoseconds since 1970, by their size; 0.25 and 12
 * are durations.
 */
static int64_t time_of_number(double v)
{
	if (v < 1 || v > 9e18)
		return 0;
	int64_t whole = (int64_t)v, ns = times_of_epoch(whole);
	return ns ? ns + (int64_t)((v - (double)whole) * (double)(ns / whole)) : 0;
}

static int64_t time_of(const struct jsontext_value *v)
{
	int64_t ns = 0;
	if (v->kind == JSONTEXT_INT)
		return times_of_epoch(v->integer);
	if ((v->kind == JSONTEXT_STRING || v->kind == JSONTEXT_REAL) &&
	    times_read(v->text, v->len, wall_ns(), &ns))
		return ns;
	return v->kind == JSONTEXT_REAL ? time_of_number(v->real) : 0;
}

static bool names_an_event(const char *s, size_t n)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
	for (size_t i = 0; i < n; i++)
		if (!s[i] || !strchr(allowed, s[i]))
			return false;
	return n && n <= 64;
}

/* Whether the key is one of those that say something about the whole event. */
static bool take_known(struct reading *r, const char *key, const struct jsontext_value *v)
{
	/* In either case; also those of GELF, and of Serilog ("@m", "@t", "@l"). */
	static const char *const messages[] = {
		"message", "msg", "log", "short_message", "@m", "renderedmessage", NULL};
	static const char *const templates[] = {"@mt", "messagetemplate", NULL};
	static const char *const times[] = {"time",    "timestamp", "ts", "@timestamp",
					    "asctime", "@t",        NULL};
	static const char *const levels[] = {"level",     "severity",  "lvl", "loglevel",
					     "levelname", "log.level", "@l",  NULL};
	struct jsonline *j = r->line;
	bool is_text = v->kind == JSONTEXT_STRING;
	if (is_text && !j->message && is_one_of(key, messages)) {
		j->message = v->text;
		j->message_len = v->len;
		return true;
	}
	if (is_text && !r->fallback && is_one_of(key, templates)) {
		r->fallback = v->text;
		r->fallback_len = v->len;
	}
	if (!r->t_ns && strcmp(key, "t") == 0) /* Grafana's; also the name of much else */
		r->t_ns = time_of(v);
	if (!j->time_ns && is_one_of(key, times)) {
		j->time_ns = time_of(v);
		if (!j->time_ns && v->kind != JSONTEXT_NULL) {
			j->has_bad_time = true;
			j->bad_time = is_text ? v->text : NULL;
			j->bad_time_len = v->len;
		}
		return j->time_ns != 0;
	}
	/* The program's own words stay among the fields. */
	if ((is_text || v->kind == JSONTEXT_INT) && j->severity == SLUICE_NO_SEVERITY &&
	    is_one_of(key, levels))
		j->severity = jsonline_severity(v->text, v->len);
	if (is_text && !j->type && strcmp(key, "type") == 0 && names_an_event(v->text, v->len))
		j->type = fields_copy(r->fields, v->text, v->len);
	return false;
}

/* ---- values ---------------------------------------------------------------------------- */

/* Takes the backslashes out of a text, if there are any. */
static void unescape(struct reading *r, const char *name, const char **text, size_t *len)
{
	bool is_bad = false;
	if (!memchr(*text, '\\', *len))
		return;
	char *out = fields_alloc(r->fields, *len);
	if (!out)
		return;
	*len = jsontext_unescape(*text, *len, JSONTEXT_STRICT, out, &is_bad);
	*text = out;
	if (is_bad)
		complain(r, name, "bad escape");
}

/* An array, or an object that is too deep for fields: as JSON, or else as its text. */
static void put_nested(struct reading *r, const char *name, const struct jsontext_value *v)
{
	bool is_bad = false;
	char *out = v->depth <= JSONTEXT_DEPTH_MAX ? fields_alloc(r->fields, 6 * v->len + 2) : NULL;
	size_t n = out ? jsontext_tidy(v->text, v->len, out, &is_bad) : 0;
	if (n)
		fields_json(r->fields, name, out, n);
	else
		fields_str(r->fields, name, v->text, v->len);
	if (!n)
		complain(r, name, v->depth > JSONTEXT_DEPTH_MAX ? "nested too deeply" : "not JSON");
	else if (is_bad)
		complain(r, name, "not a JSON value");
}

static bool put_members(struct reading *r, const char *prefix, int depth);

static void put_value(struct reading *r, const char *name, const struct jsontext_value *v,
		      int depth)
{
	struct fields *f = r->fields;
	switch (v->kind) {
	case JSONTEXT_STRING: fields_str(f, name, v->text, v->len); return;
	case JSONTEXT_INT: fields_int(f, name, v->integer); return;
	case JSONTEXT_REAL: fields_double(f, name, v->real); return;
	case JSONTEXT_TRUE: fields_bool(f, name, true); return;
	case JSONTEXT_FALSE: fields_bool(f, name, false); return;
	case JSONTEXT_NULL: fields_null(f, name); return;
	case JSONTEXT_BAD:
		fields_str(f, name, v->text, v->len);
		complain(r, name, v->problem);
		return;
	case JSONTEXT_NESTED: break;
	}
	struct jsontext outer = r->in;
	size_t n = f->n;
	r->in = (struct jsontext){v->text + 1, v->text + v->len};
	bool is_empty = jsontext_peek(&r->in) == '}';
	bool good = *v->text == '{' && depth < DEPTH_MAX && !is_empty &&
		    put_members(r, name, depth + 1) && r->in.p == r->in.end;
	r->in = outer;
	if (good)
		return;
	f->n = n;
	put_nested(r, name, v);
}

/* PREFIX.KEY, ended by a NUL.  A key that is empty is "_". */
static const char *name_of(struct reading *r, const char *prefix, const char *key, size_t len)
{
	size_t before = strlen(prefix), dot = before ? 1 : 0;
	unescape(r, "a name", &key, &len);
	if (!len) {
		key = "_";
		len = 1;
	}
	if (before + dot >= NAME_MAX_LEN)
		return prefix;
	if (len > NAME_MAX_LEN - before - dot) {
		len = cut_utf8(key, NAME_MAX_LEN - before - dot);
		complain(r, "a name", "too long");
	}
	char *name = fields_alloc(r->fields, before + dot + len + 1);
	if (!name)
		return "_";
	memcpy(name, prefix, before);
	name[before] = '.';
	memcpy(name + before + dot, key, len);
	name[before + dot + len] = 0;
	for (char *nul; (nul = memchr(name, 0, before + dot + len));)
		*nul = ' ';
	return name;
}

/* Behind the bracket that opens an object, to behind the one that closes it. */
static bool put_members(struct reading *r, const char *prefix, int depth)
{
	struct jsontext_value v;
	const char *key;
	size_t len;
	/* Also behind a comma: {"a": 1,} */
	while (!jsontext_take(&r->in, '}')) {
		if (!jsontext_string(&r->in, &key, &len) || !jsontext_take(&r->in, ':') ||
		    !jsontext_value(&r->in, &v))
			return false;
		const char *name = name_of(r, prefix, key, len);
		if (v.kind == JSONTEXT_STRING)
			unescape(r, name, &v.text, &v.len);
		if (depth || !take_known(r, name, &v))
			put_value(r, name, &v, depth);
		if (!jsontext_take(&r->in, ','))
			return jsontext_take(&r->in, '}');
	}
	return true;
}

bool jsonline_parse(const char *p, size_t n, struct jsonline *ret, struct fields *f)
{
	struct reading r = {.in = {p, p + n}, .fields = f, .line = ret};
	*ret = (struct jsonline){.severity = SLUICE_NO_SEVERITY};
	if (!jsontext_take(&r.in, '{') || !put_members(&r, "", 0) || r.in.p < r.in.end)
		return false;
	if (!ret->time_ns && !ret->has_bad_time)
		ret->time_ns = r.t_ns;
	if (!ret->message) {
		ret->message = r.fallback;
		ret->message_len = r.fallback_len;
	}
	put_problems(&r);
	return true;
}

bool jsonline_put_object(const char *p, size_t n, const char *prefix, struct fields *f)
{
	struct jsonline unused = {0};
	struct reading r = {.in = {p, p + n}, .fields = f, .line = &unused};
	return jsontext_take(&r.in, '{') && put_members(&r, prefix, 1);
}

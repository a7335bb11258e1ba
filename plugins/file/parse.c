/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "common/basics.h"
#include "common/jsonline.h"
#include "common/logfmt.h"
#include "common/stamp.h"
#include "common/syslogmsg.h"
#include "common/times.h"
#include "common/weblog.h"

/* ---- regular expressions ----------------------------------------------------------- */

enum { N_REGEXES = 4, MATCH_LIMIT = 100000 };

static const char *const option_names[N_REGEXES] = {"multiline.start", "multiline.continue",
						    "multiline.end", "regex"};

struct regexes {
	pcre2_code *codes[N_REGEXES];
	pcre2_match_data *match;
	pcre2_match_context *context;
};

/* The host has checked that they compile. */
struct regexes *regexes_new(struct sluice_source *src)
{
	struct regexes *r = must(calloc(1, sizeof(*r)));
	int code;
	PCRE2_SIZE at;
	uint32_t groups = 0;
	r->context = must(pcre2_match_context_create(NULL));
	/* A pattern that runs wild does not match, rather than hold up everything. */
	pcre2_set_match_limit(r->context, MATCH_LIMIT);
	for (int i = 0; i < N_REGEXES; i++) {
		const char *text = src->host->option(src, option_names[i], 0);
		if (!text)
			continue;
		r->codes[i] = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
					    PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code, &at, NULL);
		if (r->codes[i])
			pcre2_jit_compile(r->codes[i], PCRE2_JIT_COMPLETE);
	}
	if (r->codes[REGEX_PARSE])
		pcre2_pattern_info(r->codes[REGEX_PARSE], PCRE2_INFO_CAPTURECOUNT, &groups);
	r->match = must(pcre2_match_data_create(groups + 1, NULL));
	return r;
}

void regexes_free(struct regexes *r)
{
	if (!r)
		return;
	for (int i = 0; i < N_REGEXES; i++)
		pcre2_code_free(r->codes[i]);
	pcre2_match_data_free(r->match);
	pcre2_match_context_free(r->context);
	free(r);
}

bool regex_is_set(const struct regexes *r, enum regex_name which)
{
	return r->codes[which] != NULL;
}

bool regex_matches(const struct regexes *r, enum regex_name which, const char *p, size_t n)
{
	return pcre2_match(r->codes[which], (PCRE2_SPTR)p, n, 0, 0, r->match, r->context) >= 0;
}

/* ---- what names mean ------------------------------------------------------------------- */

static bool is_name(const char *name, size_t n, const char *want)
{
	return strlen(want) == n && memcmp(name, want, n) == 0;
}

/* A time by the configured formats, else by those that everybody writes; 0: none. */
static int64_t time_of(const struct state *s, const char *p, size_t n)
{
	int64_t ns = 0, now = wall_ns();
	const char *format;
	for (size_t i = 0; s->options.has_time_format &&
			   (format = s->src->host->option(s->src, "time_format", i));
	     i++)
		if (times_read_by(format, p, n, now, &ns))
			return ns;
	return times_read(p, n, now, &ns) ? ns : 0;
}

/* Whether it is one; that it is none is remembered. */
static bool take_time(const struct state *s, struct parsed *ret, const char *p, size_t n)
{
	ret->time_ns = time_of(s, p, n);
	ret->has_bad_time |= !ret->time_ns;
	return ret->time_ns != 0;
}

/* A value by its name; numbers become numbers. */
static void put(struct state *s, struct parsed *ret, const char *name, size_t name_len,
		const char *p, size_t n)
{
	char *end;
	char digits[32];
	/* The first of a kind says it; further ones stay fields. */
	bool is_message = is_name(name, name_len, "message") || is_name(name, name_len, "msg");
	bool is_time = is_name(name, name_len, "time") || is_name(name, name_len, "ts") ||
		       is_name(name, name_len, "timestamp") ||
		       is_name(name, name_len, "@timestamp");
	bool is_level = is_name(name, name_len, "level") || is_name(name, name_len, "severity") ||
			is_name(name, name_len, "lvl") || is_name(name, name_len, "loglevel");
	if (is_message && !ret->has_message) {
		ret->has_message = true;
		ret->message = p;
		ret->message_len = n;
		return;
	}
	if (is_time && n && !ret->time_ns && take_time(s, ret, p, n))
		return;
	if (is_name(name, name_len, "t") && n && !ret->t_ns)
		ret->t_ns = time_of(s, p, n);
	if (is_level && ret->severity == SLUICE_NO_SEVERITY)
		ret->severity = jsonline_severity(p, n);
	const char *copy = fields_copy(&s->fields, name, name_len);
	if (n && n < sizeof(digits) && (isdigit((unsigned char)p[0]) || p[0] == '-')) {
		memcpy(digits, p, n);
		digits[n] = 0;
		long long v = strtoll(digits, &end, 10);
		/* 007 is no number, and neither is what does not come back the same. */
		if (!*end && n < 19 && (p[0] != '0' || n == 1) && n > (size_t)(p[0] == '-')) {
			fields_int(&s->fields, copy, v);
			return;
		}
		double d = strtod(digits, &end);
		if (!*end && memchr(p, '.', n) && !memchr(p, 'x', n)) {
			fields_double(&s->fields, copy, d);
			return;
		}
	}
	fields_str(&s->fields, copy, p, n);
}

/* ---- the forms ------------------------------------------------------------------------------ */

static bool parse_json(struct state *s, const char *p, size_t n, struct parsed *ret)
{
	struct jsonline j;
	if (!jsonline_parse(p, n, &j, &s->fields))
		return false;
	ret->time_ns = j.time_ns;
	ret->severity = j.severity;
	if (j.has_bad_time && !ret->time_ns &&
	    !(j.bad_time && take_time(s, ret, j.bad_time, j.bad_time_len)))
		ret->has_bad_time = true;
	if (j.message) {
		ret->message = j.message;
		ret->message_len = j.message_len;
	}
	return true;
}

/* A line of pairs, one at least.  What has no key is called "_". */
static bool parse_logfmt(struct state *s, const char *p, size_t n, struct parsed *ret)
{
	const char *end = p + n;
	struct logfmt_pair pair;
	bool any = false, is_open = false;
	while (logfmt_next(&p, end, &s->fields, &pair)) {
		const char *key = pair.key_len ? pair.key : "_";
		size_t len = pair.key_len ? pair.key_len : 1;
		any |= pair.has_value;
		is_open |= pair.is_open;
		if (pair.has_value)
			put(s, ret, key, len, pair.value, pair.value_len);
		else
			fields_bool(&s->fields, fields_copy(&s->fields, key, len), true);
	}
	if (!ret->time_ns && !ret->has_bad_time)
		ret->time_ns = ret->t_ns;
	if (any && is_open)
		fields_cstr(&s->fields, "log.parse.problems", "a quote is not closed");
	return any;
}

static void put_text(struct state *s, const char *name, const char *p, size_t n)
{
	if (n && !(n == 1 && *p == '-'))
		fields_str(&s->fields, name, p, n);
}

typedef bool weblog_fn(const char *p, size_t n, int64_t now_ns, struct weblog *ret,
		       struct fields *f);

static bool parse_weblog(struct state *s, weblog_fn *fn, const char *p, size_t n,
			 struct parsed *ret)
{
	struct weblog w = {.severity = SLUICE_NO_SEVERITY};
	if (!fn(p, n, wall_ns(), &w, &s->fields))
		return false;
	ret->time_ns = w.time_ns;
	ret->severity = w.severity;
	ret->message = w.message;
	ret->message_len = w.message_len;
	return true;
}

static bool parse_caddy(struct state *s, const char *p, size_t n, struct parsed *ret)
{
	if (!parse_json(s, p, n, ret))
		return false;
	struct weblog w = {ret->time_ns, ret->severity, ret->message, ret->message_len};
	weblog_caddy(&w, &s->fields);
	ret->severity = w.severity;
	ret->message = w.message;
	ret->message_len = w.message_len;
	return true;
}

static const PCRE2_SIZE *match_of(const struct state *s)
{
	return pcre2_get_ovector_pointer(s->regexes->match);
}

/* The pattern may span joined lines.  One that was written for a line, with $ or
 * without (?s), is tried on the first of them.
 */
static bool match_lines(struct state *s, const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);
	size_t first = lf ? (size_t)(lf - p) : n;
	bool found = regex_matches(s->regexes, REGEX_PARSE, p, n);
	if (first == n || (found && match_of(s)[0] <= first))
		return found;
	return regex_matches(s->regexes, REGEX_PARSE, p, first) ||
	       (found && regex_matches(s->regexes, REGEX_PARSE, p, n));
}

static void put_outside(struct state *s, const char *name, const char *p, size_t n)
{
	while (n && isspace((unsigned char)*p)) {
		p++;
		n--;
	}
	while (n && isspace((unsigned char)p[n - 1]))
		n--;
	if (n)
		fields_str(&s->fields, name, p, n);
}

/* Puts the lines behind the match, `rest`, behind the message. */
static void extend_message(struct state *s, struct parsed *ret, const char *rest, size_t n)
{
	if (ret->message + ret->message_len == rest) {
		ret->message_len += n;
		return;
	}
	char *joined = must(fields_alloc(&s->fields, ret->message_len + n));
	memcpy(joined, ret->message, ret->message_len);
	memcpy(joined + ret->message_len, rest, n);
	ret->message = joined;
	ret->message_len += n;
}

/* Without a group "message" the whole text is the message.  With one, nothing that
 * was written around the match is lost.
 */
static void keep_outside(struct state *s, struct parsed *ret, const char *p, size_t n, size_t from,
			 size_t to)
{
	if (!ret->has_message)
		return;
	put_outside(s, "text_before", p, from);
	if (memchr(p + to, '\n', n - to))
		extend_message(s, ret, p + to, n - to);
	else
		put_outside(s, "text_after", p + to, n - to);
}

static bool parse_regex(struct state *s, const char *p, size_t n, struct parsed *ret)
{
	pcre2_code *code = s->regexes->codes[REGEX_PARSE];
	uint32_t count = 0, size = 0;
	PCRE2_SPTR table = NULL;
	if (!match_lines(s, p, n))
		return false;
	pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &count);
	pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &table);
	const PCRE2_SIZE *at = match_of(s);
	for (uint32_t i = 0; i < count; i++, table += size) {
		uint32_t group = (uint32_t)table[0] << 8 | table[1];
		const char *name = (const char *)table + 2;
		if (at[2 * group] != PCRE2_UNSET && at[2 * group] <= at[2 * group + 1])
			put(s, ret, name, strlen(name), p + at[2 * group],
			    at[2 * group + 1] - at[2 * group]);
	}
	/* \K can set the start of a match behind its end. */
	keep_outside(s, ret, p, n, at[0] < at[1] ? at[0] : at[1], at[1]);
	return true;
}

static bool parse_syslog(struct state *s, const char *p, size_t n, struct parsed *ret)
{
	struct syslog_message m;
	struct fields *f = &s->fields;
	syslog_parse_line(p, n, wall_ns(), &m, f);
	if (!m.has_time && !m.has_pri)
		return false;
	ret->time_ns = m.has_time ? m.time_ns : 0;
	ret->message = m.message.p;
	ret->message_len = m.message.n;
	if (m.has_pri) {
		ret->severity = m.pri & 7;
		fields_cstr(f, "facility", syslog_facility(m.pri));
	}
	put_text(s, "host", m.host.p, m.host.n);
	put_text(s, "app", m.app.p, m.app.n);
	put_text(s, "pid", m.pid.p, m.pid.n);
	put_text(s, "msgid", m.msgid.p, m.msgid.n);
	return true;
}

static bool parse_text(struct state *s, const char *p, size_t n, struct parsed *ret)
{
	switch (s->options.parse) {
	case PARSE_NONE:
	case PARSE_DOCKER:
	case PARSE_CRI: return true;
	case PARSE_JSON: return parse_json(s, p, n, ret);
	case PARSE_LOGFMT: return parse_logfmt(s, p, n, ret);
	case PARSE_CLF:
	case PARSE_VHOST_COMBINED: return parse_weblog(s, weblog_access, p, n, ret);
	case PARSE_NGINX: return parse_weblog(s, weblog_nginx, p, n, ret);
	case PARSE_APACHE_ERROR: return parse_weblog(s, weblog_apache_error, p, n, ret);
	case PARSE_HAPROXY: return parse_weblog(s, weblog_haproxy, p, n, ret);
	case PARSE_CADDY: return parse_caddy(s, p, n, ret);
	case PARSE_REGEX: return parse_regex(s, p, n, ret);
	case PARSE_SYSLOG: return parse_syslog(s, p, n, ret);
	}
	return false;
}

/* What the text is before anything has been found in it. */
static void parse_again(struct state *s, size_t n_fields, const char *p, size_t n,
			struct parsed *ret)
{
	s->fields.n = n_fields;
	*ret = (struct parsed){.severity = SLUICE_NO_SEVERITY, .message = p, .message_len = n};
}

/* Of joined lines the first is of the form, and the others belong to its message. */
static bool parse_first(struct state *s, const char *p, size_t n, struct parsed *ret)
{
	const char *lf = memchr(p, '\n', n);
	if (!lf)
		return false;
	size_t first = (size_t)(lf - p);
	ret->message_len = first;
	if (!parse_text(s, p, first, ret))
		return false;
	extend_message(s, ret, lf, n - first);
	return true;
}

bool parse_line(struct state *s, const char *p, size_t n, struct parsed *ret)
{
	size_t before = s->fields.n;
	bool is_joined = s->options.has_groups && memchr(p, '\n', n);
	/* To logfmt a line feed is a blank, and every word of a trace a key. */
	bool first_before_all = is_joined && s->options.parse == PARSE_LOGFMT;
	if (first_before_all && parse_first(s, p, n, ret))
		return true;
	parse_again(s, before, p, n, ret);
	if (parse_text(s, p, n, ret))
		return true;
	parse_again(s, before, p, n, ret);
	if (is_joined && parse_first(s, p, n, ret))
		return true;
	parse_again(s, before, p, n, ret);
	return false;
}

/* SPDX-License-Identifier: MIT */
#include "hub/subscription_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "base/unit.h"
#include "base/utf8.h"
#include "channel/channel.h"
#include "channel/regexes.h"
#include "hub/subscription_builder.h"
#include "past/counter.h"
#include "past/facets.h"
#include "past/searcher.h"
#include "wire/query.h"

enum {
	TAIL_MAX = 100000,
	LIMIT_DEFAULT = 100,
	LIMIT_MAX = 5000,
	SEARCH_LIMIT_DEFAULT = 1000,
	BUCKETS_DEFAULT = 100,
	FACETS_LIMIT_DEFAULT = 10000,
	FACETS_LIMIT_MAX = 1000000,
	TOP_DEFAULT = 10,
	TOP_MAX = 100,
	CONTEXT_MAX = SEARCHER_CONTEXT_MAX
};

/* ---- where it starts ------------------------------------------------------------------------ */

static int set_cursor(struct subscription_builder *a, struct str text, const char *what)
{
	struct str epoch;
	event_id id;
	if (text.len > CURSOR_TEXT_MAX || id_parse(text, &epoch, &id)) {
		buf_printf(a->why,
			   "%s is no event id (ids look like %s.1763689264123-0; take one from "
			   "the \"id:\" of an event).\n",
			   what, a->hub->registry.epoch);
		return 400;
	}
	a->s->after = id;
	a->s->start = str_is(epoch, a->hub->registry.epoch) && id <= a->hub->registry.newest_id
			      ? START_AFTER
			      : START_UNKNOWN;
	a->s->has_after = true;
	a->is_since = false;
	return 0;
}

static int set_number(struct subscription_builder *a, const char *key, const char *value,
		      int64_t min, int64_t max, uint64_t *ret)
{
	int64_t n;
	if (unit_parse_int(value, &n) || n < min || n > max) {
		buf_printf(a->why, "\"%s\" is a number from %lld to %lld.\n", key, (long long)min,
			   (long long)max);
		return 400;
	}
	*ret = (uint64_t)n;
	return 0;
}

/* The last id before a time; ids hold the time at which sluice got the event. */
static int id_of_time(struct subscription_builder *a, const char *key, struct str value,
		      event_id *ret)
{
	int64_t ns;
	if (timestamp_parse(value, clock_wall_ns(), &ns)) {
		buf_printf(a->why, "\"%s\" is no time that is understood (%s).\n", key,
			   TIMESTAMP_FORMS);
		return 400;
	}
	*ret = id_before_time(ns);
	return 0;
}

static int set_since(struct subscription_builder *a, struct str value)
{
	int status = id_of_time(a, "since", value, &a->s->after);
	a->is_since = true;
	a->s->has_after = true;
	a->s->start = START_AFTER;
	if (a->s->after >= a->hub->registry.newest_id) /* what is to come is all there will be */
		a->s->after = a->hub->registry.newest_id;
	return status;
}

/* before= and after= of a page: a cursor or a time; a small number is so many lines
 * around each match.
 */
static int set_edge(struct subscription_builder *a, const char *key, const char *value)
{
	bool is_before = strcmp(key, "before") == 0;
	struct str text = str_of(value), epoch;
	event_id id;
	int64_t n;
	if (!is_of_numbers(a->use) && unit_parse_int(value, &n) == 0 && n < 1000000)
		return set_number(a, key, value, 0, CONTEXT_MAX,
				  is_before ? &a->s->lines_before : &a->s->lines_after);
	if (id_parse(text, &epoch, &id) == 0) {
		bool known = str_is(epoch, a->hub->registry.epoch);
		if (!known)
			return builder_refuse(
				a, "That is an id of journals that are lost (ask without it "
				   "for the newest, or with earliest=1 for the oldest).");
		if (!is_before)
			return set_cursor(a, text, "\"after\"");
		a->s->before = id;
		return 0;
	}
	int status = id_of_time(a, key, text, &id);
	if (status)
		return status;
	if (is_before) {
		a->s->before = id + 1;
	} else {
		a->s->after = id;
		a->s->start = START_AFTER;
		a->s->has_after = true;
	}
	return 0;
}

/* ---- parameters ---------------------------------------------------------------------------------
 */

static int set_format(struct subscription_builder *a, const char *value)
{
	static const char *const known[] = {"sse", "ndjson", "text", "json", NULL};
	for (size_t i = 0; known[i]; i++) {
		if (strcmp(value, known[i]) == 0) {
			strcpy(a->format, value);
			return 0;
		}
	}
	return builder_refuse(a, "\"format\" is one of sse, ndjson, text (and json for /history, "
				 "/histogram and /facets).");
}

static bool is_one_of(const char *value, const char *x, const char *y)
{
	return strcmp(value, x) == 0 || strcmp(value, y) == 0;
}

/* Which of `words` it is, or -1. */
static int place_among(const char *value, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(value, words[i]) == 0)
			return i;
	return -1;
}

/* Parameters with a fixed set of values; -1: not one of them. */
static int set_switch(struct subscription_builder *a, const char *key, const char *value)
{
	struct subscription *s = a->s;
	static const char *const data[] = {"json", "message", "html", NULL};
	static const char *const heartbeats[] = {"id", "event", "comment", NULL};
	bool zero_one = is_one_of(value, "0", "1");
	bool on = strcmp(value, "1") == 0;
	int place;
	if (strcmp(key, "earliest") == 0 && zero_one) {
		if (on)
			s->start = START_EARLIEST;
	} else if (strcmp(key, "batch") == 0 && zero_one) {
		a->batches = on;
	} else if (strcmp(key, "gzip") == 0 && zero_one) {
		s->gzips &= on;
	} else if (strcmp(key, "data") == 0 && (place = place_among(value, data)) >= 0) {
		a->data = (enum sse_data)place;
	} else if (strcmp(key, "event") == 0 && is_one_of(value, "type", "message")) {
		a->is_unnamed = strcmp(value, "message") == 0;
	} else if (strcmp(key, "heartbeat") == 0 && (place = place_among(value, heartbeats)) >= 0) {
		s->heartbeat = (enum sse_heartbeat)place;
	} else {
		return -1;
	}
	return 0;
}

static const char *const known[] = {
	"channel", "filter",  "grep",   "exclude", "severity", "type",  "source", "format",
	"data",    "event",   "batch",  "gzip",    "after",    "since", "tail",   "earliest",
	"timeout", "before",  "until",  "limit",   "context",  "add",   "drop",   "heartbeat",
	"order",   "buckets", "fields", "top",     NULL};

/* Names that other tools use for the same parameter. */
static const char *const synonyms[][2] = {
	{"level", "severity"}, {"loglevel", "severity"}, {"priority", "severity"},
	{"q", "grep"},         {"query", "grep"},        {"search", "grep"},
	{"match", "grep"},     {"regex", "grep"},        {"topic", "channel"},
	{"stream", "channel"}, {"name", "channel"},      {"from", "since"},
	{"start", "since"},    {"begin", "since"},       {"time", "since"},
	{"to", "until"},       {"end", "until"},         {"n", "tail"},
	{"lines", "tail"},     {"last", "tail"},         {"count", "limit"},
	{"id", "after"},       {"cursor", "after"},      {"offset", "after"}};

/* The parameter that was meant, or NULL. */
static const char *meant_by(const char *key)
{
	for (size_t i = 0; i < array_size(synonyms); i++)
		if (strcasecmp(key, synonyms[i][0]) == 0)
			return synonyms[i][1];
	return unit_nearest(key, known);
}

/* Names that resemble ours are excluded: the number may be meant for the parameter. */
static bool is_nonce(const char *key, struct str value)
{
	static const char *const numeric[] = {"after", "since", "until", "before",
					      "tail",  "limit", NULL};
	const char *meant = meant_by(key);
	return query_is_nonce(value) && !unit_nearest(key, numeric) &&
	       !(meant && place_among(meant, numeric) >= 0);
}

static int unknown(struct subscription_builder *a, const char *key, struct str value)
{
	if (place_among(key, known) >= 0) {
		buf_printf(a->why,
			   "\"%s\" has a value that is not known, or no meaning here (earliest=1, "
			   "batch=1, gzip=0, data=json, message or html, event=message, "
			   "heartbeat=event or comment).\n",
			   key);
		return 400;
	}
	if (query_is_ignored(str_of(key)) || query_is_last_event_id(str_of(key)) ||
	    is_nonce(key, value))
		return 0;
	const char *near = meant_by(key);
	buf_printf(a->why,
		   "A parameter is unknown%s%s%s (known: channel, filter, grep, exclude, "
		   "severity, type, source, format, data, event, batch, gzip, heartbeat, after, "
		   "since, tail, earliest).\n",
		   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return 400;
}

static int set_timeout(struct subscription_builder *a, const char *value)
{
	if (unit_parse_duration(value, &a->s->timeout_ns) || a->s->timeout_ns < 0 ||
	    a->s->timeout_ns > 300 * NS_PER_SEC)
		return builder_refuse(a, "\"timeout\" is a duration from 0s to 300s.");
	return 0;
}

/* NAME,NAME,... */
static int add_fields(struct subscription_builder *a, const char *value)
{
	struct buf *all = &a->s->fields;
	size_t n = 0;
	for (;;) {
		struct str name = {value, strcspn(value, ",")};
		value += name.len;
		name = utf8_trim(name);
		if (name.len) {
			buf_put_str(all, name);
			buf_putc(all, 0);
		}
		if (!*value++)
			break;
	}
	for (size_t i = 0; i < all->len; i++)
		n += !all->data[i];
	if (n > FACETS_MAX) {
		buf_printf(a->why, "\"fields\" names at most %d.\n", FACETS_MAX);
		return 400;
	}
	return 0;
}

static int one_of_facets(struct subscription_builder *a, const char *key, const char *value)
{
	if (strcmp(key, "fields") == 0)
		return add_fields(a, value);
	if (strcmp(key, "top") == 0)
		return set_number(a, key, value, 1, TOP_MAX, &a->s->n_top);
	if (strcmp(key, "limit") == 0)
		return set_number(a, key, value, 1, FACETS_LIMIT_MAX, &a->s->limit);
	return -1;
}

static int one_of_history(struct subscription_builder *a, const char *key, const char *value)
{
	if (strcmp(key, "before") == 0 || strcmp(key, "after") == 0)
		return set_edge(a, key, value);
	if (strcmp(key, "until") == 0)
		return id_of_time(a, key, str_of(value), &a->s->until);
	if (a->use == USE_HISTOGRAM)
		return strcmp(key, "buckets") == 0
			       ? set_number(a, key, value, 1, COUNTER_BUCKETS_MAX, &a->s->n_buckets)
			       : -1;
	if (a->use == USE_FACETS)
		return one_of_facets(a, key, value);
	if (strcmp(key, "limit") == 0)
		return set_number(a, key, value, 0, a->use == USE_SEARCH ? INT64_MAX : LIMIT_MAX,
				  &a->s->limit);
	if (strcmp(key, "order") == 0 && a->use == USE_SEARCH) {
		if (!is_one_of(value, "newest", "oldest"))
			return builder_refuse(a, "\"order\" is newest (first) or oldest.");
		a->s->is_oldest_first = strcmp(value, "oldest") == 0;
		return 0;
	}
	if (strcmp(key, "context") == 0) {
		int status = set_number(a, key, value, 0, CONTEXT_MAX, &a->s->lines_before);
		a->s->lines_after = a->s->lines_before;
		return status;
	}
	return -1;
}

static int one_of_start(struct subscription_builder *a, const char *key, const char *value)
{
	if (strcmp(key, "after") == 0)
		return set_cursor(a, str_of(value), "\"after\"");
	if (strcmp(key, "tail") == 0) {
		a->s->start = START_TAIL;
		return set_number(a, key, value, 0, TAIL_MAX, &a->s->tail);
	}
	if (strcmp(key, "timeout") == 0 && a->use == USE_POLL)
		return set_timeout(a, value);
	return -1;
}

static int one_of_filter(struct subscription_builder *a, const char *key, struct str value)
{
	if (strcmp(key, "filter") == 0)
		return builder_add_filter(a, value, "filter");
	if (strcmp(key, "grep") == 0 || strcmp(key, "exclude") == 0)
		return builder_add_grep(a, value, key[0] == 'e');
	if (strcmp(key, "severity") == 0)
		return builder_add_severity(a, value);
	if (strcmp(key, "type") == 0 || strcmp(key, "source") == 0)
		return builder_add_one_of(a, key, value);
	return -1;
}

static int one_parameter(struct subscription_builder *a, const char *key, const char *value)
{
	int status = one_of_filter(a, key, str_of(value));
	if (status >= 0)
		return status;
	if (strcmp(key, "ticket") == 0)
		return 0; /* has been looked at */
	if (strcmp(key, "channel") == 0)
		return builder_add_channel(a, value);
	if (a->use == USE_CHANGE)
		return unknown(a, key, str_of(value));
	if (strcmp(key, "format") == 0)
		return set_format(a, value);
	if (strcmp(key, "since") == 0)
		return set_since(a, str_of(value));
	if (a->use != USE_HISTORY && query_is_last_event_id(str_of(key))) {
		a->last_event_id.len = 0;
		buf_puts(&a->last_event_id, value);
		return 0;
	}
	status = is_of_past(a->use) ? one_of_history(a, key, value) : one_of_start(a, key, value);
	if (status < 0)
		status = set_switch(a, key, value);
	return status < 0 ? unknown(a, key, str_of(value)) : status;
}

/* An empty or blank value counts as absent, because a form sends all its fields. */
static bool says_nothing(const char *key, const char *value)
{
	return !*value &&
	       (!*key || place_among(key, known) >= 0 || query_is_last_event_id(str_of(key)));
}

/* Trims white space in place, except where a client may be searching for it. */
static const char *trimmed(const char *key, struct buf *value)
{
	struct str s = utf8_trim(buf_str(value));
	bool is_text = strcmp(key, "grep") == 0 || strcmp(key, "exclude") == 0;
	if (s.len && is_text)
		return buf_text(value);
	if (s.len)
		memmove(value->data, s.data, s.len);
	value->len = s.len;
	return buf_text(value);
}

static int all_parameters(struct subscription_builder *a, struct str rest)
{
	struct buf key = {0}, value = {0};
	int status = 0, got;
	while (!status && (got = query_next(&rest, &key, &value)) != 0) {
		if (got < 0) {
			status = builder_refuse(
				a, "The query holds a broken percent escape or a NUL.");
			continue;
		}
		const char *k = trimmed("", &key), *v = trimmed(k, &value);
		if (!says_nothing(k, v))
			status = one_parameter(a, k, v);
	}
	buf_fini(&key);
	buf_fini(&value);
	return status;
}

/* ---- the form of the answer
 * ------------------------------------------------------------------------ */

/* What `Accept` likes best of those that there are; the first of equals. */
static int negotiate(struct subscription_builder *a, struct str accept)
{
	static const enum format formats[] = {FORMAT_PAGE, FORMAT_SSE, FORMAT_NDJSON, FORMAT_TEXT};
	static const char *const types[] = {"application/json", "text/event-stream",
					    "application/x-ndjson", "text/plain"};
	/* Numbers may be a document, but not text; a stream the other way round. */
	bool is_numbers = is_of_numbers(a->use);
	size_t first = is_numbers ? 0 : 1, end = array_size(formats) - (is_numbers ? 1 : 0);
	int best = 0;
	for (size_t i = first; i < end; i++) {
		int q = accept_quality(accept, types[i]);
		if (q > best)
			a->s->format = formats[i];
		best = MAX(best, q);
	}
	if (best)
		return 0;
	buf_printf(a->why, "%s, none of which \"Accept\" admits.\n",
		   is_numbers
			   ? "This answer is application/json, text/event-stream or "
			     "application/x-ndjson"
			   : "A stream is text/event-stream, application/x-ndjson or text/plain");
	return 406;
}

static int choose_format(struct subscription_builder *a, struct str accept)
{
	static const enum format sse_forms[] = {[SSE_DATA_JSON] = FORMAT_SSE,
						[SSE_DATA_MESSAGE] = FORMAT_SSE_MESSAGE,
						[SSE_DATA_HTML] = FORMAT_SSE_HTML};
	struct subscription *s = a->s;
	bool is_json = strcmp(a->format, "json") == 0;
	if (a->use == USE_POLL) {
		s->format = FORMAT_PAGE;
		if (a->format[0] && !is_json)
			return builder_refuse(
				a, "The answer of /poll is a JSON document (format=json).");
		return 0;
	}
	if (a->use == USE_HISTORY && strcmp(a->format, "sse") == 0)
		return builder_refuse(a, "History is json, ndjson or text.");
	if (a->use == USE_SEARCH && is_json)
		return builder_refuse(a, "A search is sse, ndjson or text.");
	if (a->use == USE_STREAM && is_json)
		return builder_refuse(
			a, "A stream is sse, ndjson or text (format=ndjson: a JSON object "
			   "a line).");
	if (is_of_numbers(a->use) && strcmp(a->format, "text") == 0)
		return builder_refuse(a, "This answer is json, sse or ndjson.");
	if (is_of_numbers(a->use) && is_json)
		s->format = FORMAT_PAGE;
	else if (strcmp(a->format, "ndjson") == 0)
		s->format = FORMAT_NDJSON;
	else if (strcmp(a->format, "text") == 0)
		s->format = FORMAT_TEXT;
	else if (a->use == USE_HISTORY)
		s->format = FORMAT_PAGE;
	else if (!a->format[0]) {
		int status = negotiate(a, accept);
		if (status)
			return status;
	}
	if (s->format == FORMAT_SSE) {
		s->format = a->batches ? FORMAT_SSE_BATCH : sse_forms[a->data];
		if (a->is_unnamed)
			s->format = format_unnamed(s->format);
	}
	return 0;
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_names(struct subscription_builder *a)
{
	struct json j = {&a->s->names, false};
	qsort(a->names, a->n_names, sizeof(a->names[0]), by_text);
	json_open(&j, NULL, '[');
	for (size_t i = 0; i < a->n_names; i++)
		json_cstr(&j, NULL, a->names[i]);
	json_close(&j, ']');
}

/* Reading history needs the `replay` right.  A client that has a cursor but not this right
 * continues from now, after a gap: an error would end a reconnecting EventSource for good.
 */
static int check_replay(struct subscription_builder *a)
{
	struct subscription *s = a->s;
	const char *barred = NULL;
	for (size_t i = 0; i < a->n_names && !barred; i++)
		if (!authorize(&a->hub->access, a->who, a->names[i], RIGHT_REPLAY))
			barred = a->names[i];
	s->is_barred = barred != NULL;
	if (a->use == USE_CHANGE)
		return 0; /* change_stream() decides, by the position of the stream */
	if (!barred) {
		if (s->start == START_NOW && a->own_tail) {
			s->start = START_TAIL;
			s->tail = a->own_tail;
		}
		return 0;
	}
	bool has_id = s->start == START_AFTER && !a->is_since && !is_of_past(a->use);
	for (size_t i = 0; has_id && i < s->n_channels; i++)
		if (!channel_is_live_from(s->channels[i].channel, s->after))
			s->start = START_BARRED;
	if (!is_of_past(a->use) && (has_id || s->start == START_BARRED ||
				    s->start == START_UNKNOWN || s->start == START_NOW))
		return 0;
	buf_printf(a->why, "You may follow \"%s\", but not see its past.\n", barred);
	return 403;
}

/* A search whose connection was lost goes on behind the last event that came. */
static int go_on_behind(struct subscription_builder *a, struct str last)
{
	struct subscription before = {0}, *s = a->s;
	a->s = s->is_oldest_first ? s : &before;
	int status = set_cursor(a, last, "Last-Event-ID");
	a->s = s;
	if (!status && before.start == START_UNKNOWN)
		return builder_refuse(a, "Last-Event-ID is an id of journals that are lost (ask "
					 "without it).");
	if (before.after)
		s->before = before.after;
	return status;
}

int subscription_parse(struct hub *h, const struct handoff_request *r, const struct identity *who,
		       enum subscription_use use, struct subscription *ret, struct buf *why)
{
	struct subscription_builder *a = mem_zero(sizeof(*a));
	*ret = (struct subscription){.framing = r->framing,
				     .gzips = r->takes_gzip,
				     .limit = use == USE_SEARCH   ? SEARCH_LIMIT_DEFAULT
					      : use == USE_FACETS ? FACETS_LIMIT_DEFAULT
								  : LIMIT_DEFAULT,
				     .n_top = TOP_DEFAULT,
				     .n_buckets = BUCKETS_DEFAULT,
				     .timeout_ns = 25 * NS_PER_SEC};
	a->hub = h;
	a->who = who;
	a->s = ret;
	a->use = use;
	a->why = why;
	int status = all_parameters(a, r->query);
	/* The header is newer than the URL: a browser sends it when it reconnects. */
	struct str last = utf8_trim(r->last_event_id);
	if (!last.len)
		last = buf_str(&a->last_event_id);
	if (!status && last.len && use != USE_HISTORY && !is_of_numbers(use))
		status = use == USE_SEARCH ? go_on_behind(a, last)
					   : set_cursor(a, last, "Last-Event-ID");
	if (!status && !ret->n_channels && !a->n_names) {
		buf_puts(why, "Which channel?  Write channel=NAME (see /channels).\n");
		status = 400;
	}
	if (!status && use != USE_CHANGE)
		status = choose_format(a, r->accept);
	if (!status)
		status = builder_make_filters(a);
	ret->gzips &= ret->format != FORMAT_PAGE && !is_of_past(use);
	if (r->kind == HANDOFF_TAKE) /* promised, whatever the settings are by now */
		ret->gzips = r->takes_gzip;
	if (!status)
		status = check_replay(a);
	put_names(a);
	subscription_put_key(ret);
	for (size_t i = 0; i < a->n_names; i++)
		free(a->names[i]);
	for (size_t i = 0; i < ret->n_channels; i++) {
		buf_fini(&a->of[i].text);
		regexes_keep_warm(h->registry.regexes, ret->channels[i].filter);
	}
	for (size_t i = 0; i < a->n_kept; i++)
		filter_unref(a->kept[i]);
	buf_fini(&a->filter);
	buf_fini(&a->last_event_id);
	free(a);
	return status;
}

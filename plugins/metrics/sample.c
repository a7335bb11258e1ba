/* SPDX-License-Identifier: MIT */
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

enum { SLOTS = 1024, NAME_ROOM = 128 };

/* ---- what counters had at the last tick ------------------------------------------------ */

struct entry {
	struct entry *next;
	char *key; /* collector, device, name */
	uint64_t value;
	int64_t at_ns;
	uint64_t tick;
};

struct history {
	struct entry *slots[SLOTS];
	uint64_t tick;
};

struct history *history_new(void)
{
	return must(calloc(1, sizeof(struct history)));
}

void history_expire(struct history *h, uint64_t tick)
{
	h->tick = tick;
	for (size_t i = 0; i < SLOTS; i++) {
		for (struct entry **p = &h->slots[i]; *p;) {
			struct entry *e = *p;
			if (e->tick + 2 >= tick) {
				p = &e->next;
				continue;
			}
			*p = e->next;
			free(e->key);
			free(e);
		}
	}
}

void history_free(struct history *h)
{
	if (!h)
		return;
	history_expire(h, UINT64_MAX);
	free(h);
}

/* The entry, and whether it has been there. */
static struct entry *recall(const struct sample *m, const char *name, bool *is_new)
{
	char key[1024];
	struct history *h = m->s->history;
	int n = snprintf(key, sizeof(key), "%s %s %s %s", m->collector, name,
			 m->device ? m->device : "", m->scope ? m->scope : "");
	uint32_t hash = 2166136261u;
	for (int i = 0; i < n && i < (int)sizeof(key) - 1; i++)
		hash = (hash ^ (unsigned char)key[i]) * 16777619u;
	struct entry **slot = &h->slots[hash % SLOTS];
	struct entry *e = *slot;
	while (e && strcmp(e->key, key) != 0)
		e = e->next;
	*is_new = !e;
	if (!e) {
		e = must(calloc(1, sizeof(*e)));
		e->key = must(strdup(key));
		e->next = *slot;
		*slot = e;
	}
	e->tick = h->tick;
	return e;
}

/* ---- JSON of the devices ------------------------------------------------------------------- */

static void put(struct sample *m, const char *p, size_t n)
{
	if (m->devices_room - m->devices_len < n + 1) {
		m->devices_room = 2 * (m->devices_room + n) + 256;
		m->devices = must(realloc(m->devices, m->devices_room));
	}
	memcpy(m->devices + m->devices_len, p, n);
	m->devices_len += n;
	m->devices[m->devices_len] = 0;
}

static void puts_json(struct sample *m, const char *s)
{
	put(m, s, strlen(s));
}

/* Names of devices and mount points are any bytes. */
static void put_quoted(struct sample *m, const char *s)
{
	char escaped[8];
	put(m, "\"", 1);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			put(m, "\\", 1);
		if (c < 0x20) {
			snprintf(escaped, sizeof(escaped), "\\u%04x", c);
			puts_json(m, escaped);
		} else {
			put(m, s, 1);
		}
	}
	put(m, "\"", 1);
}

static void put_value(struct sample *m, const char *name, const char *value)
{
	puts_json(m, ",");
	put_quoted(m, name);
	puts_json(m, ":");
	puts_json(m, value);
}

static void note_name(struct sample *m, const char *name)
{
	size_t n = strlen(name) + 1;
	if (m->names_room - m->names_len < n) {
		m->names_room = 2 * (m->names_room + n) + 256;
		m->names = must(realloc(m->names, m->names_room));
	}
	memcpy(m->names + m->names_len, name, n);
	m->names_len += n;
}

bool sample_has(const struct sample *m, const char *pattern)
{
	for (size_t i = 0; i < m->names_len; i += strlen(m->names + i) + 1)
		if (fnmatch(pattern, m->names + i, 0) == 0)
			return true;
	return false;
}

void sample_device(struct sample *m, const char *label, const char *device)
{
	note_name(m, device);
	thresholds_device(m->s, device);
	puts_json(m, m->devices_len ? "},{" : "[{");
	put_quoted(m, label);
	puts_json(m, ":");
	put_quoted(m, device);
	m->device = device;
}

void sample_device_text(struct sample *m, const char *name, const char *value)
{
	puts_json(m, ",");
	put_quoted(m, name);
	puts_json(m, ":");
	put_quoted(m, value);
}

void sample_devices_end(struct sample *m)
{
	if (m->devices_len)
		puts_json(m, "}]");
	m->device = NULL;
	fields_json(&m->fields, "devices", m->devices_len ? m->devices : "[]",
		    m->devices_len ? m->devices_len : 2);
}

/* ---- values --------------------------------------------------------------------------------- */

void sample_begin(struct sample *m, struct state *s, const char *collector)
{
	fields_reset(&m->fields);
	m->s = s;
	m->collector = collector;
	m->now_ns = mono_ns();
	m->was_reset = false;
	m->summary[0] = m->others[0] = m->why[0] = 0;
	m->devices_len = m->names_len = m->n_highlights = 0;
	m->device = m->scope = NULL;
}

void sample_free(struct sample *m)
{
	fields_free(&m->fields);
	free(m->devices);
	free(m->names);
}

void sample_int(struct sample *m, const char *name, int64_t v)
{
	char text[32];
	thresholds_look(m->s, name, m->device, (double)v);
	if (!m->device) {
		fields_int(&m->fields, name, v);
		return;
	}
	snprintf(text, sizeof(text), "%lld", (long long)v);
	put_value(m, name, text);
}

void sample_double(struct sample *m, const char *name, double v)
{
	char text[40];
	if (!isfinite(v)) {
		sample_null(m, name);
		return;
	}
	thresholds_look(m->s, name, m->device, v);
	if (!m->device) {
		fields_double(&m->fields, name, v);
		return;
	}
	snprintf(text, sizeof(text), "%.9g", v);
	put_value(m, name, text);
}

void sample_null(struct sample *m, const char *name)
{
	if (m->device)
		put_value(m, name, "null");
	else
		fields_null(&m->fields, name);
}

static void put_rate(struct sample *m, const char *name, double v)
{
	char *full = fields_alloc(&m->fields, NAME_ROOM);
	if (!full)
		return;
	snprintf(full, NAME_ROOM, "%s.rate", name);
	sample_double(m, full, v);
}

/* As a number that JSON and clients can hold. */
static void put_total(struct sample *m, const char *name, uint64_t v, double factor)
{
	uint64_t whole;
	if (factor < 1)
		sample_double(m, name, (double)v * factor);
	else if (__builtin_mul_overflow(v, (uint64_t)factor, &whole) || whole > INT64_MAX)
		sample_int(m, name, INT64_MAX);
	else
		sample_int(m, name, (int64_t)whole);
}

/* Two ticks that are close together, for one was late, say nothing of a second: the next one
 * is compared with the older figure then.
 */
static bool is_too_soon(const struct sample *m, const struct entry *e)
{
	return m->now_ns - e->at_ns < m->s->interval_ns / 10;
}

/* What the counter grew by, and over which time.  False: not known. */
static bool grow(struct sample *m, const char *name, uint64_t v, uint64_t *grown, int64_t *span_ns)
{
	bool is_new;
	struct entry *e = recall(m, name, &is_new);
	bool went_back = !is_new && v < e->value;
	bool is_known = !is_new && !went_back && !is_too_soon(m, e);
	*grown = is_known ? v - e->value : 0;
	*span_ns = m->now_ns - e->at_ns;
	m->was_reset |= went_back;
	if (!is_new && !went_back && !is_known)
		return false;
	e->value = v;
	e->at_ns = m->now_ns;
	return is_known && *span_ns > 0;
}

static double count(struct sample *m, const char *name, uint64_t v, double factor, double rate_max)
{
	uint64_t grown;
	int64_t span_ns;
	double rate = NAN;
	if (grow(m, name, v, &grown, &span_ns))
		rate = fmin((double)grown * factor * (double)SEC / (double)span_ns, rate_max);
	put_total(m, name, v, factor);
	if (m->s->rates)
		put_rate(m, name, rate);
	return rate;
}

double sample_counter(struct sample *m, const char *name, uint64_t v, double factor)
{
	return count(m, name, v, factor, INFINITY);
}

double sample_time(struct sample *m, const char *name, uint64_t v, double factor)
{
	return count(m, name, v, factor, 1);
}

bool sample_growth(struct sample *m, const char *name, uint64_t v, uint64_t *ret)
{
	int64_t ignored;
	return grow(m, name, v, ret, &ignored);
}

/* ---- the summary ------------------------------------------------------------------------------
 */

void sample_say(struct sample *m, const char *fmt, ...)
{
	size_t n = strlen(m->summary);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(m->summary + n, sizeof(m->summary) - n, fmt, ap);
	va_end(ap);
}

const char *human(char ret[16], double bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t i = 0;
	while (bytes >= 1023.5 && i + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1024;
		i++;
	}
	snprintf(ret, 16, i ? "%.1f %s" : "%.0f %s", bytes, units[i]);
	return ret;
}

void sample_highlight(struct sample *m, double weight, const char *fmt, ...)
{
	size_t n = m->n_highlights++, at;
	n = n < HIGHLIGHTS ? n : HIGHLIGHTS;
	for (at = n; at > 0 && m->highlights[at - 1].weight < weight; at--)
		if (at < HIGHLIGHTS)
			m->highlights[at] = m->highlights[at - 1];
	if (at == HIGHLIGHTS)
		return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(m->highlights[at].text, sizeof(m->highlights[at].text), fmt, ap);
	va_end(ap);
	m->highlights[at].weight = weight;
}

void sample_say_highlights(struct sample *m)
{
	for (size_t i = 0; i < m->n_highlights && i < HIGHLIGHTS; i++)
		sample_say(m, "%s%s", i ? "; " : "", m->highlights[i].text);
	if (m->n_highlights > HIGHLIGHTS)
		sample_say(m, "; and %zu more", m->n_highlights - HIGHLIGHTS);
}

int sample_lacks(struct sample *m, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(m->why, sizeof(m->why), fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- which devices -----------------------------------------------------------------------------
 */

bool has_option(struct state *s, const char *name)
{
	return s->src->host->option(s->src, name, 0) != NULL;
}

/* For a message, as many as there is room for. */
static void note_other(struct sample *m, const char *name)
{
	size_t n = strlen(m->others), room = sizeof(m->others) - n;
	if (strlen(name) + 4 < room)
		snprintf(m->others + n, room, "%s%s", n ? ", " : "", name);
}

static bool matches(struct state *s, const char *prefix, const char *which, const char *name,
		    bool *any)
{
	char option[64];
	const char *pattern;
	snprintf(option, sizeof(option), "%s.%s", prefix, which);
	for (size_t i = 0; (pattern = s->src->host->option(s->src, option, i)); i++) {
		*any = true;
		if (fnmatch(pattern, name, 0) == 0)
			return true;
	}
	return false;
}

bool is_wanted(struct state *s, const char *prefix, const char *name)
{
	bool any_include = false, any_exclude = false;
	if (strcmp(prefix, "fstype") != 0)
		note_other(&s->sample, name);
	bool included = matches(s, prefix, "include", name, &any_include);
	return (included || !any_include) && !matches(s, prefix, "exclude", name, &any_exclude);
}

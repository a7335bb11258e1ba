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
	uint64_t total;
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
	char key[512];
	struct history *h = m->s->history;
	int n = snprintf(key, sizeof(key), "%s %s %s", m->collector, m->device ? m->device : "",
			 name);
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

void sample_device(struct sample *m, const char *label, const char *device)
{
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
	m->summary[0] = 0;
	m->devices_len = 0;
	m->device = NULL;
}

void sample_free(struct sample *m)
{
	fields_free(&m->fields);
	free(m->devices);
}

void sample_int(struct sample *m, const char *name, int64_t v)
{
	char text[32];
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

void sample_counter(struct sample *m, const char *name, uint64_t v, double factor)
{
	bool is_new, went_back;
	struct entry *e = recall(m, name, &is_new);
	went_back = !is_new && v < e->value;
	double seconds = (double)(m->now_ns - e->at_ns) / (double)SEC;
	double rate = is_new || went_back || seconds <= 0
			      ? NAN
			      : (double)(v - e->value) * factor / seconds;
	e->value = v;
	e->at_ns = m->now_ns;
	m->was_reset |= went_back;
	if (factor < 1)
		sample_double(m, name, (double)v * factor);
	else
		sample_int(m, name, (int64_t)((double)v * factor));
	if (m->s->rates)
		put_rate(m, name, rate);
}

double sample_share(struct sample *m, const char *name, uint64_t v, uint64_t total)
{
	bool is_new;
	struct entry *e = recall(m, name, &is_new);
	double share = -1;
	if (!is_new && (v < e->value || total < e->total))
		m->was_reset = true;
	else if (!is_new && total > e->total)
		share = (double)(v - e->value) / (double)(total - e->total);
	e->value = v;
	e->total = total;
	return share;
}

void sample_say(struct sample *m, const char *fmt, ...)
{
	size_t n = strlen(m->summary);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(m->summary + n, sizeof(m->summary) - n, fmt, ap);
	va_end(ap);
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
	bool included = matches(s, prefix, "include", name, &any_include);
	return (included || !any_include) && !matches(s, prefix, "exclude", name, &any_exclude);
}

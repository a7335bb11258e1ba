/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

enum { NAME_ROOM = 128 };

/* ---- JSON of the devices ---------------------------------------------------------------- */

static void put(struct sample *m, const char *p, size_t n)
{
	if (m->json_room - m->json_len < n + 1) {
		m->json_room = 2 * (m->json_room + n) + 256;
		m->json = must(realloc(m->json, m->json_room));
	}
	memcpy(m->json + m->json_len, p, n);
	m->json_len += n;
	m->json[m->json_len] = 0;
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
	devices_add(&m->devices, device);
	thresholds_device(m->s, device);
	puts_json(m, m->json_len ? "},{" : "[{");
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
	if (m->json_len)
		puts_json(m, "}]");
	m->device = NULL;
	fields_json(&m->fields, "devices", m->json_len ? m->json : "[]",
		    m->json_len ? m->json_len : 2);
}

/* ---- values ----------------------------------------------------------------------------- */

void sample_begin(struct sample *m, struct state *s, const char *collector)
{
	fields_reset(&m->fields);
	m->s = s;
	m->collector = collector;
	m->now_ns = mono_ns();
	m->was_reset = false;
	m->summary[0] = m->why[0] = 0;
	m->json_len = m->n_highlights = 0;
	devices_reset(&m->devices);
	m->device = m->scope = NULL;
}

void sample_free(struct sample *m)
{
	fields_free(&m->fields);
	free(m->json);
	devices_free(&m->devices);
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

/* What the counter grew by, and over which time.  Two ticks that are close together, for one was
 * late, say nothing of a second: the next one is compared with the older figure then.
 */
static struct growth grow(struct sample *m, const char *name, uint64_t v)
{
	char key[1024];
	snprintf(key, sizeof(key), "%s %s %s %s", m->collector, name, m->device ? m->device : "",
		 m->scope ? m->scope : "");
	struct growth g = history_put(m->s->history, key, v, m->now_ns, m->s->interval_ns / 10);
	m->was_reset |= g.went_back;
	return g;
}

static double count(struct sample *m, const char *name, uint64_t v, double factor, double rate_max)
{
	struct growth g = grow(m, name, v);
	double rate = NAN;
	if (g.is_known)
		rate = fmin((double)g.by * factor * (double)SEC / (double)g.span_ns, rate_max);
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
	struct growth g = grow(m, name, v);
	*ret = g.by;
	return g.is_known;
}

/* ---- the summary ------------------------------------------------------------------------ */

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

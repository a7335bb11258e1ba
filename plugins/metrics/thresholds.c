/* SPDX-License-Identifier: MIT
 *
 * An alarm is one device that is beyond its limit; it is kept until the value is back, or the
 * device gone, and each of the two is one event.  Alarms are committed with their events, so that
 * a restart neither repeats one nor forgets to end it.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"

struct alarm {
	struct alarm *next;
	struct limit *limit; /* NULL: it was removed from the configuration */
	char *name, *device; /* device: NULL for a value of the whole machine */
	bool is_below;
	double value;
	bool has_news, is_over;
	bool is_here; /* its device, in this tick */
};

struct thresholds {
	struct limit *limits;
	struct alarm *alarms;
};

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : !a && !b;
}

static struct alarm *find_alarm(const struct thresholds *t, const char *name, const char *device,
				bool is_below)
{
	struct alarm *a = t->alarms;
	while (a && (a->is_below != is_below || strcmp(a->name, name) != 0 ||
		     !is_same(a->device, device)))
		a = a->next;
	return a;
}

static struct alarm *add_alarm(struct thresholds *t, const char *name, const char *device,
			       bool is_below)
{
	struct alarm *a = must(calloc(1, sizeof(*a)));
	*a = (struct alarm){.next = t->alarms,
			    .limit = limits_find(t->limits, name, device, is_below),
			    .name = must(strdup(name)),
			    .device = device ? must(strdup(device)) : NULL,
			    .is_below = is_below,
			    .value = NAN,
			    .is_here = true};
	t->alarms = a;
	return a;
}

static void alarm_free(struct alarm *a)
{
	free(a->name);
	free(a->device);
	free(a);
}

void thresholds_free(struct thresholds *t)
{
	if (!t)
		return;
	limits_free(t->limits);
	while (t->alarms) {
		struct alarm *a = t->alarms;
		t->alarms = a->next;
		alarm_free(a);
	}
	free(t);
}

int thresholds_read(struct state *s)
{
	struct limit *fresh;
	if (!s->thresholds)
		s->thresholds = must(calloc(1, sizeof(*s->thresholds)));
	int r = limits_read(s, &fresh);
	if (r)
		return r;
	limits_free(s->thresholds->limits);
	s->thresholds->limits = fresh;
	for (struct alarm *a = s->thresholds->alarms; a; a = a->next)
		a->limit = limits_find(fresh, a->name, a->device, a->is_below);
	return 0;
}

static void look(struct thresholds *t, const char *name, const char *device, double v,
		 bool is_below)
{
	struct limit *l = limits_find(t->limits, name, device, is_below);
	if (!l)
		return;
	struct alarm *a = find_alarm(t, name, device, is_below);
	bool is_beyond = is_below ? v < l->level : v > l->level;
	if (!a && is_beyond) {
		a = add_alarm(t, name, device, is_below);
		a->has_news = true;
	} else if (a && (is_below ? v >= l->until : v <= l->until)) {
		a->has_news = a->is_over = true;
	}
	if (a)
		a->value = v;
}

void thresholds_look(struct state *s, const char *name, const char *device, double v)
{
	if (!s->thresholds || !s->thresholds->limits)
		return;
	look(s->thresholds, name, device, v, false);
	look(s->thresholds, name, device, v, true);
}

void thresholds_device(struct state *s, const char *device)
{
	for (struct alarm *a = s->thresholds ? s->thresholds->alarms : NULL; a; a = a->next)
		a->is_here |= a->device && strcmp(a->device, device) == 0;
}

/* ---- their events ---------------------------------------------------------------------------- */

/* "NAME above DEVICE"; a device may hold blanks, a name does not. */
static size_t put_key(char *key, size_t size, const struct alarm *a)
{
	int n = snprintf(key, size, "%s %s %s", a->name, a->is_below ? "below" : "above",
			 a->device ? a->device : "");
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static void put_message(char *text, size_t size, const struct alarm *a)
{
	const char *side = a->is_below ? "below" : "above";
	const char *of = a->device ? " of " : "", *device = a->device ? a->device : "";
	if (!a->limit)
		snprintf(text, size, "%s%s%s was %s its threshold, which is no longer configured",
			 a->name, of, device, side);
	else if (!a->is_here)
		snprintf(text, size, "%s%s%s no longer exists; it was %s its threshold of %g",
			 a->name, of, device, side, a->limit->level);
	else
		snprintf(text, size, "%s%s%s is %.6g, %s%s its threshold of %g", a->name, of,
			 device, a->value, a->is_over ? "no longer " : "", side, a->limit->level);
}

static int emit(struct state *s, const struct alarm *a)
{
	char message[600], key[256];
	struct fields *f = &s->sample.fields;
	struct sluice_cursor cursor = {.key = key,
				       .key_len = put_key(key, sizeof(key), a),
				       .value = "1",
				       .value_len = a->is_over ? 0 : 1};
	fields_reset(f);
	fields_cstr(f, "name", a->name);
	if (a->device)
		fields_cstr(f, "device", a->device);
	fields_cstr(f, "direction", a->is_below ? "below" : "above");
	if (a->is_here && isfinite(a->value))
		fields_double(f, "value", a->value);
	else
		fields_null(f, "value");
	if (a->limit)
		fields_double(f, "threshold", a->limit->level);
	else
		fields_null(f, "threshold");
	fields_bool(f, "exceeded", !a->is_over);
	put_message(message, sizeof(message), a);
	struct sluice_event ev = {
		.type = "threshold",
		.severity = a->is_over ? 5 : 4,
		.body = message,
		.body_len = strlen(message),
		.fields = f->all,
		.n_fields = f->n,
		.cursor = cursor.key_len ? &cursor : NULL,
	};
	return s->src->host->emit(s->src, &ev);
}

/* A device that is not among the others any more takes its alarm with it. */
static void expire(struct alarm *a, const char *collector)
{
	bool is_its = a->limit && strcmp(a->limit->value->collector, collector) == 0;
	if (!a->limit || (is_its && a->device && !a->is_here))
		a->has_news = a->is_over = true;
}

void thresholds_emit(struct state *s, const char *collector)
{
	struct thresholds *t = s->thresholds;
	for (struct alarm **p = &t->alarms; *p;) {
		struct alarm *a = *p;
		expire(a, collector);
		if (a->has_news && emit(s, a) < 0)
			return; /* it has to stop; the next start looks again */
		a->has_news = false;
		if (!a->is_over) {
			p = &a->next;
			continue;
		}
		*p = a->next;
		alarm_free(a);
	}
}

void thresholds_begin(struct state *s, const char *collector)
{
	for (struct alarm *a = s->thresholds->alarms; a; a = a->next)
		if (a->limit && strcmp(a->limit->value->collector, collector) == 0)
			a->is_here = !a->device;
}

void thresholds_recall(struct state *s)
{
	struct sluice_cursor c;
	for (size_t i = 0; s->src->host->cursor(s->src, i, &c) == 0; i++) {
		char *name = must(strndup(c.key, c.key_len));
		char *side = strchr(name, ' '), *device = side ? strchr(side + 1, ' ') : NULL;
		if (device) {
			*side = *device = 0;
			device = device[1] ? device + 1 : NULL;
			bool is_below = strcmp(side + 1, "below") == 0;
			if (!find_alarm(s->thresholds, name, device, is_below))
				add_alarm(s->thresholds, name, device, is_below);
		}
		free(name);
	}
}

void thresholds_complain(struct state *s, const char *collector)
{
	for (const struct limit *l = s->thresholds->limits; l; l = l->next) {
		if (!l->devices || strcmp(l->value->collector, collector) != 0)
			continue;
		const struct devices *d = &s->sample.devices;
		trouble(s, devices_match(d, l->devices), "thresholds", l->devices,
			"%s: no device matches \"%.200s\" (%s%s)", l->name, l->devices,
			d->others[0] ? "there are: " : "there are none", d->others);
	}
}

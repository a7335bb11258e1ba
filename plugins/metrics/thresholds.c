/* SPDX-License-Identifier: MIT
 *
 * Thresholds.  A limit is what the configuration says of a value: above or below which level
 * it is an alarm, for all devices or for those that a pattern names.  An alarm is one device
 * that is beyond its limit; it is kept until the value is back, or the device gone, and each
 * of the two is one event.  Alarms are committed with their events, so that a restart neither
 * repeats one nor forgets to end it.
 */
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

struct limit {
	struct limit *next;
	char *name;
	char *devices; /* a pattern; NULL: all of them */
	bool is_below;
	double level, until; /* until: where the alarm ends */
	bool has_percent;    /* one of them was written so */
	const struct value_name *value;
};

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

/* ---- what the configuration says --------------------------------------------------------- */

static char *skip_blanks(char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* Steps over the word, if it stands there. */
static bool take_word(char **p, const char *word)
{
	size_t n = strlen(word);
	*p = skip_blanks(*p);
	if (strncmp(*p, word, n) != 0 || ((*p)[n] != ' ' && (*p)[n] != '\t'))
		return false;
	*p += n;
	return true;
}

/* 0.9, 90%, 500MiB. */
static bool take_number(char **p, double *ret, bool *has_percent)
{
	static const struct {
		const char *name;
		double factor;
	} units[] = {
		{"%", 0},
		{"KiB", 1024.0},
		{"MiB", 1048576.0},
		{"GiB", 1073741824.0},
		{"TiB", 1099511627776.0},
		{"kB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"TB", 1e12},
	};
	char *end;
	*p = skip_blanks(*p);
	*ret = strtod(*p, &end);
	if (end == *p || !isfinite(*ret))
		return false;
	*p = skip_blanks(end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t n = strlen(units[i].name);
		if (strncmp(*p, units[i].name, n) != 0)
			continue;
		*ret = units[i].factor > 0 ? *ret * units[i].factor : *ret / 100;
		*has_percent |= units[i].factor == 0;
		*p = skip_blanks(*p + n);
		break;
	}
	return true;
}

/* "0.9", "below 10%", "above 0.9 until 0.8". */
static bool read_condition(char *text, struct limit *l)
{
	l->is_below = take_word(&text, "below");
	if (!l->is_below)
		(void)take_word(&text, "above");
	if (!take_number(&text, &l->level, &l->has_percent))
		return false;
	l->until = l->level;
	if (take_word(&text, "until") && !take_number(&text, &l->until, &l->has_percent))
		return false;
	return !*text;
}

static void limit_free(struct limit *l)
{
	free(l->name);
	free(l->devices);
	free(l);
}

static int refuse(struct state *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct state *s, const char *fmt, ...)
{
	char why[600];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return s->src->host->refuse(s->src, "thresholds", why);
}

static int refuse_name(struct state *s, const char *name)
{
	char meant[VALUE_NAME_MAX];
	if (value_name_nearest(name, meant, sizeof(meant)))
		return refuse(s, "no value is called \"%.150s\" (did you mean \"%s\"?)", name,
			      meant);
	return refuse(s,
		      "no value is called \"%.150s\" (sluice plugins metrics lists the values of "
		      "each event)",
		      name);
}

/* A share is 0 to 1, so an alarm above 90 never begins, and one below 10 always. */
static int check_share(struct state *s, const struct limit *l)
{
	const char *side = l->is_below ? "below" : "above";
	double high = l->is_below ? 1 : nextafter(1, 0), low = l->is_below ? nextafter(0, 1) : 0;
	if (l->level > high || l->level < low)
		return refuse(s,
			      "%s is between 0 and 1, so it is %s %s %g (a percentage needs its "
			      "sign, as in 90%%)",
			      l->name, (l->level > high) == l->is_below ? "always" : "never", side,
			      l->level);
	if (l->until > 1 || l->until < 0)
		return refuse(s,
			      "%s is between 0 and 1, so the alarm would not end at %g (a "
			      "percentage needs its sign, as in 90%%)",
			      l->name, l->until);
	return 0;
}

static int check_level(struct state *s, const struct limit *l, bool is_rate)
{
	enum value_scale scale = value_scale(l->value, is_rate);
	if (scale == VALUE_SHARE)
		return check_share(s, l);
	if (l->has_percent && scale == VALUE_AMOUNT)
		return refuse(s,
			      "%s is an amount, and %% is for shares (write a number, such as "
			      "500MiB)",
			      l->name);
	return 0;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : !a && !b;
}

/* A second one of the same kind would never be looked at. */
static bool is_doubled(const struct thresholds *t, const struct limit *l)
{
	for (const struct limit *o = t->limits; o; o = o->next)
		if (o->is_below == l->is_below && strcmp(o->name, l->name) == 0 &&
		    is_same(o->devices, l->devices))
			return true;
	return false;
}

/* What is configured and could never happen is a mistake. */
static int check_limit(struct state *s, const struct limit *l, bool is_rate)
{
	const struct value_name *v = l->value;
	if (!metrics_collects(s, v->collector))
		return refuse(s,
			      "%s comes from the collector %s, which is not enabled (add %s to "
			      "collectors)",
			      l->name, v->collector, v->collector);
	if (is_rate && !s->rates)
		return refuse(s, "%s needs rates, which are disabled (set rates: true)", l->name);
	if (l->devices && !(v->flags & VALUE_OF_DEVICES))
		return refuse(s,
			      "%s is one value for the whole machine (remove \"%.150s\" after it)",
			      l->name, l->devices);
	if (l->devices && (v->flags & VALUE_OF_MACHINE) && !s->per_cpu)
		return refuse(s, "%s of CPU %.150s is not collected (set per_cpu: true)", l->name,
			      l->devices);
	if (l->is_below ? l->until < l->level : l->until > l->level)
		return refuse(s, "%s: an alarm %s %g cannot last until %g (until must be %s)",
			      l->name, l->is_below ? "below" : "above", l->level, l->until,
			      l->is_below ? "higher" : "lower");
	return check_level(s, l, is_rate);
}

static int add_condition(struct state *s, struct thresholds *t, char *key, char *condition)
{
	struct limit *l = must(calloc(1, sizeof(*l)));
	bool is_rate;
	size_t n = strcspn(key, " \t");
	char *devices = skip_blanks(key + n);
	l->name = must(strndup(key, n));
	l->devices = *devices ? must(strdup(devices)) : NULL;
	l->value = value_name_find(l->name, &is_rate);
	int r = 0;
	if (!l->value)
		r = refuse_name(s, l->name);
	else if (!read_condition(condition, l))
		r = refuse(s,
			   "\"%.100s\" is not a threshold for %s (write a number such as 0.9 or "
			   "90%%, \"below 10%%\", or \"above 0.9 until 0.8\")",
			   skip_blanks(condition), l->name);
	else if (is_doubled(t, l))
		r = refuse(s, "%s has two thresholds \"%s\" for the same devices (remove one)",
			   l->name, l->is_below ? "below" : "above");
	else
		r = check_limit(s, l, is_rate);
	if (r) {
		limit_free(l);
		return r;
	}
	struct limit **end = &t->limits;
	while (*end)
		end = &(*end)->next;
	*end = l;
	return 0;
}

/* "NAME=0.9", "NAME DEVICES=above 0.9, below 0.1". */
static int add_option(struct state *s, struct thresholds *t, const char *option)
{
	char *text = must(strdup(option)), *save = NULL;
	char *equals = strrchr(text, '=');
	int r = 0;
	*equals = 0;
	char *condition = strtok_r(equals + 1, ",", &save);
	if (!condition)
		r = refuse(s, "%.150s has no threshold (write a number such as 0.9)", text);
	for (; condition && !r; condition = strtok_r(NULL, ",", &save))
		r = add_condition(s, t, text, condition);
	free(text);
	return r;
}

static void free_limits(struct limit *l)
{
	while (l) {
		struct limit *next = l->next;
		limit_free(l);
		l = next;
	}
}

/* One that names devices comes before one for all. */
static struct limit *find_limit(const struct thresholds *t, const char *name, const char *device,
				bool is_below)
{
	struct limit *general = NULL;
	for (struct limit *l = t->limits; l; l = l->next) {
		if (l->is_below != is_below || strcmp(l->name, name) != 0)
			continue;
		if (l->devices && device && fnmatch(l->devices, device, 0) == 0)
			return l;
		bool is_for_all = !device || !(l->value->flags & VALUE_OF_MACHINE);
		if (!l->devices && is_for_all && !general)
			general = l;
	}
	return general;
}

int thresholds_read(struct state *s)
{
	struct thresholds fresh = {0};
	const char *option;
	int r = 0;
	if (!s->thresholds)
		s->thresholds = must(calloc(1, sizeof(*s->thresholds)));
	for (size_t i = 0; !r && (option = s->src->host->option(s->src, "thresholds", i)); i++)
		r = add_option(s, &fresh, option);
	if (r) {
		free_limits(fresh.limits);
		return r;
	}
	free_limits(s->thresholds->limits);
	s->thresholds->limits = fresh.limits;
	for (struct alarm *a = s->thresholds->alarms; a; a = a->next)
		a->limit = find_limit(s->thresholds, a->name, a->device, a->is_below);
	return 0;
}

/* ---- alarms --------------------------------------------------------------------------------- */

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
			    .limit = find_limit(t, name, device, is_below),
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
	free_limits(t->limits);
	while (t->alarms) {
		struct alarm *a = t->alarms;
		t->alarms = a->next;
		alarm_free(a);
	}
	free(t);
}

static void look(struct thresholds *t, const char *name, const char *device, double v,
		 bool is_below)
{
	struct limit *l = find_limit(t, name, device, is_below);
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
		const char *others = s->sample.others;
		trouble(s, sample_has(&s->sample, l->devices), "thresholds", l->devices,
			"%s: no device matches \"%.200s\" (%s%s)", l->name, l->devices,
			others[0] ? "there are: " : "there are none", others);
	}
}

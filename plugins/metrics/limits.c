/* SPDX-License-Identifier: MIT */
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/option.h"
#include "limits.h"

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

static int refuse_name(const struct state *s, const char *name)
{
	char meant[VALUE_NAME_MAX];
	if (value_name_nearest(name, meant, sizeof(meant)))
		return option_refuse(s->src, "thresholds",
				     "no value is called \"%.150s\" (did you mean \"%s\"?)", name,
				     meant);
	return option_refuse(
		s->src, "thresholds",
		"no value is called \"%.150s\" (sluice plugins metrics lists the values of "
		"each event)",
		name);
}

/* A share is 0 to 1, so an alarm above 90 never begins, and one below 10 always. */
static int check_share(const struct state *s, const struct limit *l)
{
	const char *side = l->is_below ? "below" : "above";
	double high = l->is_below ? 1 : nextafter(1, 0), low = l->is_below ? nextafter(0, 1) : 0;
	if (l->level > high || l->level < low)
		return option_refuse(
			s->src, "thresholds",
			"%s is between 0 and 1, so it is %s %s %g (a percentage needs its "
			"sign, as in 90%%)",
			l->name, (l->level > high) == l->is_below ? "always" : "never", side,
			l->level);
	if (l->until > 1 || l->until < 0)
		return option_refuse(s->src, "thresholds",
				     "%s is between 0 and 1, so the alarm would not end at %g (a "
				     "percentage needs its sign, as in 90%%)",
				     l->name, l->until);
	return 0;
}

static int check_level(const struct state *s, const struct limit *l, bool is_rate)
{
	enum value_scale scale = value_scale(l->value, is_rate);
	if (scale == VALUE_SHARE)
		return check_share(s, l);
	if (l->has_percent && scale == VALUE_AMOUNT)
		return option_refuse(
			s->src, "thresholds",
			"%s is an amount, and %% is for shares (write a number, such as "
			"500MiB)",
			l->name);
	return 0;
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : !a && !b;
}

/* A second one of the same kind would never be looked at. */
static bool is_doubled(const struct limit *all, const struct limit *l)
{
	for (const struct limit *o = all; o; o = o->next)
		if (o->is_below == l->is_below && strcmp(o->name, l->name) == 0 &&
		    is_same_text(o->devices, l->devices))
			return true;
	return false;
}

/* What is configured and could never happen is a mistake. */
static int check_limit(const struct state *s, const struct limit *l, bool is_rate)
{
	const struct value_name *v = l->value;
	if (!options_collect(s, v->collector))
		return option_refuse(
			s->src, "thresholds",
			"%s comes from the collector %s, which is not enabled (add %s to "
			"collectors)",
			l->name, v->collector, v->collector);
	if (is_rate && !s->rates)
		return option_refuse(s->src, "thresholds",
				     "%s needs rates, which are disabled (set rates: true)",
				     l->name);
	if (l->devices && !(v->flags & VALUE_OF_DEVICES))
		return option_refuse(
			s->src, "thresholds",
			"%s is one value for the whole machine (remove \"%.150s\" after it)",
			l->name, l->devices);
	if (l->devices && (v->flags & VALUE_OF_MACHINE) && !s->per_cpu)
		return option_refuse(s->src, "thresholds",
				     "%s of CPU %.150s is not collected (set per_cpu: true)",
				     l->name, l->devices);
	if (l->is_below ? l->until < l->level : l->until > l->level)
		return option_refuse(s->src, "thresholds",
				     "%s: an alarm %s %g cannot last until %g (until must be %s)",
				     l->name, l->is_below ? "below" : "above", l->level, l->until,
				     l->is_below ? "higher" : "lower");
	return check_level(s, l, is_rate);
}

static int add_condition(const struct state *s, struct limit **all, char *key, char *condition)
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
		r = option_refuse(
			s->src, "thresholds",
			"\"%.100s\" is not a threshold for %s (write a number such as 0.9 or "
			"90%%, \"below 10%%\", or \"above 0.9 until 0.8\")",
			skip_blanks(condition), l->name);
	else if (is_doubled(*all, l))
		r = option_refuse(s->src, "thresholds",
				  "%s has two thresholds \"%s\" for the same devices (remove one)",
				  l->name, l->is_below ? "below" : "above");
	else
		r = check_limit(s, l, is_rate);
	if (r) {
		limit_free(l);
		return r;
	}
	while (*all)
		all = &(*all)->next;
	*all = l;
	return 0;
}

/* "NAME=0.9", "NAME DEVICES=above 0.9, below 0.1". */
static int add_option(const struct state *s, struct limit **all, const char *option)
{
	char *text = must(strdup(option)), *save = NULL;
	char *equals = strrchr(text, '=');
	int r = 0;
	*equals = 0;
	char *condition = strtok_r(equals + 1, ",", &save);
	if (!condition)
		r = option_refuse(s->src, "thresholds",
				  "%.150s has no threshold (write a number such as 0.9)", text);
	for (; condition && !r; condition = strtok_r(NULL, ",", &save))
		r = add_condition(s, all, text, condition);
	free(text);
	return r;
}

void limits_free(struct limit *l)
{
	while (l) {
		struct limit *next = l->next;
		limit_free(l);
		l = next;
	}
}

int limits_read(const struct state *s, struct limit **ret)
{
	const char *option;
	int r = 0;
	*ret = NULL;
	for (size_t i = 0; !r && (option = s->src->host->option(s->src, "thresholds", i)); i++)
		r = add_option(s, ret, option);
	if (r) {
		limits_free(*ret);
		*ret = NULL;
	}
	return r;
}

struct limit *limits_find(struct limit *all, const char *name, const char *device, bool is_below)
{
	struct limit *general = NULL;
	for (struct limit *l = all; l; l = l->next) {
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

/* SPDX-License-Identifier: MIT */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

void devices_reset(struct devices *d)
{
	d->len = 0;
	d->others[0] = 0;
}

void devices_free(struct devices *d)
{
	free(d->names);
}

void devices_add(struct devices *d, const char *name)
{
	size_t n = strlen(name) + 1;
	if (d->room - d->len < n) {
		d->room = 2 * (d->room + n) + 256;
		d->names = must(realloc(d->names, d->room));
	}
	memcpy(d->names + d->len, name, n);
	d->len += n;
}

bool devices_match(const struct devices *d, const char *pattern)
{
	for (size_t i = 0; i < d->len; i += strlen(d->names + i) + 1)
		if (fnmatch(pattern, d->names + i, 0) == 0)
			return true;
	return false;
}

/* For a message, as many as there is room for. */
static void note_other(struct devices *d, const char *name)
{
	size_t n = strlen(d->others), room = sizeof(d->others) - n;
	if (strlen(name) + 4 < room)
		snprintf(d->others + n, room, "%s%s", n ? ", " : "", name);
}

static bool matches(const struct state *s, const char *prefix, const char *which, const char *name,
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
		note_other(&s->sample.devices, name);
	bool included = matches(s, prefix, "include", name, &any_include);
	return (included || !any_include) && !matches(s, prefix, "exclude", name, &any_exclude);
}

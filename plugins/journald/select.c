/* SPDX-License-Identifier: MIT
 *
 * select - which entries are wanted, by the rules of journalctl.
 */
#include <fnmatch.h>
#include <string.h>

#include "journald.h"

static bool raw_is(const struct raw *r, const char *text)
{
	return r && r->value.n == strlen(text) && memcmp(r->value.p, text, r->value.n) == 0;
}

static bool is_of_unit(const struct entry *e, const char *unit)
{
	const struct raw *by = e->known[KNOWN_UNIT];
	const struct {
		const struct raw *unit;
		bool is_trusted; /* any program may write these fields */
	} names[] = {
		{by, true},
		{e->known[KNOWN_ABOUT_UNIT], raw_is(e->known[KNOWN_PID], "1")},
		{e->known[KNOWN_OBJECT_UNIT], raw_is(e->known[KNOWN_UID], "0")},
		{e->known[KNOWN_COREDUMP_UNIT], raw_is(e->known[KNOWN_UID], "0")},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].unit && names[i].is_trusted &&
		    fnmatch(unit, names[i].unit->value.p, 0) == 0)
			return true;
	return false;
}

static bool is_of_units(const struct state *s)
{
	for (size_t i = 0; i < s->options.n_units; i++)
		if (is_of_unit(&s->entry, s->options.units[i]))
			return true;
	return !s->options.n_units;
}

static bool is_of_identifiers(const struct state *s)
{
	const char *want;
	size_t i = 0;
	for (; (want = s->src->host->option(s->src, "identifiers", i)); i++)
		if (raw_is(s->entry.known[KNOWN_IDENTIFIER], want))
			return true;
	return i == 0;
}

static bool has(const struct entry *e, const struct match *m)
{
	for (size_t i = 0; i < e->n; i++) {
		const struct raw *r = &e->all[i];
		if (r->name->len == m->name_len &&
		    memcmp(r->name->text, m->name, m->name_len) == 0 && r->value.n == m->value.n &&
		    memcmp(r->value.p, m->value.p, m->value.n) == 0)
			return true;
	}
	return false;
}

/* All fields that are named must have one of the values that are named for them. */
static bool matches(const struct state *s)
{
	const struct options *o = &s->options;
	bool found = true;
	for (size_t i = 0; i < o->n_matches; i++) {
		if (o->matches[i].is_first && !found)
			return false;
		if (o->matches[i].is_first)
			found = false;
		found = found || has(&s->entry, &o->matches[i]);
	}
	return found;
}

bool select_entry(const struct state *s)
{
	const struct options *o = &s->options;
	const struct raw *priority = s->entry.known[KNOWN_PRIORITY];
	if (o->has_priority && (!priority || priority->value.n != 1 || priority->value.p[0] < '0' ||
				priority->value.p[0] > '0' + o->priority))
		return false;
	if (o->boot[0] && strcmp(o->boot, s->entry.boot) != 0)
		return false;
	return is_of_units(s) && is_of_identifiers(s) && matches(s);
}

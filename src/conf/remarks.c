/* SPDX-License-Identifier: MIT */
#include "conf/remarks.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/unit.h"

struct telling {
	const struct settings *settings;
	void (*tell)(void *ctx, const char *sentence);
	void *ctx;
};

static void say(const struct telling *t, const char *fmt, ...) printf_like(2, 3);

static void say(const struct telling *t, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	t->tell(t->ctx, buf_text(&b));
	buf_fini(&b);
}

static bool group_has_members(const struct access_settings *a, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < a->n_members; i++)
		if (strncmp(a->members[i], name, n) == 0 && a->members[i][n] == ' ')
			return true;
	return false;
}

/* Whether the list lets anybody in; tells of groups that do not. */
static bool lets_in(const struct telling *t, const char *where, const struct who *w)
{
	bool any = false;
	for (size_t i = 0; i < w->n; i++) {
		bool is_group = strncmp(w->items[i], "group:", 6) == 0;
		bool is_empty =
			is_group && !group_has_members(&t->settings->access, w->items[i] + 6);
		any |= !is_empty;
		if (is_empty)
			say(t,
			    "%s: the group \"%s\" has nobody in it (access.groups names the file "
			    "of groups, with lines \"name: user user\")",
			    where, w->items[i] + 6);
	}
	return any;
}

static void look_at_access(const struct telling *t, const struct channel_settings *c)
{
	char *where = mem_printf("channels.%s.access", c->name);
	bool says_nothing = !c->access && !c->n_from && !t->settings->access.allows;
	if (says_nothing || (c->access && !lets_in(t, where, c->access)))
		say(t,
		    "nobody may read the channel \"%s\", but with a ticket (%s: anyone, or users, "
		    "groups or networks)",
		    c->name, where);
	free(where);
}

static void look_at_feed(const struct telling *t, const struct channel_settings *c)
{
	const struct settings *s = t->settings;
	const char **fed = mem_zero((s->n_sources + 1) * sizeof(fed[0]));
	bool is_fed = c->n_from > 0;
	for (size_t i = 0; i < s->n_sources; i++) {
		fed[i] = s->sources[i].channel;
		is_fed |= strcmp(fed[i], c->name) == 0;
	}
	const char *near = is_fed ? NULL : unit_nearest(c->name, fed);
	if (near)
		say(t, "no source feeds the channel \"%s\" (did you mean \"%s\"?)", c->name, near);
	else if (!is_fed)
		say(t,
		    "no source feeds the channel \"%s\" (a source's \"channel\" says where its "
		    "events go)",
		    c->name);
	free(fed);
}

void settings_remarks(const struct settings *s, void (*tell)(void *ctx, const char *sentence),
		      void *ctx)
{
	const struct telling t = {s, tell, ctx};
	for (size_t i = 0; i < s->n_channels; i++) {
		const struct channel_settings *c = &s->channels[i];
		if (strcmp(c->name, SETTINGS_OWN_CHANNEL) == 0)
			continue;
		look_at_access(&t, c);
		look_at_feed(&t, c);
	}
}

/* SPDX-License-Identifier: MIT */
#include "conf/lints.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/net.h"
#include "base/unit.h"
#include "base/utf8.h"

struct telling {
	const struct settings *settings;
	lint_fn *tell;
	void *ctx;
};

static void say_at(const struct telling *t, struct place at, const char *fmt, ...)
	printf_like(3, 4);

static void say_at(const struct telling *t, struct place at, const char *fmt, ...)
{
	struct buf b = {0}, text = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	place_put(&text, at);
	utf8_put_visible(&text, buf_str(&b));
	t->tell(t->ctx, buf_text(&text));
	buf_fini(&b);
	buf_fini(&text);
}

/* Of the configuration as a whole. */
#define say(t, ...) say_at(t, (struct place){(t)->settings->file, 0, 0}, __VA_ARGS__)

static bool group_has_members(const struct access_settings *a, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < a->n_members; i++)
		if (strncmp(a->members[i], name, n) == 0 && a->members[i][n] == ' ')
			return true;
	return false;
}

/* Whether the list lets anybody in; tells of groups that do not. */
static bool lets_in(const struct telling *t, const char *where, const struct acl *w)
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

/* Also of a plugin that is not ours: the name has a meaning. */
static void look_at_lines(const struct telling *t, const struct source_settings *src)
{
	int64_t bytes, max = t->settings->hub.event_size;
	const struct option_value *v = option_find(&src->options, "max_line");
	if (!v || v->type != SLUICE_SIZE || !v->n || unit_parse_size(v->items[0], &bytes) ||
	    bytes <= max)
		return;
	struct buf size = {0};
	unit_put_size(&size, max);
	say_at(t, v->at,
	       "sources.%s.max_line: %s is more than hub.limits.event_size, %s, so longer "
	       "messages are cut (raise event_size, or lower max_line)",
	       src->name, v->items[0], buf_text(&size));
	buf_fini(&size);
}

/* Below this a journal keeps next to nothing of each source. */
#define HISTORY_OF_SOURCE (128 * 1024)

static void look_at_history(const struct telling *t, const struct channel_settings *c)
{
	const struct settings *s = t->settings;
	size_t n = 0;
	for (size_t i = 0; i < s->n_sources; i++)
		n += strcmp(s->sources[i].channel, c->name) == 0;
	int64_t needs = MAX(2 * s->hub.event_size, (int64_t)n * HISTORY_OF_SOURCE);
	if (c->n_from || !n || c->history_size >= needs)
		return;
	struct buf has = {0}, most = {0}, wants = {0};
	unit_put_size(&has, c->history_size);
	unit_put_size(&most, s->hub.event_size);
	unit_put_size(&wants, needs);
	say(t,
	    "channels.%s.history.size: %s is too small for %zu source%s with events of up to %s "
	    "(hub.limits.event_size): clients that fall behind will miss events (use at least %s)",
	    c->name, buf_text(&has), n, n == 1 ? "" : "s", buf_text(&most), buf_text(&wants));
	buf_fini(&has);
	buf_fini(&most);
	buf_fini(&wants);
}

/* Rights by address are worth what is known of the address. */
static void look_at_networks(const struct telling *t)
{
	const struct access_settings *a = &t->settings->access;
	struct net net;
	for (size_t i = 0; i < a->n_trusted_proxies; i++)
		if (net_parse(a->trusted_proxies[i], &net) == 0 &&
		    (net.bits == 0 || net.bits == 96))
			say(t,
			    "access.trusted_proxies: %s trusts every client, so any client can "
			    "claim any address (list only your proxies)",
			    a->trusted_proxies[i]);
	if (!settings_use_net(t->settings))
		return;
	if (!a->lists_proxies)
		say(t,
		    "net: is used, and access.trusted_proxies is missing: behind a proxy, every "
		    "client has the proxy's address (list your proxies, or write [] if there are "
		    "none)");
	if (!a->n_hosts)
		say(t, "net: is used, and access.hosts is missing: a site that points its own name "
		       "at this machine can read through browsers in that network (list the names "
		       "by which people reach sluice)");
}

void lints_find(const struct settings *s, lint_fn *tell, void *ctx)
{
	const struct telling t = {s, tell, ctx};
	look_at_networks(&t);
	for (size_t i = 0; i < s->n_channels; i++) {
		const struct channel_settings *c = &s->channels[i];
		if (strcmp(c->name, SETTINGS_OWN_CHANNEL) == 0)
			continue;
		look_at_access(&t, c);
		look_at_feed(&t, c);
		look_at_history(&t, c);
	}
	for (size_t i = 0; i < s->n_sources; i++)
		look_at_lines(&t, &s->sources[i]);
}

static void log_lint(void *ctx maybe_unused, const char *sentence)
{
	log_warning("%s", sentence);
}

void lints_log(const struct settings *s)
{
	lints_find(s, log_lint, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "hub/subscription_builder.h"

#include <stdlib.h>

#include "base/mem.h"
#include "channel/channel.h"
#include "channel/regexes.h"

int builder_refuse(struct subscription_builder *a, const char *sentence)
{
	buf_puts(a->why, sentence);
	buf_putc(a->why, '\n');
	return 400;
}

/* ---- channels ------------------------------------------------------------------------ */

/* The place of a channel with a journal, or -1 when there are too many. */
static int place_of(struct subscription_builder *a, struct channel *c)
{
	struct subscription *s = a->s;
	size_t at = 0;
	while (at < s->n_channels &&
	       strcmp(s->channels[at].channel->settings.name, c->settings.name) < 0)
		at++;
	if (at < s->n_channels && s->channels[at].channel == c)
		return (int)at;
	if (s->n_channels == SUBSCRIPTION_CHANNELS_MAX)
		return -1;
	memmove(&s->channels[at + 1], &s->channels[at],
		(s->n_channels - at) * sizeof(s->channels[0]));
	memmove(&a->of[at + 1], &a->of[at], (s->n_channels - at) * sizeof(a->of[0]));
	s->n_channels++;
	s->channels[at] = (struct subscription_channel){.channel = c};
	memset(&a->of[at], 0, sizeof(a->of[at]));
	return (int)at;
}

static int too_many(struct subscription_builder *a)
{
	buf_printf(a->why, "More than %d channels in one stream (open several).\n",
		   SUBSCRIPTION_CHANNELS_MAX);
	return 400;
}

/* The strictest of all its channels counts. */
static void take_pace(struct subscription *s, const struct channel_settings *c, bool is_first,
		      uint64_t *own_tail)
{
	s->heartbeat_ns = is_first ? c->heartbeat_ns : MIN(s->heartbeat_ns, c->heartbeat_ns);
	s->retry_ns = is_first ? c->retry_ns : MIN(s->retry_ns, c->retry_ns);
	s->coalesce_ns = is_first ? c->coalesce_ns : MIN(s->coalesce_ns, c->coalesce_ns);
	s->max_lag_ns = is_first ? c->max_lag_ns : MIN(s->max_lag_ns, c->max_lag_ns);
	/* "latest" only where all say so: it drops what another one keeps. */
	if (is_first)
		s->slow = c->slow;
	else if (s->slow != c->slow)
		s->slow = s->slow == SLOW_DISCONNECT || c->slow == SLOW_DISCONNECT ? SLOW_DISCONNECT
										   : SLOW_CATCH_UP;
	s->gzips &= c->gzips;
	*own_tail = MAX(*own_tail, (uint64_t)c->tail);
}

static int add_derived(struct subscription_builder *a, const struct channel_settings *d)
{
	for (size_t i = 0; i < d->n_from; i++) {
		struct channel *c = registry_channel(&a->hub->registry, d->from[i]);
		if (!c)
			continue;
		int at = place_of(a, c);
		if (at < 0)
			return too_many(a);
		if (!d->filter)
			a->of[at].all = true;
		else
			buf_printf(&a->of[at].text, "%s(%s)", a->of[at].text.len ? " or " : "",
				   d->filter);
	}
	a->s->is_derived = true;
	return 0;
}

int builder_add_channel(struct subscription_builder *a, const char *name)
{
	for (size_t i = 0; i < a->n_names; i++)
		if (strcmp(a->names[i], name) == 0)
			return 0;
	if (a->n_names == SUBSCRIPTION_CHANNELS_MAX)
		return too_many(a);
	const struct channel_settings *settings = registry_derived(&a->hub->registry, name);
	struct channel *c = settings ? NULL : registry_channel(&a->hub->registry, name);
	if ((!c && !settings) || !authorize(&a->hub->access, a->who, name, RIGHT_READ)) {
		buf_puts(a->why, "There is no channel of that name here that you may read (see "
				 "/channels; \"access\" in the configuration says who may).\n");
		return 404;
	}
	take_pace(a->s, settings ? settings : &c->settings, !a->n_names, &a->own_tail);
	a->names[a->n_names++] = mem_strdup(name);
	if (settings)
		return add_derived(a, settings);
	int at = place_of(a, c);
	if (at < 0)
		return too_many(a);
	a->of[at].all = true;
	return 0;
}

/* ---- filters ------------------------------------------------------------------------------ */

/* One more that must hold; refused with its own text, so that places are right. */
int builder_add_filter(struct subscription_builder *a, struct str text, const char *parameter)
{
	struct buf why = {0};
	if (++a->n_filters > FILTERS_MAX)
		return builder_refuse(
			a, "More than 16 filters in one request (join them with \"and\").");
	struct filter *f = filter_parse(regexes_pool(a->hub->registry.regexes), text, &why);
	if (!f) {
		if (strcmp(parameter, "filter") != 0)
			buf_printf(a->why, "In \"%s\": ", parameter);
		buf_put_str(a->why, buf_str(&why));
		buf_fini(&why);
		return 400;
	}
	const char *slow = filter_trouble(f);
	if (slow)
		buf_printf(a->why,
			   "the filter: the regex /%s/ is switched off, for it would not end "
			   "(write it without nested repetition such as (a+)+)\n",
			   slow);
	else
		buf_printf(&a->filter, "%s(%.*s)", a->filter.len ? " and " : "",
			   (int)filter_text(f).len, filter_text(f).data);
	int status = slow ? 400 : 0;
	a->kept[a->n_kept++] = f;
	buf_fini(&why);
	return status;
}

int builder_add_grep(struct subscription_builder *a, struct str value, bool excludes)
{
	struct buf text = {0};
	buf_puts(&text, excludes ? "not " : "");
	filter_put_grep(&text, value);
	int status = builder_add_filter(a, buf_str(&text), excludes ? "exclude" : "grep");
	buf_fini(&text);
	return status;
}

int builder_add_one_of(struct subscription_builder *a, const char *subject, struct str values)
{
	struct buf text = {0};
	filter_put_one_of(&text, subject, values);
	int status = builder_add_filter(a, buf_str(&text), subject);
	buf_fini(&text);
	return status;
}

/* severity=warning means warning or worse; severity=warning,info means exactly these two. */
int builder_add_severity(struct subscription_builder *a, struct str value)
{
	if (memchr(value.data, ',', value.len))
		return builder_add_one_of(a, "severity", value);
	struct buf text = {0};
	buf_puts(&text, "severity <= ");
	filter_put_string(&text, value);
	int status = builder_add_filter(a, buf_str(&text), "severity");
	buf_fini(&text);
	return status;
}

/* The filter of each channel: what derived channels let through, and what was asked. */
int builder_make_filters(struct subscription_builder *a)
{
	struct subscription *s = a->s;
	struct buf text = {0};
	int status = 0;
	for (size_t i = 0; i < s->n_channels && !status; i++) {
		text.len = 0;
		if (!a->of[i].all && is_of_past(a->use))
			s->channels[i].bounds =
				filter_compose(regexes_pool(a->hub->registry.regexes),
					       buf_str(&a->of[i].text), a->why);
		if (!a->of[i].all)
			buf_printf(&text, "(%.*s)", (int)a->of[i].text.len, a->of[i].text.data);
		if (a->filter.len) {
			buf_puts(&text, text.len ? " and " : "");
			buf_put_str(&text, buf_str(&a->filter));
		}
		if (!text.len)
			continue;
		s->channels[i].filter = filter_compose(regexes_pool(a->hub->registry.regexes),
						       buf_str(&text), a->why);
		if (!s->channels[i].filter) {
			/* Each filter was valid alone.  The message must not reveal the
			 * channel's own one.
			 */
			a->why->len = 0;
			buf_puts(a->why,
				 "The filter has too many regexes, or is too long, together "
				 "with the one that the channel itself has.\n");
			status = 400;
		} else if (filter_trouble(s->channels[i].filter)) {
			buf_puts(a->why, "a regex of that channel's own filter is switched off\n");
			status = 503;
		} else if (regexes_filter_is_off(a->hub->registry.regexes, s->channels[i].filter)) {
			buf_puts(a->why,
				 "the filter took too long for too many events and is "
				 "switched off for 10 minutes (fewer or simpler regexes)\n");
			status = a->filter.len ? 400 : 503;
		}
	}
	if (a->filter.len) {
		struct filter *f =
			status ? NULL : filter_compose(NULL, buf_str(&a->filter), a->why);
		if (f)
			buf_put_str(&s->filter, filter_text(f));
		filter_unref(f);
	}
	buf_fini(&text);
	return status;
}

/* SPDX-License-Identifier: MIT */
#include "conf/channels.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/unit.h"
#include "conf/access.h"
#include "conf/name.h"
#include "conf/values.h"
#include "filter/filter.h"

#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAY (86400 * NS_PER_SEC)

static const char *const durabilities[] = {"memory", "process", "disk", NULL};
static const char *const slows[] = {"catch_up", "gap", "latest", "disconnect", NULL};

const struct sluice_option channel_options[] = {
	{"history.size", SLUICE_SIZE, 0, "256MiB", NULL, 64 * KIB, 1024 * GIB,
	 "how much is kept, in bytes", NULL},
	{"history.age", SLUICE_DURATION, 0, NULL, NULL, NS_PER_SEC, 3650 * DAY,
	 "how long it is kept", NULL},
	{"durability", SLUICE_ENUM, 0, "process", durabilities, 0, 0,
	 "memory: survives the death of no process; process: of any; disk: a power failure too",
	 NULL},
	{"heartbeat", SLUICE_DURATION, 0, "15s", NULL, 100 * NS_PER_MS, 3600 * NS_PER_SEC,
	 "a sign of life in a quiet stream", NULL},
	{"retry", SLUICE_DURATION, 0, "3s", NULL, 10 * NS_PER_MS, 3600 * NS_PER_SEC,
	 "how long a client waits before it reconnects", NULL},
	{"coalesce", SLUICE_DURATION, 0, "5ms", NULL, 0, NS_PER_SEC,
	 "the shortest time between two writes to a stream while it is busy", NULL},
	{"tail", SLUICE_INT, 0, "0", NULL, 0, 100000,
	 "events that a client gets first when it names no start", NULL},
	{"gzip", SLUICE_BOOL, 0, "true", NULL, 0, 0,
	 "compress streams for clients that accept it (false where the front server does)", NULL},
	{"slow", SLUICE_ENUM, 0, "catch_up", slows, 0, 0,
	 "a client that is too slow: catch_up reads on from the journal, gap goes on from now, "
	 "latest from the newest event of each type, disconnect ends it",
	 NULL},
	{"max_lag", SLUICE_DURATION, 0, "30s", NULL, 100 * NS_PER_MS, DAY,
	 "how long a client may be behind until \"slow\" applies (but for catch_up)", NULL},
	{"access", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "who may read it: anyone, authenticated, user:NAME, group:NAME, net:ADDRESS/BITS", NULL},
	{"replay", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "who of them may also see its past; else all", NULL},
	{"admin", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "who sees in /status how it and its sources do, beside access.admin", NULL},
	{"from", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "a derived channel: those whose events it shows", NULL},
	{"filter", SLUICE_STRING, 0, NULL, NULL, 0, 0,
	 "of them, those that match (see sluice-filters(7))", NULL},
	{0},
};

static void fill_channel(struct channel_settings *c, const struct option_values *v)
{
	c->history_size = values_number(channel_options, v, "history.size");
	c->history_age_ns = values_number(channel_options, v, "history.age");
	c->durability = (enum durability)values_number(channel_options, v, "durability");
	c->heartbeat_ns = values_number(channel_options, v, "heartbeat");
	c->retry_ns = values_number(channel_options, v, "retry");
	c->coalesce_ns = values_number(channel_options, v, "coalesce");
	c->tail = values_number(channel_options, v, "tail");
	c->gzips = values_number(channel_options, v, "gzip");
	c->slow = (enum slow)values_number(channel_options, v, "slow");
	c->max_lag_ns = values_number(channel_options, v, "max_lag");
}

static struct channel_settings *find_channel(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_channels; i++)
		if (strcmp(s->channels[i].name, name) == 0)
			return &s->channels[i];
	return NULL;
}

void channel_settings_fini(struct channel_settings *c)
{
	free(c->name);
	list_free(c->from, c->n_from);
	who_free(c->access);
	who_free(c->replay);
	who_free(c->admin);
	free(c->filter);
	*c = (struct channel_settings){0};
}

struct channel_settings *settings_channel(struct settings *s, const char *name)
{
	static const struct option_values none;
	struct channel_settings *c = find_channel(s, name);
	if (c)
		return c;
	s->channels = mem_resize(s->channels, (s->n_channels + 1) * sizeof(s->channels[0]));
	c = &s->channels[s->n_channels++];
	*c = (struct channel_settings){.name = mem_strdup(name)};
	fill_channel(c, &none);
	if (strcmp(name, SETTINGS_OWN_CHANNEL) == 0)
		c->history_size = 4 * MIB;
	return c;
}

/* What only a channel that sources feed has. */
static void refuse_own(const struct option_values *v, const char *where, struct errors *e)
{
	static const char *const fed_only[] = {"history.size", "history.age", "durability"};
	for (size_t i = 0; i < array_size(fed_only); i++) {
		const struct option_value *set = option_find(v, fed_only[i]);
		if (set)
			errors_add(e, set->at, where,
				   "\"%s\" has no meaning where there is \"from\": a derived "
				   "channel keeps nothing itself (set it for the channels in "
				   "\"from\")",
				   fed_only[i]);
	}
}

static void read_derived(struct channel_settings *c, const struct option_values *v,
			 const char *where, struct errors *e)
{
	const struct option_value *from = option_find(v, "from");
	const struct option_value *filter = option_find(v, "filter");
	if (!from && filter)
		errors_add(e, filter->at, where,
			   "\"filter\" without \"from\" (say of which channels; what a source "
			   "may send is that source's own \"filter\")");
	if (!from)
		return;
	refuse_own(v, where, e);
	if (!from->n)
		errors_add(e, from->at, where, "\"from\" is empty (name at least one channel)");
	c->from = values_list(channel_options, v, "from", &c->n_from);
	c->from_at = from->at;
	c->filter = filter ? settings_filter(filter, where, e) : NULL;
}

void channels_read_one(struct settings *s, const struct tree *key, const struct tree *map,
		       struct errors *e)
{
	char *where = mem_printf("channels.%s", key->text);
	struct option_values v = {0};
	if (!name_is_valid(key->text))
		errors_add(e, key->at, where,
			   "not a name (letters, digits, _ . and -, at most 64)");
	if (find_channel(s, key->text))
		errors_add(e, key->at, where,
			   "is there already, here or in another file beside it (remove one)");
	struct channel_settings *c = settings_channel(s, key->text);
	if (map->kind == TREE_MAP) {
		option_read(map, where, channel_options, NULL, &v, e);
		fill_channel(c, &v);
		c->access = access_read_list(&v, "access", where, e);
		c->replay = access_read_list(&v, "replay", where, e);
		c->admin = access_read_list(&v, "admin", where, e);
		read_derived(c, &v, where, e);
	} else if (map->kind != TREE_SCALAR || map->is_quoted || map->text[0]) {
		errors_add(e, map->at, where, "%s where a map is expected", tree_kind_name(map));
	}
	option_values_fini(&v);
	free(where);
}

char *settings_filter(const struct option_value *v, const char *where, struct errors *e)
{
	struct buf why = {0};
	struct filter *f = filter_parse(NULL, str_of(v->items[0]), &why);
	if (!f)
		errors_add(e, v->at, where, "%s", buf_text(&why));
	filter_unref(f);
	buf_fini(&why);
	return mem_strdup(v->items[0]);
}

static void refuse_unknown(const struct settings *s, const struct channel_settings *c,
			   const char *name, const char *where, struct errors *e)
{
	const char **fed = mem_zero((s->n_channels + 1) * sizeof(fed[0]));
	struct buf all = {0};
	size_t n = 0;
	for (size_t i = 0; i < s->n_channels; i++) {
		if (s->channels[i].n_from)
			continue;
		buf_printf(&all, "%s%s", n ? ", " : "", s->channels[i].name);
		fed[n++] = s->channels[i].name;
	}
	const char *near = unit_nearest(name, fed);
	if (near)
		errors_add(e, c->from_at, where,
			   "there is no channel \"%s\" (did you mean \"%s\"?)", name, near);
	else
		errors_add(e, c->from_at, where, "there is no channel \"%s\" (there are %s)", name,
			   buf_text(&all));
	buf_fini(&all);
	free(fed);
}

/* Derived channels may name only those that have events of their own. */
static void check_from(const struct settings *s, const struct channel_settings *c, struct errors *e)
{
	char *where = mem_printf("channels.%s.from", c->name);
	for (size_t i = 0; i < c->n_from; i++) {
		const struct channel_settings *of = find_channel(s, c->from[i]);
		if (!of)
			refuse_unknown(s, c, c->from[i], where, e);
		else if (of->n_from)
			errors_add(e, c->from_at, where,
				   "\"%s\" is a derived channel itself (name the channels that it "
				   "is from, and repeat its filter)",
				   c->from[i]);
	}
	free(where);
}

void channels_check(const struct settings *s, struct errors *e)
{
	for (size_t i = 0; i < s->n_channels; i++)
		check_from(s, &s->channels[i], e);
	for (size_t i = 0; i < s->n_sources; i++) {
		const struct source_settings *src = &s->sources[i];
		const struct channel_settings *c =
			src->channel ? find_channel(s, src->channel) : NULL;
		if (!c || !c->n_from)
			continue;
		char *where = mem_printf("sources.%s.channel", src->name);
		errors_add(e, tree_get(src->tree, "channel")->at, where,
			   "\"%s\" is a derived channel, which no source can feed (name another "
			   "one)",
			   c->name);
		free(where);
	}
}

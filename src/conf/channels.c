/* SPDX-License-Identifier: MIT */
#include "conf/channels.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/unit.h"
#include "conf/name.h"
#include "conf/settings.h"

#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAY (86400 * NS_PER_SEC)

static const char *const durabilities[] = {"memory", "process", "disk", NULL};
static const char *const slows[] = {"catch_up", "gap", "latest", "disconnect", NULL};

const struct setting channel_rows[] = {
	{AS_TEXT(struct channel_settings, name), .flags = SETTING_REQUIRED},
	{{"history.size", SLUICE_SIZE, 0, "256MiB", NULL, 64 * KIB, 1024 * GIB,
	  "how many bytes the history may take on the disk", NULL, NULL},
	 AS_NUMBER(struct channel_settings, history_size)},
	{{"history.age", SLUICE_DURATION, 0, NULL, NULL, NS_PER_SEC, 3650 * DAY,
	  "how long events are kept; default: as long as the size allows", NULL, NULL},
	 AS_NUMBER(struct channel_settings, history_age_ns)},
	{{"history.compress", SLUICE_BOOL, 0, "true", NULL, 0, 0,
	  "compress the history; the same history.size then holds several times as many events",
	  NULL, NULL},
	 AS_BOOL(struct channel_settings, compresses)},
	{{"durability", SLUICE_ENUM, 0, "process", durabilities, 0, 0,
	  "memory: events are lost when the hub exits. process: they survive any crash. disk: they "
	  "also survive power loss",
	  NULL, NULL},
	 AS_CHOICE(struct channel_settings, durability)},
	{{"heartbeat", SLUICE_DURATION, 0, "15s", NULL, 100 * NS_PER_MS, 3600 * NS_PER_SEC,
	  "how often a quiet stream gets a sign of life", NULL, NULL},
	 AS_NUMBER(struct channel_settings, heartbeat_ns)},
	{{"retry", SLUICE_DURATION, 0, "3s", NULL, 10 * NS_PER_MS, 3600 * NS_PER_SEC,
	  "how long a client waits before it reconnects", NULL, NULL},
	 AS_NUMBER(struct channel_settings, retry_ns)},
	{{"coalesce", SLUICE_DURATION, 0, "5ms", NULL, 0, NS_PER_SEC,
	  "the shortest time between two writes to a busy stream", NULL, NULL},
	 AS_NUMBER(struct channel_settings, coalesce_ns)},
	{{"tail", SLUICE_INT, 0, "0", NULL, 0, 100000,
	  "how many past events a client gets first if it names no start", NULL, NULL},
	 AS_NUMBER(struct channel_settings, tail)},
	{{"gzip", SLUICE_BOOL, 0, "true", NULL, 0, 0,
	  "compress streams for clients that accept it; false where the web server compresses",
	  NULL, NULL},
	 AS_BOOL(struct channel_settings, gzips)},
	{{"slow", SLUICE_ENUM, 0, "catch_up", slows, 0, 0,
	  "what a client that is too slow gets. catch_up: all events, read from the journal. gap: "
	  "it continues with new events. latest: it continues with the newest event of each type. "
	  "disconnect: its stream ends",
	  NULL, NULL},
	 AS_CHOICE(struct channel_settings, slow)},
	{{"max_lag", SLUICE_DURATION, 0, "30s", NULL, 100 * NS_PER_MS, DAY,
	  "how far a client may be behind before \"slow\" applies; not used by catch_up", NULL,
	  NULL},
	 AS_NUMBER(struct channel_settings, max_lag_ns)},
	{{"access", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "who may read it: anyone, authenticated, user:NAME, group:NAME, net:ADDRESS/BITS", NULL,
	  NULL},
	 AS_ACL(struct channel_settings, access)},
	{{"replay", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "which of them may also read its history; default: all", NULL, NULL},
	 AS_ACL(struct channel_settings, replay)},
	{{"admin", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "who may see it and its sources in /status, besides access.admin", NULL, NULL},
	 AS_ACL(struct channel_settings, admin)},
	{{"from", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "makes it a derived channel, which shows the events of these channels", NULL, NULL},
	 AS_LIST(struct channel_settings, from, n_from)},
	{{"filter", SLUICE_STRING, 0, NULL, NULL, 0, 0,
	  "which of their events it shows; see sluice-filters(7)", NULL, NULL},
	 AS_TEXT(struct channel_settings, filter),
	 .check = setting_check_filter},
	{AS_OPAQUE(struct channel_settings, from_at)},
	{.kind = MEMBER_NONE},
};

static struct channel_settings *find_channel(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_channels; i++)
		if (strcmp(s->channels[i].name, name) == 0)
			return &s->channels[i];
	return NULL;
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
	settings_set(channel_rows, &none, "", c, NULL);
	if (strcmp(name, SETTINGS_OWN_CHANNEL) == 0)
		c->history_size = 4 * MIB;
	return c;
}

/* What only a channel that sources feed has. */
static void refuse_own(const struct option_values *v, const char *where, struct errors *e)
{
	static const char *const fed_only[] = {"history.size", "history.age", "history.compress",
					       "durability"};
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
	c->from_at = from->at;
}

static void read_one(struct channel_settings *c, const struct tree *map, const char *where,
		     struct errors *e)
{
	struct option_values v = {0};
	struct channel_settings fresh = {.name = c->name};
	settings_read(channel_rows, map, where, &v, &fresh, e);
	c->name = NULL;
	settings_release(channel_rows, c);
	*c = fresh;
	read_derived(c, &v, where, e);
	option_values_fini(&v);
}

void channels_read_one(struct settings *s, const struct tree *key, const struct tree *map,
		       struct errors *e)
{
	char *where = mem_printf("channels.%s", key->text);
	if (!name_is_valid(key->text))
		errors_add(e, key->at, where,
			   "not a name (letters, digits, _ . and -, at most 64)");
	if (find_channel(s, key->text))
		errors_add(e, key->at, where,
			   "is there already, here or in another file beside it (remove one)");
	struct channel_settings *c = settings_channel(s, key->text);
	if (map->kind == TREE_MAP) {
		read_one(c, map, where, e);
	} else if (map->kind != TREE_SCALAR || map->is_quoted || map->text[0]) {
		errors_add(e, map->at, where, "%s where a map is expected", tree_kind_name(map));
	}
	free(where);
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

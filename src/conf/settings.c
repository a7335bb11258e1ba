/* SPDX-License-Identifier: MIT */
#include "conf/settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/unit.h"

/* sun_path has 108 bytes, and hub.sock lies in state_dir. */
enum { STATE_DIR_MAX = 108 - 1 - 9 };

#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static const char *const durabilities[] = {"memory", "process", NULL};

const struct sluice_option hub_options[] = {
	{"listen", SLUICE_STRING, SLUICE_LIST, "unix:" SLUICE_RUN_DIR "/fcgi.sock", NULL, 0, 0,
	 "where FastCGI requests are accepted: unix:/path or tcp:host:port"},
	{"state_dir", SLUICE_PATH, 0, SLUICE_STATE_DIR, NULL, 0, 0, "where journals are kept"},
	{"plugin_dir", SLUICE_PATH, SLUICE_LIST, NULL, NULL, 0, 0, "where plugins are looked for"},
	{"prefix", SLUICE_STRING, 0, "", NULL, 0, 0,
	 "the mount prefix, for front servers that do not tell it"},
	{"responders", SLUICE_INT, 0, "2", NULL, 1, 64, "processes that accept requests"},
	{"limits", SLUICE_STRING, 0, NULL, NULL, 0, 0, "upper bounds"},
	{0},
};

static const struct sluice_option limit_options[] = {
	{"streams", SLUICE_INT, 0, "10000", NULL, 1, 1000000, "open streams in all"},
	{"event_size", SLUICE_SIZE, 0, "64KiB", NULL, 1 * KIB, 64 * MIB,
	 "bytes of one message; a longer one is cut and flagged"},
	{0},
};

const struct sluice_option channel_options[] = {
	{"history", SLUICE_STRING, 0, NULL, NULL, 0, 0, "how much is kept"},
	{"durability", SLUICE_ENUM, 0, "process", durabilities, 0, 0,
	 "process: survives the death of any process; memory: of none"},
	{"heartbeat", SLUICE_DURATION, 0, "15s", NULL, 100 * NS_PER_MS, 3600 * NS_PER_SEC,
	 "a sign of life in a quiet stream"},
	{"retry", SLUICE_DURATION, 0, "3s", NULL, 10 * NS_PER_MS, 3600 * NS_PER_SEC,
	 "how long a client waits before it reconnects"},
	{"coalesce", SLUICE_DURATION, 0, "5ms", NULL, 0, NS_PER_SEC,
	 "the shortest time between two writes to a stream while it is busy"},
	{"tail", SLUICE_INT, 0, "0", NULL, 0, 100000,
	 "events that a client gets first when it names no start"},
	{0},
};

static const struct sluice_option history_options[] = {
	{"size", SLUICE_SIZE, 0, "256MiB", NULL, 64 * KIB, 1024 * GIB, "bytes"},
	{"age", SLUICE_DURATION, 0, NULL, NULL, NS_PER_SEC, 3650 * 86400 * NS_PER_SEC, "time"},
	{0},
};

const struct sluice_option source_options[] = {
	{"type", SLUICE_STRING, SLUICE_REQUIRED, NULL, NULL, 0, 0, "the plugin, such as file"},
	{"channel", SLUICE_STRING, SLUICE_REQUIRED, NULL, NULL, 0, 0, "where its events go"},
	{0},
};

static const struct sluice_option top_options[] = {
	{"hub", SLUICE_STRING, 0, NULL, NULL, 0, 0, ""},
	{"channels", SLUICE_STRING, 0, NULL, NULL, 0, 0, ""},
	{"sources", SLUICE_STRING, 0, NULL, NULL, 0, 0, ""},
	{0},
};

bool name_is_valid(const char *s)
{
	size_t n = strlen(s);
	if (!n || n > 64 || !isalnum((unsigned char)s[0]))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return false;
	return true;
}

static const char *text_of(const struct sluice_option *table, const struct option_values *v,
			   const char *name)
{
	const struct option_value *set = option_find(v, name);
	if (set && set->n)
		return set->items[0];
	return option_lookup(table, name)->fallback;
}

static int64_t number_of(const struct sluice_option *table, const struct option_values *v,
			 const char *name)
{
	int64_t ret = 0;
	char *why = NULL;
	const char *text = text_of(table, v, name);
	if (text && option_number(option_lookup(table, name), text, &ret, &why))
		free(why);
	return ret;
}

/* The values of a list option, each owned; its fallback when it is not set. */
static char **list_of(const struct sluice_option *table, const struct option_values *v,
		      const char *name, size_t *n)
{
	const struct option_value *set = option_find(v, name);
	const char *fallback = option_lookup(table, name)->fallback;
	*n = set ? set->n : fallback != NULL;
	char **items = mem_zero((*n + 1) * sizeof(items[0]));
	for (size_t i = 0; i < *n; i++)
		items[i] = mem_strdup(set ? set->items[i] : fallback);
	return items;
}

static void free_list(char **items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i]);
	free(items);
}

/* The map at `key` of `map`; an error when it is something else. */
static const struct tree *sub_map(const struct tree *map, const char *key, const char *where,
				  struct errors *e)
{
	const struct tree *t = tree_get(map, key);
	if (!t)
		return NULL;
	if (t->kind == TREE_SCALAR && !t->is_quoted && !t->text[0])
		return NULL; /* "channels:" with nothing below it */
	if (t->kind != TREE_MAP) {
		errors_add(e, t->at, where,
			   "%s where a map is expected (write \"%s:\" and indent "
			   "\"name: value\" lines below it)",
			   tree_kind_name(t), key);
		return NULL;
	}
	return t;
}

/* A map as its table says, except for the keys that hold maps of their own. */
static void read_flat(const struct tree *map, const char *where, const struct sluice_option *table,
		      const char *nested, struct option_values *v, struct errors *e)
{
	struct sluice_option skip[2] = {{.name = nested}, {0}};
	struct sluice_option flat[16] = {0};
	size_t n = 0;
	for (; table->name; table++)
		if (!nested || strcmp(table->name, nested) != 0)
			flat[n++] = *table;
	option_read(map, where, flat, nested ? skip : NULL, v, e);
}

static void check_listen(const char *text, struct place at, struct errors *e)
{
	if (strncmp(text, "unix:/", 6) == 0) {
		if (strlen(text + 5) >= sizeof(((struct sockaddr_un *)0)->sun_path))
			errors_add(e, at, "hub.listen",
				   "\"%s\" is longer than the %zu characters that a "
				   "socket's path may have (choose a shorter directory)",
				   text + 5, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		return;
	}
	const char *colon = strrchr(text, ':');
	int64_t port;
	if (strncmp(text, "tcp:", 4) == 0 && colon > text + 4 &&
	    unit_parse_int(colon + 1, &port) == 0 && port > 0 && port < 65536)
		return;
	errors_add(e, at, "hub.listen",
		   "\"%s\" is no address (write unix:/path/to.sock or tcp:127.0.0.1:9000)", text);
}

static void read_hub(const struct tree *root, struct hub_settings *hub, struct errors *e)
{
	static const struct tree nothing = {.kind = TREE_MAP};
	const struct tree *map = sub_map(root, "hub", "hub", e);
	struct option_values v = {0}, limits = {0};
	read_flat(map ? map : &nothing, "hub", hub_options, "limits", &v, e);
	const struct tree *limit_map = map ? sub_map(map, "limits", "hub.limits", e) : NULL;
	if (limit_map)
		option_read(limit_map, "hub.limits", limit_options, NULL, &limits, e);
	hub->listen = list_of(hub_options, &v, "listen", &hub->n_listen);
	const struct option_value *listen = option_find(&v, "listen");
	for (size_t i = 0; listen && i < listen->n; i++)
		check_listen(listen->items[i], listen->at, e);
	if (listen && !listen->n)
		errors_add(e, listen->at, "hub.listen",
			   "an empty list (nobody could connect: name at least one address)");
	if (listen && listen->n > LISTEN_MAX)
		errors_add(e, listen->at, "hub.listen", "more than %d addresses", LISTEN_MAX);
	for (size_t i = 0; listen && i < listen->n; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(listen->items[i], listen->items[k]) == 0)
				errors_add(e, listen->at, "hub.listen",
					   "\"%s\" stands there twice (remove one)",
					   listen->items[i]);
	hub->plugin_dirs = list_of(hub_options, &v, "plugin_dir", &hub->n_plugin_dirs);
	hub->state_dir = mem_strdup(text_of(hub_options, &v, "state_dir"));
	const struct option_value *state_dir = option_find(&v, "state_dir");
	if (state_dir && strlen(hub->state_dir) > STATE_DIR_MAX)
		errors_add(e, state_dir->at, "hub.state_dir",
			   "longer than %d characters: a socket in it could not be named (choose a "
			   "shorter path)",
			   STATE_DIR_MAX);
	hub->prefix = mem_strdup(text_of(hub_options, &v, "prefix"));
	size_t n = strlen(hub->prefix);
	if (n && hub->prefix[0] != '/')
		errors_add(e, option_find(&v, "prefix")->at, "hub.prefix",
			   "\"%s\" does not begin with a slash (write /logs)", hub->prefix);
	while (n && hub->prefix[n - 1] == '/')
		hub->prefix[--n] = 0;
	hub->responders = number_of(hub_options, &v, "responders");
	hub->max_streams = number_of(limit_options, &limits, "streams");
	hub->event_size = number_of(limit_options, &limits, "event_size");
	option_values_fini(&v);
	option_values_fini(&limits);
}

static struct channel_settings *add_channel(struct settings *s, const char *name)
{
	static const struct option_values none;
	s->channels = mem_resize(s->channels, (s->n_channels + 1) * sizeof(s->channels[0]));
	struct channel_settings *c = &s->channels[s->n_channels++];
	*c = (struct channel_settings){
		.name = mem_strdup(name),
		.history_size = number_of(history_options, &none, "size"),
		.durability = DURABILITY_PROCESS,
		.heartbeat_ns = number_of(channel_options, &none, "heartbeat"),
		.retry_ns = number_of(channel_options, &none, "retry"),
		.coalesce_ns = number_of(channel_options, &none, "coalesce"),
	};
	return c;
}

static void read_channel(struct settings *s, const struct tree *key, const struct tree *map,
			 struct errors *e)
{
	char *where = mem_printf("channels.%s", key->text);
	struct option_values v = {0}, history = {0};
	struct channel_settings *c = add_channel(s, key->text);
	if (!name_is_valid(key->text))
		errors_add(e, key->at, where,
			   "not a name (letters, digits, _ . and -, at most 64)");
	if (map->kind == TREE_SCALAR && !map->is_quoted && !map->text[0])
		goto out;
	if (map->kind != TREE_MAP) {
		errors_add(e, map->at, where, "%s where a map is expected", tree_kind_name(map));
		goto out;
	}
	read_flat(map, where, channel_options, "history", &v, e);
	char *history_where = mem_printf("%s.history", where);
	const struct tree *history_map = sub_map(map, "history", history_where, e);
	if (history_map)
		option_read(history_map, history_where, history_options, NULL, &history, e);
	free(history_where);
	c->history_size = number_of(history_options, &history, "size");
	c->history_age_ns = number_of(history_options, &history, "age");
	c->durability = (enum durability)number_of(channel_options, &v, "durability");
	c->heartbeat_ns = number_of(channel_options, &v, "heartbeat");
	c->retry_ns = number_of(channel_options, &v, "retry");
	c->coalesce_ns = number_of(channel_options, &v, "coalesce");
	c->tail = number_of(channel_options, &v, "tail");
out:
	option_values_fini(&v);
	option_values_fini(&history);
	free(where);
}

static void read_source(struct settings *s, const struct tree *key, const struct tree *map,
			struct errors *e)
{
	char *where = mem_printf("sources.%s", key->text);
	if (!name_is_valid(key->text))
		errors_add(e, key->at, where,
			   "not a name (letters, digits, _ . and -, at most 64)");
	if (map->kind != TREE_MAP) {
		errors_add(e, map->at, where,
			   "%s where a map is expected (it needs \"type:\" and \"channel:\")",
			   tree_kind_name(map));
		free(where);
		return;
	}
	s->sources = mem_resize(s->sources, (s->n_sources + 1) * sizeof(s->sources[0]));
	struct source_settings *src = &s->sources[s->n_sources++];
	*src = (struct source_settings){.name = mem_strdup(key->text), .tree = map};
	/* The plugin's options cannot be known here; take ours alone. */
	struct tree ours = {.kind = TREE_MAP, .at = map->at};
	struct tree *keys[array_size(source_options)], *values[array_size(source_options)];
	ours.keys = keys;
	ours.values = values;
	for (size_t i = 0; i < map->n; i++) {
		if (option_lookup(source_options, map->keys[i]->text)) {
			keys[ours.n] = map->keys[i];
			values[ours.n++] = map->values[i];
		}
	}
	struct option_values v = {0};
	option_read(&ours, where, source_options, NULL, &v, e);
	const char *type = text_of(source_options, &v, "type");
	const char *channel = text_of(source_options, &v, "channel");
	if (type && !name_is_valid(type))
		errors_add(e, option_find(&v, "type")->at, where, "\"%s\" cannot name a plugin",
			   type);
	else if (type)
		src->type = mem_strdup(type);
	if (channel && !name_is_valid(channel))
		errors_add(e, option_find(&v, "channel")->at, where,
			   "\"%s\" cannot name a channel "
			   "(letters, digits, _ . and -, at most 64)",
			   channel);
	else if (channel)
		src->channel = mem_strdup(channel);
	option_values_fini(&v);
	free(where);
}

void settings_read_options(struct source_settings *src, const struct sluice_option *table,
			   struct errors *e)
{
	char *where = mem_printf("sources.%s", src->name);
	option_read(src->tree, where, table, source_options, &src->options, e);
	free(where);
}

void settings_keep_options(struct source_settings *src)
{
	for (size_t i = 0; i < src->tree->n; i++) {
		const struct tree *key = src->tree->keys[i], *value = src->tree->values[i];
		if (option_lookup(source_options, key->text) || value->kind == TREE_MAP)
			continue;
		struct option_values *v = &src->options;
		v->all = mem_resize(v->all, (v->n + 1) * sizeof(v->all[0]));
		struct option_value *o = &v->all[v->n++];
		*o = (struct option_value){.name = mem_strdup(key->text), .at = value->at};
		o->n = value->kind == TREE_LIST ? value->n : 1;
		o->items = mem_zero(o->n * sizeof(o->items[0]));
		for (size_t k = 0; k < o->n; k++) {
			const struct tree *t = value->kind == TREE_LIST ? value->values[k] : value;
			o->items[k] = mem_strdup(t->text ? t->text : "");
		}
	}
}

struct channel_settings *settings_channel(struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_channels; i++)
		if (strcmp(s->channels[i].name, name) == 0)
			return &s->channels[i];
	return add_channel(s, name);
}

struct settings *settings_load(const char *file, struct errors *e)
{
	struct settings *s = mem_zero(sizeof(*s));
	s->file = mem_strdup(file);
	s->tree = tree_load(s->file, e);
	if (s->tree && s->tree->kind != TREE_MAP) {
		errors_add(e, s->tree->at, NULL, "%s where \"sources:\" is expected",
			   tree_kind_name(s->tree));
	} else if (s->tree) {
		struct option_values none = {0};
		struct tree top = *s->tree;
		for (size_t i = 0; i < top.n; i++) {
			/* Only the names are looked at here, so unknown ones are told. */
			struct tree *values[1] = {
				&(struct tree){.kind = TREE_SCALAR, .text = (char[]){"x"}}};
			struct tree one = {
				.kind = TREE_MAP, .n = 1, .keys = &top.keys[i], .values = values};
			if (!option_lookup(top_options, top.keys[i]->text))
				option_read(&one, "configuration", top_options, NULL, &none, e);
		}
		option_values_fini(&none);
	}
	const struct tree *root = s->tree && s->tree->kind == TREE_MAP ? s->tree : NULL;
	read_hub(root, &s->hub, e);
	const struct tree *channels = root ? sub_map(root, "channels", "channels", e) : NULL;
	for (size_t i = 0; channels && i < channels->n; i++)
		read_channel(s, channels->keys[i], channels->values[i], e);
	const struct tree *sources = root ? sub_map(root, "sources", "sources", e) : NULL;
	for (size_t i = 0; sources && i < sources->n; i++)
		read_source(s, sources->keys[i], sources->values[i], e);
	for (size_t i = 0; i < s->n_sources; i++)
		if (s->sources[i].channel)
			settings_channel(s, s->sources[i].channel);
	if (root && !s->n_sources && !e->count)
		errors_add(e, root->at, NULL, "no sources (add \"sources:\" with at least one)");
	return s;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	free_list(s->hub.listen, s->hub.n_listen);
	free_list(s->hub.plugin_dirs, s->hub.n_plugin_dirs);
	free(s->hub.state_dir);
	free(s->hub.prefix);
	for (size_t i = 0; i < s->n_channels; i++)
		free(s->channels[i].name);
	free(s->channels);
	for (size_t i = 0; i < s->n_sources; i++) {
		free(s->sources[i].name);
		free(s->sources[i].type);
		free(s->sources[i].channel);
		option_values_fini(&s->sources[i].options);
	}
	free(s->sources);
	tree_free(s->tree);
	free(s->file);
	free(s);
}

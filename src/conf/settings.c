/* SPDX-License-Identifier: MIT */
#include "conf/settings.h"

#include <ctype.h>
#include <glob.h>
#include <stdlib.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/unit.h"

/* sun_path has 108 bytes, and sockets lie in state_dir. */
enum { STATE_DIR_MAX = 108 - 1 - 13 };

#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAY (86400 * NS_PER_SEC)

static const char *const durabilities[] = {"memory", "process", NULL};
static const char *const sandboxes[] = {"auto", "off", "require", NULL};
static const char *const listen_words[] = {"unix", "tcp", NULL};

const struct sluice_option hub_options[] = {
	{"listen", SLUICE_ADDRESS, SLUICE_LIST, "unix:" SLUICE_RUN_DIR "/fcgi.sock", listen_words,
	 0, 0, "where FastCGI requests are accepted: unix:/path or tcp:host:port", NULL},
	{"state_dir", SLUICE_PATH, 0, SLUICE_STATE_DIR, NULL, 0, 0, "where journals are kept",
	 NULL},
	{"plugin_dir", SLUICE_PATH, SLUICE_LIST, NULL, NULL, 0, 0, "where plugins are looked for",
	 NULL},
	{"prefix", SLUICE_STRING, 0, "", NULL, 0, 0,
	 "the mount prefix, for front servers that do not tell it", NULL},
	{"responders", SLUICE_INT, 0, "2", NULL, 1, 64, "processes that accept requests", NULL},
	{"limits.streams", SLUICE_INT, 0, "10000", NULL, 1, 1000000, "open streams in all", NULL},
	{"limits.event_size", SLUICE_SIZE, 0, "64KiB", NULL, 1 * KIB, 64 * MIB,
	 "bytes of one message; a longer one is cut and flagged", NULL},
	{0},
};

const struct sluice_option channel_options[] = {
	{"history.size", SLUICE_SIZE, 0, "256MiB", NULL, 64 * KIB, 1024 * GIB,
	 "how much is kept, in bytes", NULL},
	{"history.age", SLUICE_DURATION, 0, NULL, NULL, NS_PER_SEC, 3650 * DAY,
	 "how long it is kept", NULL},
	{"durability", SLUICE_ENUM, 0, "process", durabilities, 0, 0,
	 "process: survives the death of any process; memory: of none", NULL},
	{"heartbeat", SLUICE_DURATION, 0, "15s", NULL, 100 * NS_PER_MS, 3600 * NS_PER_SEC,
	 "a sign of life in a quiet stream", NULL},
	{"retry", SLUICE_DURATION, 0, "3s", NULL, 10 * NS_PER_MS, 3600 * NS_PER_SEC,
	 "how long a client waits before it reconnects", NULL},
	{"coalesce", SLUICE_DURATION, 0, "5ms", NULL, 0, NS_PER_SEC,
	 "the shortest time between two writes to a stream while it is busy", NULL},
	{"tail", SLUICE_INT, 0, "0", NULL, 0, 100000,
	 "events that a client gets first when it names no start", NULL},
	{0},
};

const struct sluice_option source_options[] = {
	{"type", SLUICE_STRING, SLUICE_REQUIRED, NULL, NULL, 0, 0, "the plugin, such as file",
	 NULL},
	{"channel", SLUICE_STRING, SLUICE_REQUIRED, NULL, NULL, 0, 0, "where its events go", NULL},
	{"user", SLUICE_STRING, 0, NULL, NULL, 0, 0,
	 "run its process as this user (sluice must run as root)", NULL},
	{"groups", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "further groups of its process, such as adm", NULL},
	{"limits.memory", SLUICE_SIZE, 0, "1GiB", NULL, 0, 1024 * GIB,
	 "memory that its process may allocate; 0 for any", NULL},
	{"limits.open_files", SLUICE_INT, 0, "0", NULL, 0, 10000000,
	 "descriptors; 0 for what the system allows", NULL},
	{"limits.processes", SLUICE_INT, 0, "0", NULL, 0, 10000000,
	 "processes of its user, as RLIMIT_NPROC counts them; 0 for any", NULL},
	{"limits.cpu_time", SLUICE_DURATION, 0, "0", NULL, 0, 3650 * DAY,
	 "CPU time after which it is started anew; 0 for any", NULL},
	{"limits.file_size", SLUICE_SIZE, 0, "0", NULL, 0, 1024 * GIB,
	 "bytes of a file that it or its children write; 0 for any", NULL},
	{"restart.backoff", SLUICE_RANGE, 0, "100ms..60s", NULL, NS_PER_MS, DAY,
	 "how long it waits before a new start, from the first to the last failure in a row", NULL},
	{"restart.attempts", SLUICE_INT, 0, "20", NULL, 0, 1000000,
	 "crashes in a row after which it is given up; 0 for never", NULL},
	{"watchdog", SLUICE_DURATION, 0, "60s", NULL, 0, DAY,
	 "started anew when its plugin has not answered for so long; 0 for never", NULL},
	{"rate_limit", SLUICE_INT, 0, "0", NULL, 0, 1000000000,
	 "events a second; the source waits, or counts what it has to drop; 0 for any", NULL},
	{"rate_burst", SLUICE_INT, 0, "0", NULL, 0, 1000000000,
	 "events that may come at once beyond it; 0 for those of one second", NULL},
	{"sandbox", SLUICE_ENUM, 0, "auto", sandboxes, 0, 0,
	 "confine its process: auto as far as the kernel can, require or do not start, off", NULL},
	{"allow_read", SLUICE_PATH, SLUICE_LIST, NULL, NULL, 0, 0,
	 "files and directories that it may read beside those its options name", NULL},
	{0},
};

static const struct sluice_option top_options[] = {
	{"hub", SLUICE_STRING, 0, NULL, NULL, 0, 0, "", NULL},
	{"channels", SLUICE_STRING, 0, NULL, NULL, 0, 0, "", NULL},
	{"sources", SLUICE_STRING, 0, NULL, NULL, 0, 0, "", NULL},
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

/* The map below a key, or NULL when it is not there; tells when it is none. */
static const struct tree *sub_map(const struct tree *map, const char *key, struct errors *e)
{
	const struct tree *t = tree_get(map, key);
	if (!t || (t->kind == TREE_SCALAR && !t->is_quoted && !t->text[0]))
		return NULL;
	if (t->kind != TREE_MAP) {
		errors_add(e, t->at, key,
			   "%s where a map is expected (write \"%s:\" and indent "
			   "\"name: value\" lines below it)",
			   tree_kind_name(t), key);
		return NULL;
	}
	return t;
}

/* ---- hub ---- */

static void check_listen(const struct option_value *v, struct errors *e)
{
	if (!v)
		return;
	if (!v->n && !e->count)
		errors_add(e, v->at, "hub.listen",
			   "an empty list (nobody could connect: name at least one address)");
	if (v->n > LISTEN_MAX)
		errors_add(e, v->at, "hub.listen", "more than %d addresses", LISTEN_MAX);
	for (size_t i = 0; i < v->n; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(v->items[i], v->items[k]) == 0)
				errors_add(e, v->at, "hub.listen",
					   "\"%s\" stands there twice (remove one)", v->items[i]);
}

static void read_hub(const struct tree *root, struct hub_settings *hub, struct errors *e)
{
	static const struct tree nothing = {.kind = TREE_MAP};
	const struct tree *map = sub_map(root, "hub", e);
	struct option_values v = {0};
	option_read(map ? map : &nothing, "hub", hub_options, NULL, &v, e);
	hub->listen = list_of(hub_options, &v, "listen", &hub->n_listen);
	check_listen(option_find(&v, "listen"), e);
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
	hub->max_streams = number_of(hub_options, &v, "limits.streams");
	hub->event_size = number_of(hub_options, &v, "limits.event_size");
	option_values_fini(&v);
}

/* ---- channels ---- */

static void fill_channel(struct channel_settings *c, const struct option_values *v)
{
	c->history_size = number_of(channel_options, v, "history.size");
	c->history_age_ns = number_of(channel_options, v, "history.age");
	c->durability = (enum durability)number_of(channel_options, v, "durability");
	c->heartbeat_ns = number_of(channel_options, v, "heartbeat");
	c->retry_ns = number_of(channel_options, v, "retry");
	c->coalesce_ns = number_of(channel_options, v, "coalesce");
	c->tail = number_of(channel_options, v, "tail");
}

static struct channel_settings *find_channel(struct settings *s, const char *name)
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
	fill_channel(c, &none);
	if (strcmp(name, SETTINGS_OWN_CHANNEL) == 0)
		c->history_size = 4 * MIB;
	return c;
}

static void read_channel(struct settings *s, const struct tree *key, const struct tree *map,
			 struct errors *e)
{
	char *where = mem_printf("channels.%s", key->text);
	struct option_values v = {0};
	if (!name_is_valid(key->text))
		errors_add(e, key->at, where,
			   "not a name (letters, digits, _ . and -, at most 64)");
	if (find_channel(s, key->text))
		errors_add(e, key->at, where, "is in another file of conf.d already (remove one)");
	struct channel_settings *c = settings_channel(s, key->text);
	if (map->kind == TREE_MAP) {
		option_read(map, where, channel_options, NULL, &v, e);
		fill_channel(c, &v);
	} else if (map->kind != TREE_SCALAR || map->is_quoted || map->text[0]) {
		errors_add(e, map->at, where, "%s where a map is expected", tree_kind_name(map));
	}
	option_values_fini(&v);
	free(where);
}

/* ---- sources ---- */

static void fill_source(struct source_settings *src, const struct option_values *v)
{
	const char *user = text_of(source_options, v, "user");
	const char *backoff = text_of(source_options, v, "restart.backoff");
	src->user = user ? mem_strdup(user) : NULL;
	src->groups = list_of(source_options, v, "groups", &src->n_groups);
	src->limits = (struct source_limits){
		.memory = number_of(source_options, v, "limits.memory"),
		.open_files = number_of(source_options, v, "limits.open_files"),
		.processes = number_of(source_options, v, "limits.processes"),
		.cpu_time_ns = number_of(source_options, v, "limits.cpu_time"),
		.file_size = number_of(source_options, v, "limits.file_size"),
	};
	if (unit_parse_range(backoff, &src->backoff_ns, &src->backoff_max_ns))
		src->backoff_ns = src->backoff_max_ns = NS_PER_SEC; /* the error is told */
	src->attempts = number_of(source_options, v, "restart.attempts");
	src->watchdog_ns = number_of(source_options, v, "watchdog");
	src->rate_limit = number_of(source_options, v, "rate_limit");
	src->rate_burst = number_of(source_options, v, "rate_burst");
	src->sandbox = (enum sandbox)number_of(source_options, v, "sandbox");
	src->allow_read = list_of(source_options, v, "allow_read", &src->n_allow_read);
}

void source_settings_init(struct source_settings *src, const char *name, const char *type)
{
	static const struct option_values none;
	*src = (struct source_settings){.name = mem_strdup(name), .type = mem_strdup(type)};
	fill_source(src, &none);
}

void source_settings_fini(struct source_settings *src)
{
	free(src->name);
	free(src->type);
	free(src->channel);
	free(src->user);
	free(src->plugin);
	free(src->trouble);
	free_list(src->groups, src->n_groups);
	free_list(src->allow_read, src->n_allow_read);
	option_values_fini(&src->options);
	*src = (struct source_settings){0};
}

const struct source_settings *settings_source(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_sources; i++)
		if (strcmp(s->sources[i].name, name) == 0)
			return &s->sources[i];
	return NULL;
}

static void read_names(struct source_settings *src, const struct option_values *v,
		       const char *where, struct errors *e)
{
	const char *type = text_of(source_options, v, "type");
	const char *channel = text_of(source_options, v, "channel");
	if (type && !name_is_valid(type))
		errors_add(e, option_find(v, "type")->at, where, "\"%s\" cannot name a plugin",
			   type);
	else if (type)
		src->type = mem_strdup(type);
	if (!channel)
		return;
	if (!name_is_valid(channel))
		errors_add(e, option_find(v, "channel")->at, where,
			   "\"%s\" cannot name a channel "
			   "(letters, digits, _ . and -, at most 64)",
			   channel);
	else if (strcmp(channel, SETTINGS_OWN_CHANNEL) == 0)
		errors_add(e, option_find(v, "channel")->at, where,
			   "the channel \"%s\" is the one that sluice reports on itself in (choose "
			   "another name)",
			   channel);
	else
		src->channel = mem_strdup(channel);
}

static void read_source(struct settings *s, const struct tree *key, const struct tree *map,
			struct errors *e)
{
	char *where = mem_printf("sources.%s", key->text);
	struct option_values v = {0};
	if (!name_is_valid(key->text))
		errors_add(e, key->at, where,
			   "not a name (letters, digits, _ . and -, at most 64)");
	if (settings_source(s, key->text))
		errors_add(e, key->at, where, "is in another file already (remove or rename one)");
	if (strcmp(key->text, SETTINGS_OWN_CHANNEL) == 0)
		errors_add(e, key->at, where,
			   "the name \"%s\" is sluice's own (choose another one)", key->text);
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
	option_read_known(map, where, source_options, &v, e);
	read_names(src, &v, where, e);
	fill_source(src, &v);
	option_values_fini(&v);
	free(where);
}

void settings_read_options(struct source_settings *src, const struct sluice_option *table,
			   struct errors *e)
{
	char *where = mem_printf("sources.%s", src->name);
	option_read(src->tree, where, table, source_options, &src->options, e);
	for (const struct sluice_option *o = table; o && o->name; o++)
		if (o->fallback && !option_find(&src->options, o->name) &&
		    (o->type == SLUICE_ADDRESS || (o->flags & (SLUICE_READ | SLUICE_WRITE))))
			option_add(&src->options, o, o->fallback, src->tree->at);
	free(where);
}

/* ---- the whole ---- */

static void check_top(const struct tree *root, struct errors *e)
{
	struct option_values none = {0};
	for (size_t i = 0; i < root->n; i++) {
		/* Only the names are looked at here, so unknown ones are told. */
		struct tree *values[1] = {
			&(struct tree){.kind = TREE_SCALAR, .text = (char[]){"x"}}};
		struct tree one = {
			.kind = TREE_MAP, .n = 1, .keys = &root->keys[i], .values = values};
		if (!option_lookup(top_options, root->keys[i]->text))
			option_read(&one, "configuration", top_options, NULL, &none, e);
	}
	option_values_fini(&none);
}

static void read_root(struct settings *s, const struct tree *root, struct errors *e)
{
	const struct tree *channels = sub_map(root, "channels", e);
	for (size_t i = 0; channels && i < channels->n; i++)
		read_channel(s, channels->keys[i], channels->values[i], e);
	const struct tree *sources = sub_map(root, "sources", e);
	for (size_t i = 0; sources && i < sources->n; i++)
		read_source(s, sources->keys[i], sources->values[i], e);
}

/* The root map of a file, or NULL after telling. */
static const struct tree *load_file(struct settings *s, const char *file, struct errors *e)
{
	s->files = mem_resize(s->files, (s->n_files + 1) * sizeof(s->files[0]));
	s->trees = mem_resize(s->trees, (s->n_files + 1) * sizeof(s->trees[0]));
	s->files[s->n_files] = mem_strdup(file);
	struct tree *t = tree_load(s->files[s->n_files], e);
	s->trees[s->n_files++] = t;
	if (t && t->kind != TREE_MAP)
		errors_add(e, t->at, NULL, "%s where \"sources:\" is expected", tree_kind_name(t));
	if (!t || t->kind != TREE_MAP)
		return NULL;
	check_top(t, e);
	return t;
}

/* conf.d/NAME.yaml beside the main file, in the order of their names. */
static void load_more(struct settings *s, struct errors *e)
{
	const char *slash = strrchr(s->file, '/');
	char *pattern =
		mem_printf("%.*sconf.d/*.yaml", slash ? (int)(slash + 1 - s->file) : 0, s->file);
	glob_t g = {0};
	if (glob(pattern, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++) {
			const struct tree *root = load_file(s, g.gl_pathv[i], e);
			const struct tree *hub = root ? tree_get(root, "hub") : NULL;
			if (hub)
				errors_add(e, hub->at, "hub",
					   "belongs into the main file, %s (move it there)",
					   s->file);
			if (root)
				read_root(s, root, e);
		}
	}
	globfree(&g);
	free(pattern);
}

struct settings *settings_load(const char *file, struct errors *e)
{
	struct settings *s = mem_zero(sizeof(*s));
	s->file = mem_strdup(file);
	const struct tree *root = load_file(s, file, e);
	read_hub(root, &s->hub, e);
	if (root) {
		read_root(s, root, e);
		load_more(s, e);
	}
	for (size_t i = 0; i < s->n_sources; i++)
		if (s->sources[i].channel)
			settings_channel(s, s->sources[i].channel);
	settings_channel(s, SETTINGS_OWN_CHANNEL);
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
	for (size_t i = 0; i < s->n_sources; i++)
		source_settings_fini(&s->sources[i]);
	free(s->sources);
	for (size_t i = 0; i < s->n_files; i++)
		tree_free(s->trees[i]);
	free_list(s->files, s->n_files);
	free(s->trees);
	free(s->file);
	free(s);
}

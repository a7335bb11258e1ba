/* SPDX-License-Identifier: MIT */
#include "conf/settings.h"

#include <glob.h>
#include <pwd.h>
#include <stdlib.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/unit.h"
#include "conf/access.h"
#include "conf/channels.h"
#include "conf/name.h"
#include "conf/redaction.h"
#include "conf/values.h"
#include "wire/format.h"

/* sun_path has 108 bytes, and sockets lie in state_dir. */
enum { STATE_DIR_MAX = 108 - 1 - 13 };

#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAY (86400 * NS_PER_SEC)

static const char *const sandboxes[] = {"auto", "off", "require", NULL};
static const char *const listen_words[] = {"unix", "tcp", NULL};

const struct sluice_option hub_options[] = {
	{"listen", SLUICE_ADDRESS, SLUICE_LIST, "unix:" SLUICE_RUN_DIR "/fcgi.sock", listen_words,
	 0, 0, "where FastCGI requests are accepted: unix:/path or tcp:host:port", NULL},
	{"state_dir", SLUICE_PATH, 0, SLUICE_STATE_DIR, NULL, 0, 0, "where journals are kept",
	 NULL},
	{"plugin_dir", SLUICE_PATH, SLUICE_LIST, NULL, NULL, 0, 0, "where plugins are looked for",
	 NULL},
	{"prefix", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "where it is mounted, such as /logs; else wherever the web server says.  Requests "
	 "elsewhere are refused",
	 NULL},
	{"responders", SLUICE_INT, 0, "2", NULL, 1, 64, "processes that accept requests", NULL},
	{"web_users", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "users whose processes may connect to our unix sockets, beside root and our own; else "
	 "those of the usual web servers",
	 NULL},
	{"linger", SLUICE_DURATION, 0, "60s", NULL, NS_PER_SEC, DAY,
	 "how long a sluice that sluice.fcgi has started stays when nobody uses it any more", NULL},
	{"limits.streams", SLUICE_INT, 0, "10000", NULL, 1, 1000000, "open streams in all", NULL},
	{"limits.streams_per_address", SLUICE_INT, 0, "1000", NULL, 0, 1000000,
	 "open streams of one client address; 0 for any", NULL},
	{"limits.streams_per_user", SLUICE_INT, 0, "1000", NULL, 0, 1000000,
	 "open streams of one user that the front server names; 0 for any", NULL},
	{"limits.subscriptions", SLUICE_INT, 0, "1000", NULL, 1, 100000,
	 "different combinations of channels, filter and format at once", NULL},
	{"limits.stall", SLUICE_DURATION, 0, "2m", NULL, NS_PER_SEC, DAY,
	 "a client that takes nothing for so long while there is something is let go", NULL},
	{"free_space", SLUICE_SIZE, 0, "64MiB", NULL, 0, 1024 * GIB,
	 "what journals leave free on their file system, at most a twentieth of it", NULL},
	{"limits.event_size", SLUICE_SIZE, 0, "64KiB", NULL, 1 * KIB, 64 * MIB,
	 "bytes of one message; a longer one is cut and flagged", NULL},
	{0},
};

const struct sluice_option source_options[] = {
	{"type", SLUICE_STRING, SLUICE_REQUIRED, NULL, NULL, 0, 0, "the plugin, such as file",
	 NULL},
	{"channel", SLUICE_STRING, SLUICE_REQUIRED, NULL, NULL, 0, 0, "where its events go", NULL},
	{"user", SLUICE_STRING, 0, NULL, NULL, 0, 0,
	 "run its process as this user (sluice must run as root); else one of its own, or sluice's",
	 NULL},
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
	{"filter", SLUICE_STRING, 0, NULL, NULL, 0, 0,
	 "which of its events are taken (see sluice-filters(7)); the others are counted", NULL},
	{"redact", SLUICE_STRING, OPTION_TREE, NULL, NULL, 0, 0,
	 "secrets that are taken out before anything else sees an event: rules by name "
	 "(headers, password, token, bearer, keys, pem, cards, all) or maps of field, regex, "
	 "with, do",
	 NULL},
	{"sandbox", SLUICE_ENUM, 0, "auto", sandboxes, 0, 0,
	 "confine its process: auto as far as the kernel can, require or do not start, off", NULL},
	{"allow_read", SLUICE_PATH, SLUICE_LIST, NULL, NULL, 0, 0,
	 "files and directories that it may read beside those its options name", NULL},
	{0},
};

static const struct sluice_option top_options[] = {
	{"hub", SLUICE_STRING, 0, NULL, NULL, 0, 0, "", NULL},
	{"access", SLUICE_STRING, 0, NULL, NULL, 0, 0, "", NULL},
	{"channels", SLUICE_STRING, 0, NULL, NULL, 0, 0, "", NULL},
	{"sources", SLUICE_STRING, 0, NULL, NULL, 0, 0, "", NULL},
	{0},
};

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

static void check_listen(const struct option_value *v, const struct tree *given, struct errors *e)
{
	if (!v)
		return;
	if (given && given->kind == TREE_LIST && !given->n)
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

static void check_web_users(const struct hub_settings *hub, const struct option_value *v,
			    struct errors *e)
{
	for (size_t i = 0; i < hub->n_web_users; i++)
		if (!getpwnam(hub->web_users[i]))
			errors_add(
				e, v->at, "hub.web_users",
				"there is no user \"%s\" on this machine (name the one that your "
				"web server runs as)",
				hub->web_users[i]);
}

/* As the responders get it: one behind the other, without a slash at their ends. */
static char *read_prefix(const struct option_value *v, struct errors *e)
{
	struct buf all = {0};
	for (size_t i = 0; v && i < v->n; i++) {
		const char *s = v->items[i];
		size_t n = strlen(s);
		if (s[0] != '/')
			errors_add(e, v->at, "hub.prefix",
				   "\"%s\" does not begin with a slash (write /logs)", s);
		else if (strpbrk(s, " \t") || strstr(s, "//"))
			errors_add(e, v->at, "hub.prefix", "\"%s\" is not a path (write /logs)", s);
		while (n > 1 && s[n - 1] == '/')
			n--;
		buf_printf(&all, "%s%.*s", i ? " " : "", (int)n, s);
	}
	char *prefix = mem_strdup(buf_text(&all));
	buf_fini(&all);
	return prefix;
}

static void read_hub(const struct tree *root, struct hub_settings *hub, struct errors *e)
{
	static const struct tree nothing = {.kind = TREE_MAP};
	const struct tree *map = sub_map(root, "hub", e);
	struct option_values v = {0};
	option_read(map ? map : &nothing, "hub", hub_options, NULL, &v, e);
	hub->listen = values_list(hub_options, &v, "listen", &hub->n_listen);
	check_listen(option_find(&v, "listen"), tree_get(map, "listen"), e);
	hub->plugin_dirs = values_list(hub_options, &v, "plugin_dir", &hub->n_plugin_dirs);
	hub->state_dir = mem_strdup(values_text(hub_options, &v, "state_dir"));
	const struct option_value *state_dir = option_find(&v, "state_dir");
	if (state_dir && strlen(hub->state_dir) > STATE_DIR_MAX)
		errors_add(e, state_dir->at, "hub.state_dir",
			   "longer than %d characters: a socket in it could not be named (choose a "
			   "shorter path)",
			   STATE_DIR_MAX);
	hub->prefix = read_prefix(option_find(&v, "prefix"), e);
	hub->responders = values_number(hub_options, &v, "responders");
	hub->web_users = values_list(hub_options, &v, "web_users", &hub->n_web_users);
	check_web_users(hub, option_find(&v, "web_users"), e);
	hub->linger_ns = values_number(hub_options, &v, "linger");
	hub->max_streams = values_number(hub_options, &v, "limits.streams");
	hub->max_streams_per_address = values_number(hub_options, &v, "limits.streams_per_address");
	hub->max_streams_per_user = values_number(hub_options, &v, "limits.streams_per_user");
	hub->max_views = values_number(hub_options, &v, "limits.subscriptions");
	hub->max_stall_ns = values_number(hub_options, &v, "limits.stall");
	hub->free_space = values_number(hub_options, &v, "free_space");
	hub->event_size = values_number(hub_options, &v, "limits.event_size");
	option_values_fini(&v);
}

void settings_peers(const struct hub_settings *hub, struct peers *ret)
{
	static const char *const usual[] = {"www-data", "http",  "apache", "nginx",
					    "lighttpd", "caddy", "wwwrun", "haproxy"};
	peers_init(ret);
	for (size_t i = 0; i < hub->n_web_users; i++)
		peers_add_user(ret, hub->web_users[i]);
	for (size_t i = 0; !hub->n_web_users && i < array_size(usual); i++)
		peers_add_user(ret, usual[i]);
}

/* ---- sources ---- */

static void fill_source(struct source_settings *src, const struct option_values *v)
{
	const char *user = values_text(source_options, v, "user");
	const char *backoff = values_text(source_options, v, "restart.backoff");
	src->user = user ? mem_strdup(user) : NULL;
	src->groups = values_list(source_options, v, "groups", &src->n_groups);
	src->limits = (struct source_limits){
		.memory = values_number(source_options, v, "limits.memory"),
		.open_files = values_number(source_options, v, "limits.open_files"),
		.processes = values_number(source_options, v, "limits.processes"),
		.cpu_time_ns = values_number(source_options, v, "limits.cpu_time"),
		.file_size = values_number(source_options, v, "limits.file_size"),
	};
	if (unit_parse_range(backoff, &src->backoff_ns, &src->backoff_max_ns))
		src->backoff_ns = src->backoff_max_ns = NS_PER_SEC; /* the error is told */
	src->attempts = values_number(source_options, v, "restart.attempts");
	src->watchdog_ns = values_number(source_options, v, "watchdog");
	src->rate_limit = values_number(source_options, v, "rate_limit");
	src->rate_burst = values_number(source_options, v, "rate_burst");
	src->sandbox = (enum sandbox)values_number(source_options, v, "sandbox");
	src->allow_read = values_list(source_options, v, "allow_read", &src->n_allow_read);
}

void source_settings_init(struct source_settings *src, const char *name, const char *type)
{
	static const struct option_values none;
	*src = (struct source_settings){.name = mem_strdup(name), .type = mem_strdup(type)};
	fill_source(src, &none);
}

static char *copy(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

static void free_types(struct source_settings *src)
{
	for (size_t i = 0; i < src->n_types; i++) {
		struct type_settings *t = &src->types[i];
		for (size_t k = 0; k < t->n_fields; k++) {
			free(t->fields[k].name);
			free(t->fields[k].unit);
			free(t->fields[k].doc);
		}
		free(t->fields);
		free(t->name);
		free(t->doc);
	}
	free(src->types);
	src->types = NULL;
	src->n_types = 0;
}

/* As clients see it; "gap" is the type of what a plugin flags as SLUICE_GAP. */
static char *type_for_clients(const char *name)
{
	struct str type = str_of(name);
	if (!str_is(type, "gap"))
		type = format_type(type);
	return mem_strndup(type.data, type.len);
}

void settings_read_types(struct source_settings *src, const struct sluice_event_type *table)
{
	free_types(src); /* asked again when its file was replaced */
	for (const struct sluice_event_type *ev = table; ev && ev->name; ev++) {
		src->types = mem_resize(src->types, (src->n_types + 1) * sizeof(src->types[0]));
		struct type_settings *t = &src->types[src->n_types++];
		*t = (struct type_settings){.name = type_for_clients(ev->name),
					    .doc = copy(ev->doc),
					    .version = ev->version};
		for (const struct sluice_field_type *f = ev->fields; f && f->name; f++) {
			t->fields = mem_resize(t->fields, (t->n_fields + 1) * sizeof(t->fields[0]));
			t->fields[t->n_fields++] = (struct field_settings){
				mem_strdup(f->name), copy(f->unit), copy(f->doc), f->type};
		}
	}
}

void source_settings_fini(struct source_settings *src)
{
	free_types(src);
	free(src->name);
	free(src->type);
	free(src->channel);
	free(src->user);
	free(src->plugin);
	free(src->trouble);
	free(src->warnings);
	free(src->filter);
	redaction_fini(src);
	list_free(src->groups, src->n_groups);
	list_free(src->allow_read, src->n_allow_read);
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
	const char *type = values_text(source_options, v, "type");
	const char *channel = values_text(source_options, v, "channel");
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
			   "%s where a map is expected (indent \"type:\" and \"channel:\" "
			   "below the name of the source)",
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
	const struct option_value *filter = option_find(&v, "filter");
	if (filter && filter->n)
		src->filter = settings_filter(filter, where, e);
	redaction_read(src, tree_get(map, "redact"), where, e);
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
		channels_read_one(s, channels->keys[i], channels->values[i], e);
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
			static const char *const mains[] = {"hub", "access"};
			for (size_t k = 0; root && k < array_size(mains); k++) {
				const struct tree *main_only = tree_get(root, mains[k]);
				if (main_only)
					errors_add(e, main_only->at, mains[k],
						   "belongs into the main file, %s (move it there)",
						   s->file);
			}
			if (root)
				read_root(s, root, e);
		}
	}
	globfree(&g);
	free(pattern);
}

/* Not where they are only wrong, or called otherwise: that is told. */
static bool lacks_sources(const struct settings *s, const struct tree *root)
{
	static const char *const names[] = {"sources", NULL};
	const struct tree *t = tree_get(root, "sources");
	bool is_empty = !t || (t->kind == TREE_SCALAR ? !t->text[0] : !t->n);
	for (size_t i = 0; !t && i < root->n; i++)
		if (unit_nearest(root->keys[i]->text, names))
			return false;
	return is_empty && !s->n_sources && !root->is_cut_off;
}

struct settings *settings_load(const char *file, struct errors *e)
{
	struct settings *s = mem_zero(sizeof(*s));
	s->file = mem_strdup(file);
	free(e->main_file);
	e->main_file = mem_strdup(file);
	const struct tree *root = load_file(s, file, e);
	read_hub(root, &s->hub, e);
	access_read(&s->access, sub_map(root, "access", e), e);
	if (root) {
		read_root(s, root, e);
		load_more(s, e);
	}
	for (size_t i = 0; i < s->n_sources; i++)
		if (s->sources[i].channel)
			settings_channel(s, s->sources[i].channel);
	settings_channel(s, SETTINGS_OWN_CHANNEL);
	channels_check(s, e);
	if (root && lacks_sources(s, root))
		errors_add(e, root->at, NULL, "no sources (add \"sources:\" with at least one)");
	return s;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	list_free(s->hub.listen, s->hub.n_listen);
	list_free(s->hub.plugin_dirs, s->hub.n_plugin_dirs);
	free(s->hub.state_dir);
	free(s->hub.prefix);
	access_settings_fini(&s->access);
	list_free(s->hub.web_users, s->hub.n_web_users);
	for (size_t i = 0; i < s->n_channels; i++)
		channel_settings_fini(&s->channels[i]);
	free(s->channels);
	for (size_t i = 0; i < s->n_sources; i++)
		source_settings_fini(&s->sources[i]);
	free(s->sources);
	for (size_t i = 0; i < s->n_files; i++)
		tree_free(s->trees[i]);
	list_free(s->files, s->n_files);
	free(s->trees);
	free(s->file);
	free(s);
}

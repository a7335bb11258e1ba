/* SPDX-License-Identifier: MIT */
#include "conf/hub.h"

#include <pwd.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/peers.h"

/* sun_path has 108 bytes, and sockets lie in state_dir. */
enum { STATE_DIR_MAX = 108 - 1 - 13 };

#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAY (86400 * NS_PER_SEC)

static const char *const listen_words[] = {"unix", "tcp", NULL};

/* ---- checks --------------------------------------------------------------------------- */

static void check_listen(const struct option_value *v, const char *where, struct errors *e)
{
	if (v->n > LISTEN_MAX)
		errors_add(e, v->at, where, "more than %d addresses", LISTEN_MAX);
	for (size_t i = 0; i < v->n; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(v->items[i], v->items[k]) == 0)
				errors_add(e, v->at, where,
					   "\"%s\" stands there twice (remove one)", v->items[i]);
}

static void check_state_dir(const struct option_value *v, const char *where, struct errors *e)
{
	if (v->n && strlen(v->items[0]) > STATE_DIR_MAX)
		errors_add(e, v->at, where,
			   "longer than %d characters: a socket in it could not be named (choose a "
			   "shorter path)",
			   STATE_DIR_MAX);
}

static void check_prefix(const struct option_value *v, const char *where, struct errors *e)
{
	for (size_t i = 0; i < v->n; i++) {
		const char *s = v->items[i];
		if (s[0] != '/')
			errors_add(e, v->at, where,
				   "\"%s\" does not begin with a slash (write /logs)", s);
		else if (strpbrk(s, " \t") || strstr(s, "//"))
			errors_add(e, v->at, where, "\"%s\" is not a path (write /logs)", s);
	}
}

static void check_web_users(const struct option_value *v, const char *where, struct errors *e)
{
	for (size_t i = 0; i < v->n; i++)
		if (!getpwnam(v->items[i]))
			errors_add(
				e, v->at, where,
				"there is no user \"%s\" on this machine (name the one that your "
				"web server runs as)",
				v->items[i]);
}

/* ---- the table ------------------------------------------------------------------------ */

const struct setting hub_rows[] = {
	{{"listen", SLUICE_ADDRESS, SLUICE_LIST, "unix:" SLUICE_RUN_DIR "/fcgi.sock", listen_words,
	  0, 0, "where FastCGI requests are accepted: unix:/path or tcp:host:port", NULL, NULL},
	 AS_LIST(struct hub_settings, listen, n_listen),
	 .check = check_listen,
	 .flags = SETTING_RESTARTS_RESPONDERS},
	{{"state_dir", SLUICE_PATH, 0, SLUICE_STATE_DIR, NULL, 0, 0,
	  "where the journals are kept; each running sluice needs a directory of its own", NULL,
	  NULL},
	 AS_TEXT(struct hub_settings, state_dir),
	 .check = check_state_dir,
	 .flags = SETTING_REQUIRED},
	{{"plugin_dir", SLUICE_PATH, SLUICE_LIST, NULL, NULL, 0, 0,
	  "where plugins are looked for; default: the installed ones", NULL, NULL},
	 AS_LIST(struct hub_settings, plugin_dirs, n_plugin_dirs)},
	{{"prefix", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "where sluice is mounted, such as /logs; requests for other paths are rejected. "
	  "Default: wherever the web server says",
	  NULL, NULL},
	 AS_TEXT(struct hub_settings, prefix),
	 .check = check_prefix,
	 .flags = SETTING_BY_HAND | SETTING_REQUIRED | SETTING_RESTARTS_RESPONDERS},
	{{"responders", SLUICE_INT, 0, "2", NULL, 1, 64, "processes that accept requests", NULL,
	  NULL},
	 AS_NUMBER(struct hub_settings, responders),
	 .flags = SETTING_RESTARTS_RESPONDERS},
	{{"web_users", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "users whose processes may connect to the unix sockets, besides root and sluice's own; "
	  "default: those of the usual web servers",
	  NULL, NULL},
	 AS_LIST(struct hub_settings, web_users, n_web_users),
	 .check = check_web_users,
	 .flags = SETTING_RESTARTS_RESPONDERS},
	{{"linger", SLUICE_DURATION, 0, "60s", NULL, NS_PER_SEC, DAY,
	  "a hub that sluice.fcgi has started exits after being unused for this long", NULL, NULL},
	 AS_NUMBER(struct hub_settings, linger_ns)},
	{{"free_space", SLUICE_SIZE, 0, "64MiB", NULL, 0, 1024 * GIB,
	  "what journals leave free on their file system, at most a twentieth of it", NULL, NULL},
	 AS_NUMBER(struct hub_settings, free_space)},
	{{"limits.streams", SLUICE_INT, 0, "10000", NULL, 1, 1000000, "open streams in all", NULL,
	  NULL},
	 AS_NUMBER(struct hub_settings, max_streams)},
	{{"limits.streams_per_address", SLUICE_INT, 0, "1000", NULL, 0, 1000000,
	  "open streams of one client address; 0: no limit", NULL, NULL},
	 AS_NUMBER(struct hub_settings, max_streams_per_address)},
	{{"limits.streams_per_user", SLUICE_INT, 0, "1000", NULL, 0, 1000000,
	  "open streams of one user that the web server has authenticated; 0: no limit", NULL,
	  NULL},
	 AS_NUMBER(struct hub_settings, max_streams_per_user)},
	{{"limits.subscriptions", SLUICE_INT, 0, "1000", NULL, 1, 100000,
	  "different combinations of channels, filter and format at once", NULL, NULL},
	 AS_NUMBER(struct hub_settings, max_views)},
	{{"limits.stall", SLUICE_DURATION, 0, "2m", NULL, NS_PER_SEC, DAY,
	  "a client that reads nothing for this long, while events wait for it, is disconnected",
	  NULL, NULL},
	 AS_NUMBER(struct hub_settings, max_stall_ns)},
	{{"limits.event_size", SLUICE_SIZE, 0, "64KiB", NULL, 1 * KIB, 64 * MIB,
	  "the longest message; a longer one is cut and flagged", NULL, NULL},
	 AS_NUMBER(struct hub_settings, event_size)},
	{.kind = MEMBER_NONE},
};

/* ---- reading -------------------------------------------------------------------------- */

/* As the responders get it: one behind the other, without a slash at their ends. */
static char *joined_prefixes(const struct option_value *v)
{
	struct buf all = {0};
	for (size_t i = 0; v && i < v->n; i++) {
		size_t n = strlen(v->items[i]);
		while (n > 1 && v->items[i][n - 1] == '/')
			n--;
		buf_printf(&all, "%s%.*s", i ? " " : "", (int)n, v->items[i]);
	}
	char *prefix = mem_strdup(buf_text(&all));
	buf_fini(&all);
	return prefix;
}

void hub_settings_read(struct hub_settings *hub, const struct tree *map, struct errors *e)
{
	const struct tree *listen = tree_get(map, "listen");
	struct option_values v = {0};
	settings_read(hub_rows, map, "hub", &v, hub, e);
	if (listen && listen->kind == TREE_LIST && !listen->n)
		errors_add(e, listen->at, "hub.listen",
			   "an empty list (nobody could connect: name at least one address)");
	hub->prefix = joined_prefixes(option_find(&v, "prefix"));
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

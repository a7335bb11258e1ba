/* SPDX-License-Identifier: MIT
 *
 * hub - the settings in the map "hub:" of a configuration.
 */
#ifndef SLUICE_CONF_HUB_H
#define SLUICE_CONF_HUB_H

#include "conf/setting.h"

struct peers;

enum { LISTEN_MAX = 32 };

struct hub_settings {
	char **listen; /* "unix:/path" or "tcp:host:port" */
	size_t n_listen;
	char *state_dir;
	char **plugin_dirs;
	size_t n_plugin_dirs;
	char *prefix;       /* where it is mounted, with blanks between; "": anywhere */
	int64_t responders; /* processes */
	char **web_users;   /* who may connect beside root and ourselves */
	size_t n_web_users;
	int64_t linger_ns; /* when a web server has started us */
	int64_t max_streams;
	int64_t max_streams_per_address; /* 0: any */
	int64_t max_streams_per_user;
	int64_t max_views;    /* distinct subscriptions at once */
	int64_t max_stall_ns; /* a client that takes nothing for so long is let go */
	int64_t free_space;   /* bytes of the file system that journals leave free */
	int64_t event_size;   /* bytes of one message; longer ones are cut and flagged */
};

extern const struct setting hub_rows[];

/* `map` may be NULL: then everything has its default. */
void hub_settings_read(struct hub_settings *hub, const struct tree *map, struct errors *e);

/* Who may connect to the unix sockets: root, whoever runs this, and the web server. */
void settings_peers(const struct hub_settings *hub, struct peers *ret);

#endif

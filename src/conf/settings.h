/* SPDX-License-Identifier: MIT
 *
 * settings - the configuration file as structs: hub, channels, sources.
 *
 * Knows which keys there are and what they mean; a source's own options are
 * only kept as a tree here, for their table is the plugin's.
 */
#ifndef SLUICE_CONF_SETTINGS_H
#define SLUICE_CONF_SETTINGS_H

#include "conf/option.h"

enum { LISTEN_MAX = 32 };

struct hub_settings {
	char **listen; /* "unix:/path" or "tcp:host:port" */
	size_t n_listen;
	char *state_dir;
	char **plugin_dirs;
	size_t n_plugin_dirs;
	char *prefix;       /* mount prefix when the front server does not tell; "" */
	int64_t responders; /* processes */
	int64_t max_streams;
	int64_t event_size; /* bytes of one message; longer ones are cut and flagged */
};

enum durability { DURABILITY_MEMORY, DURABILITY_PROCESS };

struct channel_settings {
	char *name;
	int64_t history_size;   /* bytes */
	int64_t history_age_ns; /* 0: any age */
	enum durability durability;
	int64_t heartbeat_ns;
	int64_t retry_ns;
	int64_t coalesce_ns;
	int64_t tail; /* events that a client without a cursor gets first */
};

struct source_settings {
	char *name;
	char *type; /* plugin */
	char *channel;
	const struct tree *tree;      /* its map in the file; borrowed from settings.tree */
	struct option_values options; /* filled by settings_read_options() */
};

struct settings {
	char *file;
	struct tree *tree;
	struct hub_settings hub;
	struct channel_settings *channels;
	size_t n_channels;
	struct source_settings *sources;
	size_t n_sources;
};

/* Reads a configuration file; mistakes are added to `e` and what could be
 * read is returned all the same, owned.
 */
struct settings *settings_load(const char *file, struct errors *e) must_check;
void settings_free(struct settings *s);

/* Checks a source's own keys against its plugin's table and keeps them. */
void settings_read_options(struct source_settings *src, const struct sluice_option *table,
			   struct errors *e);

/* Keeps them unchecked, in a process whose parent has checked the same file. */
void settings_keep_options(struct source_settings *src);

/* The settings of a channel; one that only a source names has the defaults. */
struct channel_settings *settings_channel(struct settings *s, const char *name);

/* Keys that sluice itself knows in a source; a plugin's options come beside them. */
extern const struct sluice_option source_options[];
extern const struct sluice_option hub_options[];
extern const struct sluice_option channel_options[];

/* Whether `s` can name a channel, a source or an event type. */
bool name_is_valid(const char *s);

#endif

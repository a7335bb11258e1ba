/* SPDX-License-Identifier: MIT
 *
 * sources - the settings in the map "sources:" of a configuration.
 *
 * Knows the keys that every source has; its own options are checked by its plugin's
 * table, which somebody else has to bring.
 */
#ifndef SLUICE_CONF_SOURCES_H
#define SLUICE_CONF_SOURCES_H

#include "conf/setting.h"
#include "redact/redact.h"

enum sandbox { SANDBOX_AUTO, SANDBOX_OFF, SANDBOX_REQUIRE };

/* What a source process may use; 0: as much as the system lets it. */
struct source_limits {
	int64_t memory; /* bytes of its own data */
	int64_t open_files;
	int64_t processes;
	int64_t cpu_time_ns;
	int64_t file_size; /* bytes */
};

/* What a plugin says of its events. */
struct field_settings {
	char *name, *unit, *doc; /* unit may be NULL */
	enum sluice_type type;
};

struct type_settings {
	char *name, *doc;
	uint32_t version;
	struct field_settings *fields;
	size_t n_fields;
};

struct source_settings {
	char *name;
	char *type; /* plugin */
	char *channel;
	char *user;    /* NULL: the hub's */
	char **groups; /* further ones */
	size_t n_groups;
	struct source_limits limits;
	int64_t backoff_ns, backoff_max_ns;
	int64_t attempts;    /* crashes in a row until it is given up; 0: never */
	int64_t watchdog_ns; /* 0: none */
	int64_t rate_limit;  /* events a second; 0: any */
	int64_t rate_burst;  /* events beyond it at once */
	char *filter;        /* what it may send; NULL: all */
	struct redact_rule *redact;
	size_t n_redact;
	enum sandbox sandbox;
	char **allow_read; /* paths */
	size_t n_allow_read;
	const struct tree *tree; /* its map in the file; NULL once unpacked */
	char *plugin;            /* path of the shared object; set by who has found it */
	char *trouble;           /* why the plugin cannot be used; NULL: it can */
	char *warnings;          /* its plugin's, one a line; NULL: none, or not asked */
	uint32_t plugin_flags;   /* what it has said of itself: enum sluice_plugin_flag */
	struct option_values options;
	struct type_settings *types;
	size_t n_types;
};

/* Keys that sluice itself knows in a source; a plugin's options come beside them. */
extern const struct setting source_rows[];

struct settings;

void sources_read_one(struct settings *s, const struct tree *key, const struct tree *map,
		      struct errors *e);
const struct source_settings *settings_source(const struct settings *s, const char *name);

/* Checks a source's own keys against its plugin's table and keeps them, with
 * the fallbacks of those that name paths and addresses.
 */
void settings_read_options(struct source_settings *src, const struct sluice_option *table,
			   struct errors *e);

/* Copies a plugin's table of events, which ends with a NULL name, in place of what
 * was there.
 */
void settings_read_types(struct source_settings *src, const struct sluice_event_type *table);

/* A source with the defaults. */
void source_settings_init(struct source_settings *src, const char *name, const char *type);
void source_settings_fini(struct source_settings *src);

#endif

/* SPDX-License-Identifier: MIT
 *
 * settings - the configuration as structs: hub, channels, sources.
 *
 * Knows which keys there are and what they mean; a source's own options are
 * checked by its plugin's table, which somebody else has to bring.
 */
#ifndef SLUICE_CONF_SETTINGS_H
#define SLUICE_CONF_SETTINGS_H

#include "base/peers.h"
#include "conf/option.h"
#include "redact/redact.h"

enum { LISTEN_MAX = 32 };

/* The channel that sluice itself feeds. */
#define SETTINGS_OWN_CHANNEL "sluice"

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

/* An access list, as written and checked (see conf/subject.h). */
struct who {
	char **items;
	size_t n;
};

struct access_settings {
	bool allows;       /* channels that say nothing: anyone may read them */
	struct who *admin; /* NULL: as `allows` */
	char *certificate; /* parameter of the request; "" */
	char **members;    /* of groups: "group user user" */
	size_t n_members;
	char **origins; /* as browsers write them */
	size_t n_origins;
	char **frame_ancestors; /* "self", or origins, also with "*." */
	size_t n_frame_ancestors;
	char **hosts;
	size_t n_hosts;
	char **trusted_proxies; /* networks, or "unix:" */
	size_t n_trusted_proxies;
	bool lists_proxies; /* also if there are none: whoever else connects is a client */
};

enum durability { DURABILITY_MEMORY, DURABILITY_PROCESS, DURABILITY_DISK };

enum slow { SLOW_CATCH_UP, SLOW_GAP, SLOW_LATEST, SLOW_DISCONNECT };

struct channel_settings {
	char *name;
	int64_t history_size;   /* bytes */
	int64_t history_age_ns; /* 0: any age */
	enum durability durability;
	int64_t heartbeat_ns;
	int64_t retry_ns;
	int64_t coalesce_ns;
	int64_t tail; /* events that a client without a cursor gets first */
	bool gzips;
	enum slow slow;
	int64_t max_lag_ns;
	struct who *access; /* who may read it; NULL: it says nothing */
	struct who *replay; /* who of them may see the past; NULL: all */
	struct who *admin;  /* who sees how it does, beside access.admin; or NULL */
	/* of a derived channel: those that it shows, and which of their events */
	char **from;
	size_t n_from;
	char *filter; /* NULL: all */
	struct place from_at;
};

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

struct settings {
	char *file; /* the main one */
	char **files;
	struct tree **trees; /* of each file, conf.d included */
	size_t n_files;
	struct hub_settings hub;
	struct access_settings access;
	struct channel_settings *channels;
	size_t n_channels;
	struct source_settings *sources;
	size_t n_sources;
};

/* Reads a configuration file and what lies in conf.d/ beside it; mistakes are
 * added to `e` and what could be read is returned all the same, owned.
 */
struct settings *settings_load(const char *file, struct errors *e) must_check;
void settings_free(struct settings *s);

/* Whether an access list names a network. */
bool settings_use_net(const struct settings *s) must_check;

/* Who may connect to the unix sockets: root, whoever runs this, and the web server. */
void settings_peers(const struct hub_settings *hub, struct peers *ret);

/* Checks a source's own keys against its plugin's table and keeps them, with
 * the fallbacks of those that name paths and addresses.
 */
void settings_read_options(struct source_settings *src, const struct sluice_option *table,
			   struct errors *e);

/* Copies a plugin's table of events, which ends with a NULL name, in place of what
 * was there.
 */
void settings_read_types(struct source_settings *src, const struct sluice_event_type *table);

/* The settings of a channel; one that only a source names has the defaults. */
struct channel_settings *settings_channel(struct settings *s, const char *name);
const struct source_settings *settings_source(const struct settings *s, const char *name);

void channel_settings_fini(struct channel_settings *c);

/* A source with the defaults. */
void source_settings_init(struct source_settings *src, const char *name, const char *type);
void source_settings_fini(struct source_settings *src);

/* Keys that sluice itself knows in a source; a plugin's options come beside them. */
extern const struct sluice_option source_options[];
extern const struct sluice_option hub_options[];
extern const struct sluice_option channel_options[];
extern const struct sluice_option access_options[];
extern const struct sluice_option redact_options[];

#endif

/* SPDX-License-Identifier: MIT
 *
 * channels - the settings in the map "channels:" of a configuration.
 */
#ifndef SLUICE_CONF_CHANNELS_H
#define SLUICE_CONF_CHANNELS_H

#include "conf/setting.h"

enum durability { DURABILITY_MEMORY, DURABILITY_PROCESS, DURABILITY_DISK };

enum slow { SLOW_CATCH_UP, SLOW_GAP, SLOW_LATEST, SLOW_DISCONNECT };

struct channel_settings {
	char *name;
	int64_t history_size;   /* bytes */
	int64_t history_age_ns; /* 0: any age */
	bool compresses;        /* its history */
	enum durability durability;
	int64_t heartbeat_ns;
	int64_t retry_ns;
	int64_t coalesce_ns;
	int64_t tail; /* events that a client without a cursor gets first */
	bool gzips;
	enum slow slow;
	int64_t max_lag_ns;
	struct acl *access; /* who may read it; NULL: it says nothing */
	struct acl *replay; /* who of them may see the past; NULL: all */
	struct acl *admin;  /* who sees how it does, beside access.admin; or NULL */
	/* of a derived channel: those that it shows, and which of their events */
	char **from;
	size_t n_from;
	char *filter; /* NULL: all */
	struct place from_at;
};

extern const struct setting channel_rows[];

struct settings;

/* The settings of a channel; one that only a source names has the defaults. */
struct channel_settings *settings_channel(struct settings *s, const char *name);

void channels_read_one(struct settings *s, const struct tree *key, const struct tree *map,
		       struct errors *e);

/* What can be told only when all is read: what derived channels are from. */
void channels_check(const struct settings *s, struct errors *e);

#endif

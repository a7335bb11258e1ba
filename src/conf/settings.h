/* SPDX-License-Identifier: MIT
 *
 * settings - the configuration as structs: hub, access, channels, sources.
 *
 * Each of them has a file of its own, with one table row for each setting.
 */
#ifndef SLUICE_CONF_SETTINGS_H
#define SLUICE_CONF_SETTINGS_H

#include "base/peers.h"
#include "conf/access.h"
#include "conf/channels.h"
#include "conf/hub.h"
#include "conf/sources.h"

/* The channel that sluice itself feeds. */
#define SETTINGS_OWN_CHANNEL "sluice"

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

extern const struct setting settings_rows[];

/* Reads a configuration file and what lies in conf.d/ beside it; mistakes are
 * added to `e` and what could be read is returned all the same, owned.
 */
struct settings *settings_load(const char *file, struct errors *e) must_check;
void settings_free(struct settings *s);

/* Whether an access list names a network. */
bool settings_use_net(const struct settings *s) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * tables - a plugin's description as data: read from a shared object in one
 * process, used in another.
 */
#ifndef SLUICE_HOST_TABLES_H
#define SLUICE_HOST_TABLES_H

#include "base/bytes.h"
#include "sluice-plugin.h"

struct tables {
	char *name, *version, *summary;
	uint32_t flags;                /* enum sluice_plugin_flag */
	struct sluice_option *options; /* ends with a NULL name; all strings owned */
	size_t n_options;
	struct sluice_event_type *events; /* the same, and so its fields */
	size_t n_events;
};

/* Reads the tables of a loaded plugin, whatever size its structs have. */
void tables_put(struct buf *out, const struct sluice_plugin *p);

/* 0 or -EBADMSG; tables_fini() in both cases. */
int tables_get(struct str s, struct tables *ret) must_check;
void tables_fini(struct tables *t);

#endif

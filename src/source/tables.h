/* SPDX-License-Identifier: MIT
 *
 * tables - a plugin's description as data: read from a shared object in one
 * process, used in another.
 */
#ifndef SLUICE_SOURCE_TABLES_H
#define SLUICE_SOURCE_TABLES_H

#include "base/bytes.h"
#include "sluice-plugin.h"

struct event_table {
	char *name, *doc;
	uint32_t version;
};

struct tables {
	char *name, *version, *summary;
	struct sluice_option *options; /* ends with a NULL name; strings owned */
	size_t n_options;
	struct event_table *events;
	size_t n_events;
};

void tables_put(struct buf *out, const struct sluice_plugin *p);

/* 0 or -EBADMSG; tables_fini() in both cases. */
int tables_get(struct str s, struct tables *ret) must_check;
void tables_fini(struct tables *t);

#endif

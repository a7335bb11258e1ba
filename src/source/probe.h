/* SPDX-License-Identifier: MIT
 *
 * probe - asking a plugin about itself in a process of its own.
 *
 * What `sluice check` does before anything runs: a plugin that crashes while
 * it is asked is an error message, no more.
 */
#ifndef SLUICE_SOURCE_PROBE_H
#define SLUICE_SOURCE_PROBE_H

#include "conf/settings.h"
#include "host/tables.h"

/* Reads the plugin's tables.  0 and `ret` owned (tables_fini()), or -EINVAL
 * with *why an owned sentence.
 */
int probe_describe(const char *path, struct tables *ret, char **why) must_check;

/* Lets the plugin's own open() look at the options.  0; -EINVAL with *why when
 * it refuses them (*option names one, owned, or is NULL); -EIO with *why when
 * the plugin is no good.
 */
int probe_open(const struct source_settings *src, char **option, char **why) must_check;

/* Checks all sources of a configuration against their plugins: options by the
 * tables, then by the plugin's own open().  Adds what is wrong with the
 * configuration to `e`; what is wrong with a plugin is kept in its source's
 * settings, as its trouble.
 */
void probe_sources(struct settings *s, struct errors *e);

/* Tells the troubles as mistakes. */
void probe_tell_troubles(const struct settings *s, struct errors *e);

#endif

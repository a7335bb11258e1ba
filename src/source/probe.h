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
#include "source/tables.h"

/* Reads the plugin's tables.  0 and `ret` owned (tables_fini()), or -EINVAL
 * with *why an owned sentence.
 */
int probe_describe(const char *path, struct tables *ret, char **why) must_check;

/* Checks all sources of a configuration against their plugins: options by the
 * tables, then by the plugin's own open().  Adds what is wrong to `e`, and
 * keeps the options in the settings.
 */
void probe_sources(struct settings *s, struct errors *e);

#endif

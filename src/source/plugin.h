/* SPDX-License-Identifier: MIT
 *
 * plugin - finding a shared object by its name, and loading it.
 *
 * Only a source process loads; the hub and the command line never do.
 */
#ifndef SLUICE_SOURCE_PLUGIN_H
#define SLUICE_SOURCE_PLUGIN_H

#include "conf/settings.h"
#include "sluice-plugin.h"

/* The path of the plugin `type`, owned, or NULL with *why an owned sentence
 * that names where it was looked for and what is there.
 */
char *plugin_find(const struct hub_settings *hub, const char *type, char **why) must_check;

/* Loads for good.  0, or -EINVAL with *why an owned sentence. */
int plugin_load(const char *path, struct sluice_plugin *ret, char **why) must_check;

#endif

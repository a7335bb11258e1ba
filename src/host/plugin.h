/* SPDX-License-Identifier: MIT
 *
 * plugin - finding a shared object by its name, deciding whether it may be
 * trusted, and loading it.
 *
 * Only a source process loads; the hub and the command line never do.
 */
#ifndef SLUICE_HOST_PLUGIN_H
#define SLUICE_HOST_PLUGIN_H

#include "conf/settings.h"
#include "sluice-plugin.h"

/* The directories that are searched, owned, ended by NULL: hub.plugin_dir, else
 * SLUICE_PLUGIN_DIR (colon-separated), else where `make install` put them.
 */
char **plugin_dirs(const struct hub_settings *hub) must_check;
void plugin_dirs_free(char **dirs);

/* The path of the plugin `type`, owned, or NULL with *why an owned sentence
 * that names where it was looked for and what is there.
 */
char *plugin_find(const struct hub_settings *hub, const char *type, char **why) must_check;

/* That of the plugin whose name is most like `type`, owned, or NULL. */
char *plugin_nearest(const struct hub_settings *hub, const char *type) must_check;

/* Whether nobody but root and this process's own user can have written it, nor
 * any directory that it lies in.  0, or -EINVAL with *why an owned sentence.
 */
int plugin_check_file(const char *path, char **why) must_check;

/* Loads for good.  0, or -EINVAL with *why an owned sentence.  Of structs that
 * are smaller than ours the rest is 0.
 */
int plugin_load(const char *path, struct sluice_plugin *ret, char **why) must_check;

/* What tells one build of a file from the next; all 0: it is not there. */
struct plugin_identity {
	uint64_t dev, ino, size;
	int64_t mtime_ns;
};

struct plugin_identity plugin_identify(const char *path);

#endif

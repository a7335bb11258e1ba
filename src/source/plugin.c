/* SPDX-License-Identifier: MIT */
#include "source/plugin.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/unit.h"

enum { NAMES_MAX = 128 };

static void add_dir(char ***dirs, size_t *n, const char *dir, size_t len)
{
	*dirs = mem_resize(*dirs, (*n + 1) * sizeof(**dirs));
	(*dirs)[(*n)++] = mem_strndup(dir, len);
}

/* hub.plugin_dir, else SLUICE_PLUGIN_DIR (colon-separated), else where `make
 * install` put them.
 */
static char **search_dirs(const struct hub_settings *hub, size_t *n)
{
	char **dirs = NULL;
	*n = 0;
	for (size_t i = 0; i < hub->n_plugin_dirs; i++)
		add_dir(&dirs, n, hub->plugin_dirs[i], strlen(hub->plugin_dirs[i]));
	const char *env = getenv("SLUICE_PLUGIN_DIR");
	if (!*n && env) {
		while (*env) {
			size_t len = strcspn(env, ":");
			if (len)
				add_dir(&dirs, n, env, len);
			env += len + (env[len] == ':');
		}
	}
	if (!*n)
		add_dir(&dirs, n, SLUICE_PLUGIN_DIR, strlen(SLUICE_PLUGIN_DIR));
	return dirs;
}

static size_t list_names(char **dirs, size_t n_dirs, char *names[NAMES_MAX])
{
	size_t n = 0;
	for (size_t i = 0; i < n_dirs; i++) {
		DIR *d = opendir(dirs[i]);
		for (struct dirent *e; d && n < NAMES_MAX - 1 && (e = readdir(d));) {
			const char *dot = strrchr(e->d_name, '.');
			if (dot && dot > e->d_name && strcmp(dot, ".so") == 0)
				names[n++] = mem_strndup(e->d_name, (size_t)(dot - e->d_name));
		}
		if (d)
			closedir(d);
	}
	names[n] = NULL;
	return n;
}

static char *not_found(char **dirs, size_t n_dirs, const char *type)
{
	char *names[NAMES_MAX];
	struct buf out = {0};
	size_t n = list_names(dirs, n_dirs, names);
	buf_printf(&out, "there is no plugin \"%s\" in ", type);
	for (size_t i = 0; i < n_dirs; i++)
		buf_printf(&out, "%s%s", i ? ", " : "", dirs[i]);
	const char *near = unit_nearest(type, (const char *const *)names);
	if (near) {
		buf_printf(&out, " (did you mean \"%s\"?)", near);
	} else if (n) {
		buf_puts(&out, " (there are: ");
		for (size_t i = 0; i < n; i++)
			buf_printf(&out, "%s%s", i ? ", " : "", names[i]);
		buf_puts(&out, ")");
	} else {
		buf_puts(&out, " (nor any other: set hub.plugin_dir)");
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	char *ret = mem_strdup(buf_text(&out));
	buf_fini(&out);
	return ret;
}

char *plugin_find(const struct hub_settings *hub, const char *type, char **why)
{
	size_t n;
	char **dirs = search_dirs(hub, &n);
	char *path = NULL;
	for (size_t i = 0; i < n && !path; i++) {
		path = mem_printf("%s/%s.so", dirs[i], type);
		if (access(path, R_OK) < 0) {
			free(path);
			path = NULL;
		}
	}
	if (!path)
		*why = not_found(dirs, n, type);
	for (size_t i = 0; i < n; i++)
		free(dirs[i]);
	free(dirs);
	return path;
}

int plugin_load(const char *path, struct sluice_plugin *ret, char **why)
{
	void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so) {
		*why = mem_printf("cannot be loaded: %s", dlerror());
		return -EINVAL;
	}
	const struct sluice_plugin *(*entry)(void) = NULL;
	void *symbol = dlsym(so, SLUICE_PLUGIN_SYMBOL);
	memcpy(&entry, &symbol, sizeof(entry));
	const struct sluice_plugin *p = entry ? entry() : NULL;
	if (!p || p->magic != SLUICE_PLUGIN_MAGIC) {
		*why = mem_printf("%s: no sluice plugin (it does not end with SLUICE_PLUGIN())",
				  path);
		return -EINVAL;
	}
	if (p->abi_version != SLUICE_ABI_VERSION) {
		*why = mem_printf(
			"%s: built for plugin ABI %u, this sluice has %u (build it again against "
			"this version's sluice-plugin.h)",
			path, p->abi_version, SLUICE_ABI_VERSION);
		return -EINVAL;
	}
	*ret = (struct sluice_plugin){0};
	memcpy(ret, p, MIN(p->struct_size, sizeof(*ret)));
	if (!ret->name || !ret->run || !ret->events || !ret->events[0].name) {
		*why = mem_printf("%s: the plugin's struct lacks its name, its run() or its events",
				  path);
		return -EINVAL;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "host/plugin.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/unit.h"

enum { NAMES_MAX = 128 };

static void add_dir(char ***dirs, size_t *n, const char *dir, size_t len)
{
	while (len > 1 && dir[len - 1] == '/')
		len--;
	*dirs = mem_resize(*dirs, (*n + 2) * sizeof(**dirs));
	(*dirs)[(*n)++] = mem_strndup(dir, len);
	(*dirs)[*n] = NULL;
}

char **plugin_dirs(const struct hub_settings *hub)
{
	char **dirs = NULL;
	size_t n = 0;
	for (size_t i = 0; i < hub->n_plugin_dirs; i++)
		add_dir(&dirs, &n, hub->plugin_dirs[i], strlen(hub->plugin_dirs[i]));
	const char *env = getenv("SLUICE_PLUGIN_DIR");
	while (!hub->n_plugin_dirs && env && *env) {
		size_t len = strcspn(env, ":");
		if (len)
			add_dir(&dirs, &n, env, len);
		env += len + (env[len] == ':');
	}
	if (!n)
		add_dir(&dirs, &n, SLUICE_PLUGIN_DIR, strlen(SLUICE_PLUGIN_DIR));
	return dirs;
}

void plugin_dirs_free(char **dirs)
{
	for (size_t i = 0; dirs[i]; i++)
		free(dirs[i]);
	free(dirs);
}

static size_t list_names(char **dirs, char *names[NAMES_MAX])
{
	size_t n = 0;
	for (size_t i = 0; dirs[i]; i++) {
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

static char *not_found(char **dirs, const char *type)
{
	char *names[NAMES_MAX];
	struct buf out = {0};
	size_t n = list_names(dirs, names);
	buf_printf(&out, "there is no plugin \"%s\" in ", type);
	for (size_t i = 0; dirs[i]; i++)
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

static char *find_in(char **dirs, const char *type)
{
	for (; *dirs; dirs++) {
		char *path = mem_printf("%s/%s.so", *dirs, type);
		if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return path;
		free(path);
	}
	return NULL;
}

char *plugin_nearest(const struct hub_settings *hub, const char *type)
{
	char *names[NAMES_MAX], **dirs = plugin_dirs(hub);
	size_t n = list_names(dirs, names);
	const char *near = unit_nearest(type, (const char *const *)names);
	char *path = near ? find_in(dirs, near) : NULL;
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	plugin_dirs_free(dirs);
	return path;
}

char *plugin_find(const struct hub_settings *hub, const char *type, char **why)
{
	char **dirs = plugin_dirs(hub), *path = find_in(dirs, type);
	if (!path)
		*why = not_found(dirs, type);
	plugin_dirs_free(dirs);
	return path;
}

/* ---- trust ----------------------------------------------------------------------------- */

/* Why others could have written this; owned, or NULL. */
static char *distrust(const char *path, const struct stat *st)
{
	uid_t me = geteuid();
	bool is_dir = S_ISDIR(st->st_mode);
	if (st->st_uid != 0 && st->st_uid != me)
		return mem_printf("%s belongs to the user with the number %u, neither to root nor "
				  "to sluice's own (chown root it)",
				  path, st->st_uid);
	/* In a directory like /tmp, users can replace only their own files. */
	if (is_dir && (st->st_mode & S_ISVTX))
		return NULL;
	if (st->st_mode & S_IWOTH)
		return mem_printf("%s can be written by everyone (chmod o-w it)", path);
	if ((st->st_mode & S_IWGRP) && st->st_gid != 0 && st->st_gid != getegid())
		return mem_printf("%s can be written by the group with the number %u (chmod g-w "
				  "it)",
				  path, st->st_gid);
	return NULL;
}

int plugin_check_file(const char *path, char **why)
{
	struct stat st;
	char *dir = mem_strdup(path), *real = NULL, *real_dir = NULL;
	char *slash = strrchr(dir, '/');
	*why = NULL;
	if (!slash) {
		*why = mem_printf("%s: name it with its directory, such as ./%s", path, path);
		goto out;
	}
	slash[slash == dir] = 0;
	real = realpath(path, NULL);
	if (real)
		real_dir = realpath(dir, NULL);
	if (!real_dir || stat(real, &st) < 0) {
		*why = mem_printf("%s: %s", path, strerror(errno));
		goto out;
	}
	size_t n = strlen(real_dir);
	if (strncmp(real, real_dir, n) != 0 || real[n == 1 ? 0 : n] != '/') {
		*why = mem_printf(
			"%s is a link to %s, out of its directory (copy the file instead)", path,
			real);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		*why = mem_printf("%s is no file", path);
		goto out;
	}
	*why = distrust(real, &st);
	/* Whoever can write a directory above can put another file there. */
	for (char *end; !*why && (end = strrchr(real, '/'));) {
		*end = 0;
		if (stat(end == real ? "/" : real, &st) < 0)
			*why = mem_printf("%s: %s", real, strerror(errno));
		else
			*why = distrust(end == real ? "/" : real, &st);
	}
out:
	free(dir);
	free(real);
	free(real_dir);
	return *why ? -EINVAL : 0;
}

struct plugin_identity plugin_identify(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return (struct plugin_identity){0};
	return (struct plugin_identity){st.st_dev, st.st_ino, (uint64_t)st.st_size,
					st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec};
}

/* ---- loading ------------------------------------------------------------------------------ */

/* 1, 0, or a negative errno: it cannot be read. */
static int is_elf(const char *path)
{
	char head[4] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, head, sizeof(head));
	fd_close(&fd);
	return n == sizeof(head) && memcmp(head, "\177ELF", 4) == 0;
}

static bool is_complete(const struct sluice_plugin *p)
{
	/* No table has rows smaller than those of the first ABI. */
	return p->name && p->run && p->events && p->events[0].name &&
	       p->sizes.option >= offsetof(struct sluice_option, needs) &&
	       p->sizes.event_type >= sizeof(struct sluice_event_type) &&
	       p->sizes.field_type >= sizeof(struct sluice_field_type) &&
	       p->sizes.event >= sizeof(struct sluice_event) &&
	       p->sizes.value >= sizeof(struct sluice_value) &&
	       p->sizes.cursor >= sizeof(struct sluice_cursor) &&
	       p->sizes.spawn >= sizeof(struct sluice_spawn) &&
	       p->sizes.listen >= sizeof(struct sluice_listen);
}

int plugin_load(const char *path, struct sluice_plugin *ret, char **why)
{
	if (plugin_check_file(path, why))
		return -EINVAL;
	int r = is_elf(path);
	if (r < 0) {
		*why = mem_printf("%s cannot be read: %s%s", path, strerror(-r),
				  r == -EMFILE ? " (raise limits.open_files of this source)" : "");
		return -EINVAL;
	}
	if (!r) {
		*why = mem_printf("%s: no shared object (build it with cc -shared -fPIC)", path);
		return -EINVAL;
	}
	void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so) {
		const char *said = dlerror();
		/* Of a library that it needs: the sandbox is closed by now. */
		bool is_library = strstr(said, "cannot open shared object") != NULL;
		*why = mem_printf("cannot be loaded: %s%s", said,
				  is_library ? " (if the library is neither in a system "
					       "directory nor beside the plugin, add its "
					       "directory to allow_read)"
					     : "");
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
	if (p->struct_size < sizeof(*ret) || !is_complete(ret)) {
		*why = mem_printf("%s: the plugin's struct lacks its head, its name, its run() or "
				  "its events (see sluice-plugin(3))",
				  path);
		return -EINVAL;
	}
	return 0;
}

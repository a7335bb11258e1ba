/* SPDX-License-Identifier: MIT */
#include "host/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/* Debian 12's header knows version 2 of what kernels have since 5.13. */
struct ruleset {
	uint64_t fs, net, scoped;
};

#define FS_READ                                                                                    \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
#define FS_VERSION_1 ((1ULL << 13) - 1)
#define FS_REFER     (1ULL << 13) /* since version 2 */
#define FS_TRUNCATE  (1ULL << 14) /* 3 */
#define NET_TCP      3ULL         /* 4: bind and connect */
#define FS_IOCTL     (1ULL << 15) /* 5: of devices */
#define SCOPED       3ULL         /* 6: abstract sockets and signals */
#define FS_UNIX      (1ULL << 16) /* 9: connecting to a unix socket by its path */
#define FILE_RIGHTS                                                                                \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                            \
	 LANDLOCK_ACCESS_FS_EXECUTE | FS_TRUNCATE | FS_IOCTL)

/* What libraries read: themselves, names, times, certificates. */
static const char *const system_paths[] = {
	"/usr/lib",
	"/usr/lib64",
	"/lib",
	"/lib64",
	"/usr/local/lib",
	"/usr/share",
	"/etc/ld.so.cache",
	"/etc/localtime",
	"/etc/ssl",
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/host.conf",
	"/etc/nsswitch.conf",
	"/etc/passwd",
	"/etc/group",
	"/etc/services",
	"/etc/protocols",
	"/etc/gai.conf",
	"/proc/self",
	"/proc/sys/kernel",
	"/dev/null",
	"/dev/zero",
	"/dev/urandom",
	"/dev/random",
};

struct rules {
	int fd;
	uint64_t restricted; /* rights that are taken away where no rule gives them */
};

static void allow_existing(const struct rules *r, const char *path, uint64_t rights)
{
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rights &= FILE_RIGHTS;
	/* A right that is not restricted cannot be given either. */
	rights &= r->restricted;
	struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
	if (rights)
		syscall(SYS_landlock_add_rule, r->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(fd);
}

/* The path, or the nearest directory above it that is there: what will be made
 * below it is allowed too.
 */
static void allow(const struct rules *r, const char *path, uint64_t rights)
{
	char *p = mem_strdup(path);
	while (access(p, F_OK) < 0 && strlen(p) > 1) {
		char *slash = strrchr(p, '/');
		slash[slash == p] = 0;
	}
	allow_existing(r, p, rights);
	free(p);
}

/* The directory of `path`, also where its links lead to. */
static void allow_dir_of(const struct rules *r, const char *path, uint64_t rights)
{
	char *dir = mem_strdup(path);
	char *slash = strrchr(dir, '/');
	slash[slash == dir] = 0;
	allow(r, dir, rights);
	char *real = realpath(path, NULL);
	if (real && (slash = strrchr(real, '/'))) {
		slash[slash == real] = 0;
		allow(r, real, rights);
	}
	free(real);
	free(dir);
}

static void allow_option(const struct rules *r, const struct option_value *v)
{
	uint64_t rights = FS_READ | FS_IOCTL;
	if (!(v->flags & (SLUICE_READ | SLUICE_WRITE)))
		return;
	if (v->flags & SLUICE_WRITE)
		rights = r->restricted & ~FS_UNIX;
	for (size_t i = 0; i < v->n; i++) {
		struct stat st;
		if (v->items[i][0] != '/')
			continue;
		if (stat(v->items[i], &st) == 0 && S_ISDIR(st.st_mode))
			allow(r, v->items[i], rights);
		else
			allow_dir_of(r, v->items[i], rights);
	}
}

/* What a pattern finds may be links, today or tomorrow, to any place. */
static bool reads_anywhere(const struct source_settings *src)
{
	for (size_t i = 0; i < src->options.n; i++) {
		const struct option_value *v = &src->options.all[i];
		if (v->type == SLUICE_GLOB && (v->flags & SLUICE_READ))
			return true;
	}
	return false;
}

int landlock_close(const struct source_settings *src, uint32_t plugin_flags, bool reads_all)
{
	int version =
		(int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 0)
		return -errno;
	struct ruleset attr = {.fs = FS_VERSION_1};
	size_t size = sizeof(attr.fs);
	if (reads_all || reads_anywhere(src))
		attr.fs &= ~(uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
	if (version >= 2)
		attr.fs |= FS_REFER;
	if (version >= 3)
		attr.fs |= FS_TRUNCATE;
	if (version >= 5)
		attr.fs |= FS_IOCTL;
	if (version >= 9 && !(plugin_flags & SLUICE_NEEDS_UNIX))
		attr.fs |= FS_UNIX;
	if (version >= 4) {
		attr.net = plugin_flags & SLUICE_NEEDS_NETWORK ? 0 : NET_TCP;
		size = 2 * sizeof(uint64_t);
	}
	if (version >= 6) {
		attr.scoped = SCOPED;
		size = sizeof(attr);
	}
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return -errno;
	struct rules rules = {ruleset, attr.fs};
	for (size_t i = 0; i < array_size(system_paths); i++)
		allow_existing(&rules, system_paths[i], FS_READ);
	allow_existing(&rules, "/dev/null", FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE);
	allow_dir_of(&rules, src->plugin, FS_READ);
	for (size_t i = 0; i < src->options.n; i++)
		allow_option(&rules, &src->options.all[i]);
	for (size_t i = 0; i < src->n_allow_read; i++)
		allow(&rules, src->allow_read[i], FS_READ | FS_IOCTL);
	int r = version;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		r = -errno;
	fd_close(&ruleset);
	return r;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mounts.h"
#include "sizes.h"

static void put_path(struct state *s, const struct mount *m, char *ret, size_t size)
{
	bool is_root = strcmp(m->dir, "/") == 0;
	snprintf(ret, size, "%s%s", s->rootfs ? s->rootfs : "", s->rootfs && is_root ? "" : m->dir);
}

/* Some network and FUSE file systems have more free than there is, or -1 for what they do not
 * know.
 */
static double least(uint64_t a, uint64_t b)
{
	return (double)(a < b ? a : b);
}

static void put_sizes(struct sample *m, const char *dir, const struct statvfs *st)
{
	char size[16];
	double unit = (double)st->f_frsize, all = (double)st->f_blocks;
	double used = all - least(st->f_bfree, st->f_blocks);
	double available =
		least(st->f_bavail, st->f_bfree < st->f_blocks ? st->f_bfree : st->f_blocks);
	/* As df(1): what is reserved for root is no share of anybody. */
	double share = used + available > 0 ? used / (used + available) : 0;
	sample_int(m, "system.filesystem.limit", (int64_t)(all * unit));
	sample_int(m, "system.filesystem.usage", (int64_t)(used * unit));
	sample_int(m, "system.filesystem.usage.free", (int64_t)(available * unit));
	sample_double(m, "system.filesystem.utilization", share);
	sample_int(m, "system.filesystem.inodes.limit", (int64_t)st->f_files);
	sample_int(m, "system.filesystem.inodes.usage",
		   (int64_t)((double)st->f_files - least(st->f_ffree, st->f_files)));
	sample_highlight(m, share, "%s %.1f %% of %s", dir, 100 * share, human(size, all * unit));
}

static void put_error(struct sample *m, const char *dir, const char *error)
{
	sample_device_text(m, "error", error);
	sample_highlight(m, 2, "%s: %s", dir, error);
}

/* 1 if it hangs. */
static int put_filesystem(struct sample *m, const struct mount *mount, const struct sizes_answer *a,
			  bool visible)
{
	sample_device(m, "system.filesystem.mountpoint", mount->dir);
	sample_device_text(m, "system.device", mount->device);
	sample_device_text(m, "system.filesystem.type", mount->type);
	if (!visible)
		put_error(m, mount->dir,
			  "not visible below rootfs (mount rootfs with propagation rslave)");
	else if (!a->is_there)
		put_error(m, mount->dir, "does not answer");
	else if (a->error)
		put_error(m, mount->dir, strerror(a->error));
	else if (!a->st.f_bsize) /* FUSE answers so to any user but the one that has mounted it */
		put_error(m, mount->dir, "shows its sizes only to the user who mounted it");
	else
		put_sizes(m, mount->dir, &a->st);
	return visible && !a->is_there;
}

static void ask_all(struct state *s, const struct mount *mounts, int n)
{
	char path[PATH_MAX];
	if (!s->sizes)
		s->sizes = sizes_new();
	sizes_begin(s->sizes);
	for (int i = 0; i < n; i++) {
		put_path(s, &mounts[i], path, sizeof(path));
		sizes_ask(s->sizes, path);
	}
	sizes_wait(s->sizes, s->timeout_ns);
}

/* How many hang. */
static int put_all(struct state *s, struct sample *m, const struct mount *mounts, int n,
		   const struct own_mounts *own)
{
	char path[PATH_MAX];
	int hung = 0;
	for (int i = 0; i < n; i++) {
		put_path(s, &mounts[i], path, sizeof(path));
		struct sizes_answer a = sizes_get(s->sizes, path);
		hung += put_filesystem(m, &mounts[i], &a, own_mounts_show(own, s, path));
	}
	return hung;
}

static void collect_all(struct state *s, struct sample *m, const struct mount *mounts, int n,
			const struct own_mounts *own)
{
	ask_all(s, mounts, n);
	int hung = put_all(s, m, mounts, n, own);
	sample_devices_end(m);
	sample_int(m, "system.filesystem.hung", hung);
	if (n)
		sample_say_highlights(m);
	else
		sample_say(m, "no file systems");
	trouble_about_includes(s, "filesystem", "mount point");
	trouble(s, n || !has_option(s, "fstype.include"), "fstype.include", "all",
		"no file system is of one of these types (see the third column of %s)",
		"/proc/self/mounts");
}

int collect_filesystem(struct state *s, struct sample *m)
{
	struct own_mounts *own = s->rootfs ? own_mounts_read(s) : NULL;
	struct mount *mounts = must(calloc(MOUNTS_MAX, sizeof(mounts[0])));
	int n = mounts_read(s, mounts);
	if (n >= 0)
		collect_all(s, m, mounts, n, own);
	free(mounts);
	own_mounts_free(own);
	return n < 0 ? -1 : 0;
}

void filesystem_free(struct state *s)
{
	sizes_free(s->sizes);
}

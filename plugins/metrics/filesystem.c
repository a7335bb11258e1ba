/* SPDX-License-Identifier: MIT
 *
 * statvfs(3) of a dead network mount hangs, and cannot be interrupted.  So each
 * mount point is asked by a thread of its own, which the tick waits for as long
 * as `timeout` says; one that is still at it is not asked again, and everything
 * else goes on.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "metrics.h"

enum { MOUNTS_MAX = 1024, STACK_SIZE = 64 * 1024 };

/* Of one mount point; shared with its thread. */
struct asking {
	struct asking *next;
	char *dir;
	bool is_done; /* guarded by the mutex */
	bool is_new;  /* asked in this tick */
	int error;
	struct statvfs st;
	struct filesystems *all;
};

struct filesystems {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct asking *askings;
};

struct filesystems *filesystems_new(void)
{
	struct filesystems *f = must(calloc(1, sizeof(*f)));
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&f->mutex, NULL);
	return f;
}

/* Threads that hang keep what they hold: the process ends right after. */
void filesystems_free(struct filesystems *f)
{
	bool hangs = false;
	if (!f)
		return;
	pthread_mutex_lock(&f->mutex);
	for (struct asking *a = f->askings; a; a = a->next)
		hangs |= !a->is_done;
	while (!hangs && f->askings) {
		struct asking *a = f->askings;
		f->askings = a->next;
		free(a->dir);
		free(a);
	}
	pthread_mutex_unlock(&f->mutex);
	if (!hangs)
		free(f);
}

static void *ask(void *ctx)
{
	struct asking *a = ctx;
	struct statvfs st;
	int error = statvfs(a->dir, &st) < 0 ? errno : 0;
	pthread_mutex_lock(&a->all->mutex);
	a->st = st;
	a->error = error;
	a->is_done = true;
	pthread_cond_signal(&a->all->changed);
	pthread_mutex_unlock(&a->all->mutex);
	return NULL;
}

static bool begin(struct asking *a)
{
	pthread_attr_t attr;
	pthread_t thread;
	a->is_done = false;
	a->is_new = true;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	int r = pthread_create(&thread, &attr, ask, a);
	pthread_attr_destroy(&attr);
	if (r)
		a->is_done = true;
	if (r)
		a->error = r;
	return r == 0;
}

static struct asking *asking_of(struct filesystems *f, const char *dir)
{
	struct asking *a = f->askings;
	while (a && strcmp(a->dir, dir) != 0)
		a = a->next;
	if (a)
		return a;
	a = must(calloc(1, sizeof(*a)));
	a->dir = must(strdup(dir));
	a->all = f;
	a->is_done = true;
	a->next = f->askings;
	f->askings = a;
	return a;
}

/* Mount points come and go; those that the last tick did not ask are gone. */
static void drop_others(struct filesystems *f)
{
	for (struct asking **p = &f->askings; *p;) {
		struct asking *a = *p;
		if (a->is_new || !a->is_done) {
			p = &a->next;
			continue;
		}
		*p = a->next;
		free(a->dir);
		free(a);
	}
}

static bool any_pending(const struct filesystems *f)
{
	for (const struct asking *a = f->askings; a; a = a->next)
		if (a->is_new && !a->is_done)
			return true;
	return false;
}

/* A blank in a mount point is \040, proc_pid_mounts(5). */
static void unescape(char *p)
{
	char *out = p;
	for (; *p; p++) {
		unsigned v;
		if (p[0] == '\\' && sscanf(p + 1, "%3o", &v) == 1) {
			*out++ = (char)v;
			p += 3;
		} else {
			*out++ = *p;
		}
	}
	*out = 0;
}

/* What the kernel makes up: without sizes, or with nobody's. */
static bool is_invented(const char *type)
{
	static const char *const types[] = {
		"autofs",    "binfmt_misc", "bpf",      "cgroup",     "cgroup2",    "configfs",
		"debugfs",   "devpts",      "devtmpfs", "efivarfs",   "fusectl",    "hugetlbfs",
		"mqueue",    "nsfs",        "proc",     "pstore",     "rpc_pipefs", "securityfs",
		"selinuxfs", "sysfs",       "tracefs",  "fuse.lxcfs", "squashfs",   NULL};
	for (size_t i = 0; types[i]; i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

struct mount {
	char *dir, *device, *type;
};

/* The next one of the text, which it borrows. */
static bool next_mount(char **rest, struct mount *ret)
{
	char *line, *save;
	while ((line = next_line(rest))) {
		*ret = (struct mount){.device = strtok_r(line, " ", &save)};
		ret->dir = strtok_r(NULL, " ", &save);
		ret->type = strtok_r(NULL, " ", &save);
		if (!ret->type)
			continue;
		unescape(ret->dir);
		return true;
	}
	return false;
}

/* Where it is mounted below rootfs; NULL: it is not below it. */
static char *below(const char *rootfs, char *dir)
{
	size_t n = strlen(rootfs);
	if (strncmp(dir, rootfs, n) != 0 || (dir[n] && dir[n] != '/'))
		return NULL;
	return dir[n] ? dir + n : strcpy(dir, "/");
}

/* What is mounted where this process is; owned. */
struct own_mounts {
	char *text;
	struct mount all[MOUNTS_MAX];
	size_t n;
};

static struct own_mounts *read_own_mounts(struct state *s)
{
	struct own_mounts *own = must(calloc(1, sizeof(*own)));
	const char *text = read_proc(s, "self/mounts");
	own->text = must(strdup(text ? text : ""));
	char *rest = own->text;
	while (own->n < MOUNTS_MAX && next_mount(&rest, &own->all[own->n]))
		own->n++;
	return own;
}

static void own_mounts_free(struct own_mounts *own)
{
	if (own)
		free(own->text);
	free(own);
}

static bool is_mounted(const struct own_mounts *own, const char *path)
{
	size_t i = 0;
	while (i < own->n && strcmp(own->all[i].dir, path) != 0)
		i++;
	return i < own->n;
}

/* Whether sizes of the host's mount point are those that this process sees there.  Where rootfs
 * is no mount point, nothing is known of it.
 */
static bool is_visible(const struct state *s, const struct own_mounts *own, const char *path)
{
	return !own || !is_mounted(own, s->rootfs) || is_mounted(own, path);
}

static bool is_chosen(struct state *s, const struct mount *m)
{
	return is_wanted(s, "filesystem", m->dir) && is_wanted(s, "fstype", m->type) &&
	       (has_option(s, "fstype.include") || !is_invented(m->type));
}

/* The mounts that are wanted, borrowed from the text; each directory once, as it is mounted
 * last.
 */
static size_t read_mounts(struct state *s, char *rest, bool strip, struct mount *ret)
{
	size_t n = 0;
	struct mount m;
	while (n < MOUNTS_MAX && next_mount(&rest, &m)) {
		m.dir = strip ? below(s->rootfs, m.dir) : m.dir;
		if (!m.dir || !is_chosen(s, &m))
			continue;
		size_t i = 0;
		while (i < n && strcmp(ret[i].dir, m.dir) != 0)
			i++;
		ret[i] = m;
		n += i == n;
	}
	return n;
}

/* With rootfs the mounts of the host: those of its first process, or, when procfs is not the
 * host's, those that are below rootfs.
 */
static char *read_table(struct state *s, bool *strip)
{
	*strip = false;
	if (!s->rootfs)
		return read_proc(s, "self/mounts");
	char entry[300];
	char *text = read_proc(s, "1/mounts");
	snprintf(entry, sizeof(entry), " %.290s ", s->rootfs);
	*strip = !text || strstr(text, entry);
	return *strip ? read_proc(s, "self/mounts") : text;
}

static void put_path(struct state *s, const struct mount *m, char *ret, size_t size)
{
	bool is_root = strcmp(m->dir, "/") == 0;
	snprintf(ret, size, "%s%s", s->rootfs ? s->rootfs : "", s->rootfs && is_root ? "" : m->dir);
}

static void wait_for_all(struct filesystems *f, int64_t timeout_ns)
{
	int64_t until = mono_ns() + timeout_ns;
	struct timespec ts = {.tv_sec = until / SEC, .tv_nsec = until % SEC};
	pthread_mutex_lock(&f->mutex);
	while (any_pending(f) && pthread_cond_timedwait(&f->changed, &f->mutex, &ts) == 0)
		continue;
	pthread_mutex_unlock(&f->mutex);
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
static int put_filesystem(struct sample *m, const struct mount *mount, const struct asking *a,
			  bool visible)
{
	sample_device(m, "system.filesystem.mountpoint", mount->dir);
	sample_device_text(m, "system.device", mount->device);
	sample_device_text(m, "system.filesystem.type", mount->type);
	if (!visible)
		put_error(m, mount->dir,
			  "not visible below rootfs (mount rootfs with propagation rslave)");
	else if (!a->is_done)
		put_error(m, mount->dir, "does not answer");
	else if (a->error)
		put_error(m, mount->dir, strerror(a->error));
	else if (!a->st.f_bsize) /* FUSE answers so to any user but the one that has mounted it */
		put_error(m, mount->dir, "shows its sizes only to the user who mounted it");
	else
		put_sizes(m, mount->dir, &a->st);
	return visible && !a->is_done;
}

static void ask_all(struct state *s, const struct mount *mounts, size_t n)
{
	struct filesystems *f = s->filesystems;
	char path[PATH_MAX];
	pthread_mutex_lock(&f->mutex);
	drop_others(f);
	for (struct asking *a = f->askings; a; a = a->next)
		a->is_new = false;
	for (size_t i = 0; i < n; i++) {
		put_path(s, &mounts[i], path, sizeof(path));
		struct asking *a = asking_of(f, path);
		if (a->is_done)
			begin(a);
	}
	pthread_mutex_unlock(&f->mutex);
	wait_for_all(f, s->timeout_ns);
}

static int put_all(struct state *s, struct sample *m, const struct mount *mounts, size_t n,
		   const struct own_mounts *own)
{
	struct filesystems *f = s->filesystems;
	char path[PATH_MAX];
	int hung = 0;
	pthread_mutex_lock(&f->mutex);
	for (size_t i = 0; i < n; i++) {
		put_path(s, &mounts[i], path, sizeof(path));
		hung += put_filesystem(m, &mounts[i], asking_of(f, path), is_visible(s, own, path));
	}
	pthread_mutex_unlock(&f->mutex);
	return hung;
}

int collect_filesystem(struct state *s, struct sample *m)
{
	struct own_mounts *own = s->rootfs ? read_own_mounts(s) : NULL;
	bool strip;
	char *text = read_table(s, &strip);
	if (!text) {
		own_mounts_free(own);
		return -1;
	}
	struct mount *mounts = must(calloc(MOUNTS_MAX, sizeof(mounts[0])));
	size_t n = read_mounts(s, text, strip, mounts);
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
	free(mounts);
	own_mounts_free(own);
	return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * statvfs(3) of a dead network mount hangs, and cannot be interrupted.  So each
 * mount point is asked by a thread of its own, which the tick waits for as long
 * as `timeout` says; one that is still at it is not asked again, and everything
 * else goes on.
 */
#include <errno.h>
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

/* The mounts that are wanted, borrowed from the text; each directory once, as
 * it is mounted last.
 */
static size_t read_mounts(struct state *s, char *rest, struct mount *ret)
{
	size_t n = 0;
	char *line, *save;
	while (n < MOUNTS_MAX && (line = next_line(&rest))) {
		struct mount m = {.device = strtok_r(line, " ", &save)};
		m.dir = strtok_r(NULL, " ", &save);
		m.type = strtok_r(NULL, " ", &save);
		if (!m.type)
			continue;
		unescape(m.dir);
		bool chosen = s->src->host->option(s->src, "fstype.include", 0) != NULL;
		if (!is_wanted(s, "filesystem", m.dir) || !is_wanted(s, "fstype", m.type) ||
		    (!chosen && is_invented(m.type)))
			continue;
		size_t i = 0;
		while (i < n && strcmp(ret[i].dir, m.dir) != 0)
			i++;
		ret[i] = m;
		n += i == n;
	}
	return n;
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

static void put_sizes(struct sample *m, const struct statvfs *st)
{
	double unit = (double)st->f_frsize;
	double used = (double)(st->f_blocks - st->f_bfree) * unit;
	double available = (double)st->f_bavail * unit;
	sample_int(m, "system.filesystem.limit", (int64_t)((double)st->f_blocks * unit));
	sample_int(m, "system.filesystem.usage", (int64_t)used);
	sample_int(m, "system.filesystem.usage.free", (int64_t)available);
	/* As df(1): what is reserved for root is no share of anybody. */
	sample_double(m, "system.filesystem.utilization",
		      used + available > 0 ? used / (used + available) : 0);
	sample_int(m, "system.filesystem.inodes.limit", (int64_t)st->f_files);
	sample_int(m, "system.filesystem.inodes.usage", (int64_t)(st->f_files - st->f_ffree));
}

int collect_filesystem(struct state *s, struct sample *m)
{
	struct filesystems *f = s->filesystems;
	struct mount *mounts = must(calloc(MOUNTS_MAX, sizeof(mounts[0])));
	char *text = read_proc(s, "self/mounts");
	int hung = 0;
	if (!text) {
		free(mounts);
		return -1;
	}
	size_t n = read_mounts(s, text, mounts);
	pthread_mutex_lock(&f->mutex);
	for (struct asking *a = f->askings; a; a = a->next)
		a->is_new = false;
	for (size_t i = 0; i < n; i++) {
		struct asking *a = asking_of(f, mounts[i].dir);
		if (a->is_done)
			begin(a);
	}
	pthread_mutex_unlock(&f->mutex);
	wait_for_all(f, s->timeout_ns);
	pthread_mutex_lock(&f->mutex);
	for (size_t i = 0; i < n; i++) {
		const struct asking *a = asking_of(f, mounts[i].dir);
		sample_device(m, "system.filesystem.mountpoint", mounts[i].dir);
		sample_device_text(m, "system.device", mounts[i].device);
		sample_device_text(m, "system.filesystem.type", mounts[i].type);
		if (!a->is_done) {
			sample_device_text(m, "error", "does not answer");
			hung++;
		} else if (a->error) {
			sample_device_text(m, "error", strerror(a->error));
		} else if (!a->st.f_bsize) {
			/* FUSE answers so to any user but the one that has mounted it. */
			sample_device_text(m, "error", "shows its sizes to another user only");
		} else {
			put_sizes(m, &a->st);
		}
	}
	pthread_mutex_unlock(&f->mutex);
	sample_devices_end(m);
	sample_int(m, "system.filesystem.hung", hung);
	sample_say(m, "%zu file %s", n, plural(n, "system", "systems"));
	if (hung)
		sample_say(m, ", %d of which do not answer", hung);
	free(mounts);
	return 0;
}

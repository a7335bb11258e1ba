/* SPDX-License-Identifier: MIT */
#include "mounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

struct own_mounts {
	char *text; /* owned */
	struct mount all[MOUNTS_MAX];
	size_t n;
};

struct own_mounts *own_mounts_read(struct state *s)
{
	struct own_mounts *own = must(calloc(1, sizeof(*own)));
	const char *text = read_proc(s, "self/mounts");
	own->text = must(strdup(text ? text : ""));
	char *rest = own->text;
	while (own->n < MOUNTS_MAX && next_mount(&rest, &own->all[own->n]))
		own->n++;
	return own;
}

void own_mounts_free(struct own_mounts *own)
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

bool own_mounts_show(const struct own_mounts *own, const struct state *s, const char *path)
{
	return !own || !is_mounted(own, s->rootfs) || is_mounted(own, path);
}

static bool is_chosen(struct state *s, const struct mount *m)
{
	return is_wanted(s, "filesystem", m->dir) && is_wanted(s, "fstype", m->type) &&
	       (has_option(s, "fstype.include") || !is_invented(m->type));
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

int mounts_read(struct state *s, struct mount *ret)
{
	bool strip;
	char *rest = read_table(s, &strip);
	int n = 0;
	if (!rest)
		return -1;
	struct mount m;
	while (n < MOUNTS_MAX && next_mount(&rest, &m)) {
		m.dir = strip ? below(s->rootfs, m.dir) : m.dir;
		if (!m.dir || !is_chosen(s, &m))
			continue;
		int i = 0;
		while (i < n && strcmp(ret[i].dir, m.dir) != 0)
			i++;
		ret[i] = m;
		n += i == n;
	}
	return n;
}

/* SPDX-License-Identifier: MIT */
#include "paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/basics.h"

int times_compare(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

char *path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	return must(slash == path ? strdup("/") : strndup(path, (size_t)(slash - path)));
}

/* The name of an inode in the directory of `path`: owned, or NULL. */
char *path_of_inode(const char *path, dev_t dev, ino_t ino)
{
	struct stat here;
	if (stat(path, &here) == 0 && S_ISREG(here.st_mode) && here.st_dev == dev &&
	    here.st_ino == ino)
		return must(strdup(path)); /* also through a symbolic link */
	char *dir = path_dir(path), *ret = NULL;
	DIR *d = opendir(dir);
	for (struct dirent *e; d && !ret && (e = readdir(d));) {
		struct stat st;
		char name[4096];
		if (e->d_ino != ino)
			continue;
		snprintf(name, sizeof(name), "%s/%s", dir, e->d_name);
		if (stat(name, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == dev &&
		    st.st_ino == ino)
			ret = must(strdup(name));
	}
	if (d)
		closedir(d);
	free(dir);
	return ret;
}

bool path_stat(const char *path, struct stat *st, int64_t *born_ns)
{
	struct statx x;
	if (stat(path, st) < 0)
		return false;
	*born_ns = 0;
	if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &x) == 0 &&
	    x.stx_mask & STATX_BTIME && x.stx_ino == st->st_ino)
		*born_ns = x.stx_btime.tv_sec * 1000000000LL + x.stx_btime.tv_nsec;
	return true;
}

bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

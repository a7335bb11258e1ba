/* SPDX-License-Identifier: MIT
 *
 * The table of files, by what they are and by their names; and the names in a
 * directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "file.h"

int compare_times(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return must(slash == path ? strdup("/") : strndup(path, (size_t)(slash - path)));
}

/* The name of an inode in the directory of `path`: owned, or NULL. */
char *name_of_inode(const char *path, dev_t dev, ino_t ino)
{
	struct stat here;
	if (stat(path, &here) == 0 && S_ISREG(here.st_mode) && here.st_dev == dev &&
	    here.st_ino == ino)
		return must(strdup(path)); /* also through a symbolic link */
	char *dir = dir_of(path), *ret = NULL;
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

struct file *file_by_identity(const struct state *s, dev_t dev, ino_t ino)
{
	for (struct file *f = s->files; f; f = f->next)
		if (f->ino == ino && f->dev == dev)
			return f;
	return NULL;
}

/* The newest file that was followed under this name. */
struct file *file_by_origin(const struct state *s, const char *path)
{
	struct file *best = NULL;
	for (struct file *f = s->files; f; f = f->next)
		if (strcmp(f->origin, path) == 0 &&
		    (!best || compare_times(&f->mtime, &best->mtime) > 0))
			best = f;
	return best;
}

void file_set_path(struct file *f, const char *path)
{
	if (strcmp(f->path, path) == 0)
		return;
	free(f->path);
	f->path = must(strdup(path));
}

void file_note_time(struct file *f, const struct stat *st)
{
	f->mtime = st->st_mtim;
	f->size = st->st_size;
	f->at.mtime_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;
}

struct file *file_add(struct state *s, const char *origin, const char *path, const struct stat *st)
{
	struct file *f = must(calloc(1, sizeof(*f)));
	f->dev = st->st_dev;
	f->ino = st->st_ino;
	file_note_time(f, st);
	f->path = must(strdup(path));
	f->origin = must(strdup(origin));
	f->fd = -1;
	f->quiet_since_ns = now_ns();
	snprintf(f->key, sizeof(f->key), "%x:%x:%llu", major(f->dev), minor(f->dev),
		 (unsigned long long)f->ino);
	/* At the end: files that begin together are read in the order they are added. */
	struct file **end = &s->files;
	while (*end)
		end = &(*end)->next;
	*end = f;
	return f;
}

void file_drop(struct state *s, struct file *gone)
{
	for (struct file **p = &s->files; *p;) {
		if ((*p)->older == gone)
			(*p)->older = gone->older;
		if (*p == gone)
			*p = gone->next;
		else
			p = &(*p)->next;
	}
	if (gone->fd >= 0)
		close(gone->fd);
	free(gone->part);
	free(gone->path);
	free(gone->origin);
	free(gone);
}

/* Removes a file and its cursor. */
int file_forget(struct state *s, struct file *f)
{
	struct sluice_cursor c = {.key = f->key, .key_len = strlen(f->key)};
	int r = s->src->host->commit(s->src, &c);
	file_drop(s, f);
	return r;
}

int file_open_fd(struct state *s, struct file *f)
{
	f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (f->fd < 0 && errno != ENOENT && may_complain(s, f->path))
		say(s, SLUICE_LOG_WARNING,
		    "%s cannot be read: %s (give sluice's user the right to; it is "
		    "tried again)",
		    f->path, strerror(errno));
	f->is_dirty = f->fd >= 0;
	return f->fd < 0 ? -1 : 0;
}

static size_t slot_of(const struct state *s, const char *path)
{
	size_t h = 5381;
	for (; *path; path++)
		h = h * 33 + (unsigned char)*path;
	return h % s->n_slots;
}

void files_index(struct state *s)
{
	size_t n = 0;
	for (struct file *f = s->files; f; f = f->next)
		n++;
	if (n > s->n_slots || !s->by_path) {
		s->n_slots = 2 * n + 16;
		free(s->by_path);
		s->by_path = must(calloc(s->n_slots, sizeof(s->by_path[0])));
	}
	memset(s->by_path, 0, s->n_slots * sizeof(s->by_path[0]));
	for (struct file *f = s->files; f; f = f->next) {
		size_t i = slot_of(s, f->path);
		f->next_by_path = s->by_path[i];
		s->by_path[i] = f;
	}
}

struct file *file_by_path(struct state *s, const char *path)
{
	struct file *f = s->n_slots ? s->by_path[slot_of(s, path)] : NULL;
	while (f && strcmp(f->path, path) != 0)
		f = f->next_by_path;
	return f;
}

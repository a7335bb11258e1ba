/* SPDX-License-Identifier: MIT
 *
 * The table of files, by what they are and by their names; and the names in a
 * directory.
 */
#include "files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "assemble.h"
#include "emit.h"
#include "encoding.h"
#include "handle.h"
#include "paths.h"
#include "unpack.h"

void file_set_path(struct file *f, const char *path)
{
	if (strcmp(f->path, path) == 0)
		return;
	free(f->path);
	f->path = must(strdup(path));
}

/* ---- the hashes ---- */

static size_t slot_of_identity(const struct state *s, dev_t dev, ino_t ino)
{
	return (size_t)((uint64_t)ino * 2654435761u ^ (uint64_t)dev) % s->n_slots;
}

static size_t slot_of(const struct state *s, const char *path)
{
	size_t h = 5381;
	for (; *path; path++)
		h = h * 33 + (unsigned char)*path;
	return h % s->n_slots;
}

static void index_one(struct state *s, struct file *f)
{
	struct file **i = &s->by_identity[slot_of_identity(s, f->dev, f->ino)];
	struct file **o = &s->by_origin[slot_of(s, f->origin)];
	f->next_by_identity = *i;
	*i = f;
	f->next_by_origin = *o;
	*o = f;
}

static struct file **new_slots(struct file **old, size_t n)
{
	free(old);
	return must(calloc(n, sizeof(old[0])));
}

static void make_slots(struct state *s)
{
	if (s->n_slots > s->n_files)
		return;
	s->n_slots = 2 * s->n_files + 64;
	s->by_path = new_slots(s->by_path, s->n_slots);
	s->by_identity = new_slots(s->by_identity, s->n_slots);
	s->by_origin = new_slots(s->by_origin, s->n_slots);
	for (struct file *f = s->files; f; f = f->next)
		index_one(s, f);
	files_index(s);
}

static void unindex(struct state *s, const struct file *gone)
{
	struct file **p = &s->by_identity[slot_of_identity(s, gone->dev, gone->ino)];
	while (*p && *p != gone)
		p = &(*p)->next_by_identity;
	if (*p)
		*p = gone->next_by_identity;
	p = &s->by_origin[slot_of(s, gone->origin)];
	while (*p && *p != gone)
		p = &(*p)->next_by_origin;
	if (*p)
		*p = gone->next_by_origin;
}

static void set_key(struct file *f)
{
	snprintf(f->key, sizeof(f->key), "%x:%x:%llu", major(f->dev), minor(f->dev),
		 (unsigned long long)f->ino);
}

int file_become(struct state *s, struct file *f, const char *path, const struct stat *st,
		int64_t born_ns)
{
	char old[sizeof(f->key)];
	memcpy(old, f->key, sizeof(old));
	unindex(s, f);
	f->dev = st->st_dev;
	f->ino = st->st_ino;
	f->born_ns = born_ns;
	set_key(f);
	index_one(s, f);
	file_set_path(f, path);
	struct sluice_cursor c = {.key = old, .key_len = strlen(old)};
	int r = emit_cursor(s, f);
	return r || strcmp(old, f->key) == 0 ? r : s->src->host->commit(s->src, &c);
}

int file_lose_identity(struct state *s, struct file *f)
{
	char old[sizeof(f->key)];
	memcpy(old, f->key, sizeof(old));
	unindex(s, f);
	/* Copies begin alike, but each was made at a time of its own. */
	snprintf(f->key, sizeof(f->key), "was:%016llx:%llu",
		 (unsigned long long)(f->at.head_hash ^ (uint64_t)f->born_ns),
		 (unsigned long long)f->ino);
	f->ino = 0;
	index_one(s, f);
	/* The name that led to that other file may be any other's. */
	file_set_path(f, f->origin);
	/* That other file's cursor has the number for its key. */
	struct sluice_cursor c = {.key = old, .key_len = strlen(old)};
	int r = emit_cursor(s, f);
	return r ? r : s->src->host->commit(s->src, &c);
}

struct file *file_by_identity(const struct state *s, dev_t dev, ino_t ino)
{
	struct file *f = s->n_slots ? s->by_identity[slot_of_identity(s, dev, ino)] : NULL;
	while (f && (f->ino != ino || f->dev != dev))
		f = f->next_by_identity;
	return f;
}

struct file *file_first_by_origin(const struct state *s, const char *path)
{
	return s->n_slots ? s->by_origin[slot_of(s, path)] : NULL;
}

void file_note_original(struct file *f, const struct file *original)
{
	f->was_born_ns = file_began_ns(original);
	f->was_mtime_ns = file_ended_ns(original);
}

int64_t file_began_ns(const struct file *f)
{
	return f->is_gz ? f->was_born_ns : f->born_ns;
}

int64_t file_ended_ns(const struct file *f)
{
	return f->is_gz && f->was_mtime_ns ? f->was_mtime_ns : ns_of(&f->mtime);
}

bool file_is_younger(const struct file *a, const struct file *b)
{
	int64_t x = file_began_ns(a), y = file_began_ns(b);
	if (x && y && x != y)
		return x > y;
	if (x && y && a->serial && b->serial)
		return a->serial > b->serial;
	return file_ended_ns(a) > file_ended_ns(b);
}

/* One that was found under the name is younger than those that had been rotated away by then. */
static bool has_name_later(const struct file *a, const struct file *b)
{
	return a->is_generation != b->is_generation ? b->is_generation : file_is_younger(a, b);
}

/* The newest file that was followed under this name. */
struct file *file_by_origin(const struct state *s, const char *path)
{
	struct file *best = NULL;
	for (struct file *f = file_first_by_origin(s, path); f; f = f->next_by_origin)
		if (strcmp(f->origin, path) == 0 && (!best || has_name_later(f, best)))
			best = f;
	return best;
}

void file_note_time(struct file *f, const struct stat *st)
{
	if (f->size != st->st_size || times_compare(&f->mtime, &st->st_mtim) != 0)
		f->nuls_to = 0; /* there may be text where there was none */
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
	f->quiet_since_ns = mono_ns();
	set_key(f);
	f->is_gz = s->options.decompress && unpack_is_named(path);
	f->serial = s->has_looked ? ++s->n_found : 0;
	/* At the end: files that begin together are read in the order they are added. */
	f->previous = s->last_file;
	if (s->last_file)
		s->last_file->next = f;
	else
		s->files = f;
	s->last_file = f;
	s->n_files++;
	if (s->n_slots > s->n_files)
		index_one(s, f);
	else
		make_slots(s);
	return f;
}

void file_end_wait(struct file *f)
{
	if (f->between)
		free(f->between->place);
	free(f->between);
	f->between = NULL;
}

void file_end_gz(struct file *f)
{
	unpack_close(f->gz);
	f->gz = NULL;
	f->nuls = 0;
}

static void doubt_free(struct doubt *d)
{
	if (d)
		free(d->dir);
	if (d)
		free(d->base);
	free(d);
}

void file_end_doubt(struct file *f)
{
	doubt_free(f->doubt);
	f->doubt = NULL;
}

void file_free(struct file *f)
{
	file_end_gz(f);
	encoding_end(f);
	assemble_drop(f);
	if (f->container)
		container_fini(f->container);
	free(f->container);
	if (f->fd >= 0)
		close(f->fd);
	free(f->part);
	free(f->path);
	free(f->place);
	file_end_wait(f);
	file_end_doubt(f);
	free(f->origin);
	free(f);
}

void file_drop(struct state *s, struct file *gone)
{
	/* Only files of one name wait for each other. */
	for (struct file *f = file_first_by_origin(s, gone->origin); f; f = f->next_by_origin)
		if (f->older == gone)
			f->older = gone->older;
	*(gone->previous ? &gone->previous->next : &s->files) = gone->next;
	*(gone->next ? &gone->next->previous : &s->last_file) = gone->previous;
	if (s->next_missing == gone)
		s->next_missing = gone->next;
	s->n_files--;
	s->is_by_path_stale = true;
	unindex(s, gone);
	file_free(gone);
}

int file_let_go(struct state *s, struct file *f)
{
	bool may_come_back = s->options.decompress && f->at.head_len;
	/* One that was rotated says what may have come between it and later ones. */
	if (!may_come_back && !f->lost_ns && !position_is_telling(&f->at))
		return file_forget(s, f);
	f->is_done = f->at.is_done = f->is_removed = true;
	f->vanished_ns = mono_ns();
	return file_lose_identity(s, f);
}

/* Removes a file and its cursor. */
int file_forget(struct state *s, struct file *f)
{
	struct sluice_cursor c = {.key = f->key, .key_len = strlen(f->key)};
	int r = s->src->host->commit(s->src, &c);
	file_drop(s, f);
	return r;
}

void files_index(struct state *s)
{
	s->is_by_path_stale = false;
	if (!s->n_slots)
		return;
	memset(s->by_path, 0, s->n_slots * sizeof(s->by_path[0]));
	for (struct file *f = s->files; f; f = f->next) {
		size_t i = slot_of(s, f->path);
		f->next_by_path = s->by_path[i];
		s->by_path[i] = f;
	}
}

struct file *file_by_path(struct state *s, const char *path)
{
	if (s->is_by_path_stale)
		files_index(s);
	struct file *f = s->n_slots ? s->by_path[slot_of(s, path)] : NULL;
	while (f && strcmp(f->path, path) != 0)
		f = f->next_by_path;
	return f;
}

bool file_is_held_by(const struct file *f, const char *name, const struct stat *st)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct position at = f->at;
	bool same = fd >= 0 && (uint64_t)st->st_size >= at.offset && position_fits(&at, fd);
	if (fd >= 0)
		close(fd);
	return same;
}

bool file_waits_for(const struct file *f, const struct file *older)
{
	while (f && f != older)
		f = f->older;
	return f != NULL;
}

bool file_is_pending(const struct file *p, const struct file *f)
{
	return p->fd >= 0 && !p->is_done && !file_waits_for(f, p) && !file_waits_for(p, f);
}

/* SPDX-License-Identifier: MIT
 *
 * A file's descriptor: opened by a name, read from some place on, closed.
 */
#include "handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assemble.h"
#include "emit.h"
#include "encoding.h"
#include "files.h"
#include "lines.h"
#include "paths.h"
#include "unpack.h"

static int64_t birth_of_open(int fd)
{
	struct statx x;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &x) < 0 || !(x.stx_mask & STATX_BTIME))
		return 0;
	return x.stx_btime.tv_sec * 1000000000LL + x.stx_btime.tv_nsec;
}

char *handle_name(const struct file *f)
{
	char link[64], name[4096];
	struct stat st;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", f->fd);
	ssize_t n = readlink(link, name, sizeof(name) - 1);
	if (n <= 0)
		return NULL;
	name[n] = 0;
	if (stat(name, &st) < 0 || st.st_dev != f->dev || st.st_ino != f->ino)
		return NULL;
	return must(strdup(name));
}

/* Where an open file is, if that is not the name that it is followed under. */
static void note_place(struct file *f)
{
	char *name = handle_name(f);
	if (name && strcmp(name, f->origin) == 0) {
		free(name);
		name = NULL;
	}
	free(f->place);
	f->place = name;
}

/* What was opened is what counts: the name may have been given to another file since
 * it was looked at.
 */
static bool is_itself(const struct file *f)
{
	struct stat st;
	return fstat(f->fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)) &&
	       st.st_dev == f->dev && st.st_ino == f->ino;
}

int handle_refused(struct state *s, const char *path, int error)
{
	if (error == ENOENT)
		return -error;
	s->n_unreadable++;
	if (complaint_begins(&s->complaints, path))
		say(s->src, SLUICE_LOG_WARNING, "%s cannot be read: %s (%s; it is tried again)",
		    path, strerror(error),
		    is_shortage(error) ? "raise limits.open_files of this source, or the "
					 "system's limits"
				       : "let this source's user read it, or set user or groups");
	return -error;
}

int handle_open(struct state *s, struct file *f)
{
	f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (f->fd < 0)
		return handle_refused(s, f->path, errno);
	say_readable(s->src, &s->complaints, f->path);
	if (!is_itself(f)) {
		close(f->fd);
		f->fd = -1;
		s->look_at_ns = mono_ns();
		return -ESTALE;
	}
	f->open_born_ns = birth_of_open(f->fd);
	if (!f->born_ns)
		f->born_ns = f->open_born_ns;
	/* Another file that has got its number is elsewhere. */
	if (f->born_ns == f->open_born_ns)
		note_place(f);
	f->is_dirty = true;
	return 0;
}

/* Whether what the position says about a container's streams holds for this file. */
static bool has_streams_of(const struct position *at, const struct file *f, uint64_t offset)
{
	struct position p = *at;
	return p.offset == offset && (p.emitted_to[0] || p.emitted_to[1]) &&
	       (f->is_gz || position_fits(&p, f->fd));
}

void handle_seek(struct file *f, uint64_t offset)
{
	lines_drop(f);
	assemble_drop(f);
	f->nuls = f->nuls_to = 0;
	if (offset != f->at.offset || !offset) {
		const struct position before = f->at;
		f->at = (struct position){.offset = offset, .mtime_ns = before.mtime_ns};
		/* Also at the start of a file something may have been emitted beyond. */
		if (has_streams_of(&before, f, offset))
			memcpy(f->at.emitted_to, before.emitted_to, sizeof(f->at.emitted_to));
		size_t n = offset < TAIL_MAX ? (size_t)offset : TAIL_MAX;
		if (!f->is_gz) {
			position_grow_head(&f->at, f->fd, offset);
			char tail[TAIL_MAX];
			ssize_t got = pread(f->fd, tail, n, (off_t)(offset - n));
			position_set_tail(&f->at, tail, got == (ssize_t)n ? n : 0);
		}
	}
	/* It may have changed this moment; then the next look finds that. */
	if (f->at.is_hashed && !f->is_gz && !position_fits(&f->at, f->fd))
		position_set_tail(&f->at, NULL, 0);
	f->tail_len = f->at.is_hashed ? 0 : f->at.tail_len;
	memcpy(f->tail, f->at.tail, f->tail_len);
}

int handle_finish(struct state *s, struct file *f)
{
	struct stat st;
	int r = lines_end(s, f);
	if (r)
		return r;
	if (fstat(f->fd, &st) == 0) {
		file_note_time(f, &st);
		f->is_removed = !st.st_nlink;
	}
	file_end_gz(f);
	encoding_end(f);
	close(f->fd);
	f->fd = -1;
	f->is_done = f->at.is_done = true;
	return emit_cursor(s, f);
}

/* Closes a file that may be written to again. */
void handle_suspend(struct file *f)
{
	close(f->fd);
	f->fd = -1;
	f->is_idle = true;
	f->is_dirty = false;
}

bool handles_begin_alike(int a, int b, uint64_t n)
{
	char x[8192], y[8192];
	for (uint64_t at = 0; at < n;) {
		size_t len = n - at < sizeof(x) ? (size_t)(n - at) : sizeof(x);
		if (pread(a, x, len, (off_t)at) != (ssize_t)len ||
		    pread(b, y, len, (off_t)at) != (ssize_t)len || memcmp(x, y, len) != 0)
			return false;
		at += len;
	}
	return true;
}

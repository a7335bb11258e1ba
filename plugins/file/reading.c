/* SPDX-License-Identifier: MIT
 *
 * Reading on in a file: a plain one, a compressed one, or one that was copied and emptied.
 * What was not read of the last is in the copy, which is read as a file itself.
 */
#include "reading.h"

#include <fcntl.h>
#include <unistd.h>

#include "adopt.h"
#include "emit.h"
#include "encoding.h"
#include "files.h"
#include "follow.h"
#include "gz.h"
#include "handle.h"
#include "ignored.h"
#include "search.h"
#include "unpack.h"

/* What is looked for when a file has been emptied. */
struct emptied {
	struct file *f;
	const struct position *at; /* up to where it had been read */
	int64_t since_ns;          /* copies made later hold something else; INT64_MAX: none do */
	bool has_first;            /* that which goes on behind `at` has been found */
	bool is_any;               /* some are to be read */
};

/* `g` is read before the file, and behind the copies that were found before it. */
static void read_before(struct emptied *e, struct file *g)
{
	if (!g->older && !file_waits_for(e->f->older, g))
		g->older = e->f->older;
	e->f->older = g;
	e->is_any = true;
}

static void note_copy(struct emptied *e, const struct candidate *c)
{
	e->has_first = e->f->has_copies = true;
	e->f->copied_ns = c->born_ns;
}

static bool holds(const struct candidate *c, const struct position *at)
{
	struct position p = *at;
	if (unpack_is_named(c->path))
		return gz_holds(c->path, at);
	int fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	bool ret = fd >= 0 && position_fits(&p, fd);
	if (fd >= 0)
		close(fd);
	return ret;
}

/* A copy that an earlier run has begun to read, or has read. */
static void take_known(struct emptied *e, const struct candidate *c)
{
	struct file *g = c->file;
	bool is_first =
		!e->has_first && e->at->offset && g->at.offset >= e->at->offset && holds(c, e->at);
	bool is_new = is_first || e->has_first;
	if (g == e->f)
		return;
	if (is_new)
		note_copy(e, c);
	if ((is_new || c->born_ns > e->since_ns) && file_is_pending(g, e->f)) {
		g->is_copy = true;
		read_before(e, g);
	}
}

/* A copy that was made when the file had been emptied before: all of it is new. */
static bool is_later_copy(const struct emptied *e, const struct file *g)
{
	char head[HEAD_MAX];
	size_t n = e->at->head_len;
	if (g->born_ns <= e->since_ns)
		return false;
	return !n || (size_t)g->size < n ||
	       (pread(g->fd, head, n, 0) == (ssize_t)n &&
		position_hash(head, n) != e->at->head_hash);
}

/* Whether it has been made just now, of what is there. */
static bool is_of_present(const struct file *f, const struct file *g)
{
	struct stat st;
	return fstat(f->fd, &st) == 0 && g->size <= st.st_size &&
	       handles_begin_alike(f->fd, g->fd, (uint64_t)g->size);
}

static void take_plain(struct state *s, struct emptied *e, const struct candidate *c)
{
	struct position copy = *e->at;
	struct file *g = file_add(s, e->f->origin, c->path, &c->st);
	g->is_rotated = g->is_seen = g->is_generation = g->is_copy = true;
	if (handle_open(s, g)) {
		file_drop(s, g);
		return;
	}
	bool is_first = !e->has_first && copy.offset && (uint64_t)g->size >= copy.offset &&
			position_fits(&copy, g->fd);
	bool is_new = e->has_first || is_later_copy(e, g);
	if (!is_first && (!is_new || is_of_present(e->f, g))) {
		file_drop(s, g);
		return;
	}
	note_copy(e, c);
	if (is_first)
		g->at = copy;
	handle_seek(g, is_first ? copy.offset : 0);
	read_before(e, g);
}

static void take_gz(struct state *s, struct emptied *e, const struct candidate *c)
{
	const struct position start = {0};
	bool is_first = !e->has_first && gz_holds(c->path, e->at);
	bool is_new = c->born_ns > e->since_ns && !gz_is_of_known(s, c->path) &&
		      !gz_begins_like(c->path, e->f);
	if (!is_first && !e->has_first && !is_new)
		return;
	if (!adopt_in_gz(s, e->f, c, is_first ? e->at : &start))
		return;
	note_copy(e, c);
	e->f->older = s->last_file;
	e->is_any = true;
}

bool reading_copies(struct state *s, struct file *f, const struct position *at, int64_t since_ns)
{
	struct listings lists = {0};
	struct between than = {.mtime_ns = at->mtime_ns, .born_ns = f->born_ns, .at = *at};
	struct search q = {.s = s, .lists = &lists, .than = &than, .wants_all = true};
	struct emptied e = {.f = f, .at = at, .since_ns = since_ns};
	search_run(&q, f);
	for (size_t i = 0; i < q.n; i++) {
		const struct candidate *c = &q.all[i];
		if (c->file)
			take_known(&e, c);
		else if (!name_is_compressed(c->path))
			take_plain(s, &e, c);
		else if (unpack_is_named(c->path) && ignored_reads(s, c->path))
			take_gz(s, &e, c);
	}
	search_free(&q);
	listings_free(&lists);
	return e.is_any;
}

void reading_late_copies(struct state *s, struct file *f)
{
	struct position at = f->at;
	if (read_offset(f) || f->is_gz)
		f->has_copies &= !f->is_gz;
	else if (reading_copies(s, f, &at, f->copied_ns))
		f->owes_emptied = f->is_dirty = true;
}

/* Once: as reading_some(). */
static int read_plain(struct state *s, struct file *f)
{
	struct position at;
	int r = follow_read(s, f, &at);
	if (r != FOLLOW_EMPTIED)
		return r;
	reading_copies(s, f, &at, INT64_MAX);
	f->owes_emptied = f->is_dirty = true;
	return 1;
}

int reading_some(struct state *s, struct file *f)
{
	return f->is_gz ? gz_read(s, f) : read_plain(s, f);
}

int reading_drain(struct state *s, struct file *f)
{
	struct stat st;
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return 0;
	for (;;) {
		int r = reading_some(s, f);
		bool is_end = !f->is_gz && read_offset(f) >= (uint64_t)st.st_size;
		if (r <= 0 || is_end || f->owes_emptied)
			return r < 0 ? r : 0;
	}
}

/* A file that is as short as a byte order mark, and may be the start of one. */
static int read_short(struct state *s, struct file *f)
{
	char head[4];
	ssize_t n = f->unit || f->is_gz ? 0 : pread(f->fd, head, sizeof(head), 0);
	if (n <= 0)
		return 0;
	encoding_begin_whole(s, f, head, (size_t)n);
	return reading_drain(s, f);
}

int reading_finish(struct state *s, struct file *f)
{
	int r = read_short(s, f);
	if (!r && f->owes_emptied)
		r = emit_emptied(s, f);
	f->owes_emptied = false;
	return r ? r : handle_finish(s, f);
}

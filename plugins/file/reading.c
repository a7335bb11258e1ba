/* SPDX-License-Identifier: MIT
 *
 * Reading on in a file: a plain one, a compressed one, or one that was copied and emptied.
 * What was not read of the last is in the copy, which is read as a file itself.
 */
#include "reading.h"

#include <string.h>
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

/* A copy that was made when `f` had been emptied before: all of it is new. */
static bool is_later_copy(const struct file *f, const struct position *at, int64_t since_ns)
{
	char head[HEAD_MAX];
	if (f->born_ns <= since_ns || f->size < at->head_len)
		return false;
	return !at->head_len || (pread(f->fd, head, at->head_len, 0) == at->head_len &&
				 position_hash(head, at->head_len) != at->head_hash);
}

static bool begin_alike(const struct file *f, const struct file *g)
{
	char a[HEAD_MAX], b[HEAD_MAX];
	ssize_t n = pread(f->fd, a, sizeof(a), 0), m = pread(g->fd, b, sizeof(b), 0);
	ssize_t least = n < m ? n : m;
	return least > 0 && memcmp(a, b, (size_t)least) == 0;
}

/* *has_first: the copy that goes on behind `at` has been read.  0 or -ECANCELED. */
static int read_copy(struct state *s, struct file *f, const struct candidate *c,
		     const struct position *at, int64_t since_ns, bool *has_first)
{
	struct position copy = *at;
	struct file *g = file_add(s, f->origin, c->path, &c->st);
	g->is_rotated = g->is_seen = true;
	if (handle_open(s, g)) {
		file_drop(s, g);
		return 0;
	}
	bool is_first = !*has_first && at->offset && (uint64_t)g->size >= at->offset &&
			position_fits(&copy, g->fd);
	bool is_new = is_first || *has_first || is_later_copy(g, at, since_ns);
	/* It may be made just now, of what is there. */
	if (!is_new || begin_alike(f, g)) {
		file_drop(s, g);
		return 0;
	}
	*has_first = f->has_copies = true;
	f->copied_ns = g->born_ns;
	if (is_first)
		g->at = copy;
	handle_seek(g, is_first ? copy.offset : 0);
	int r = reading_drain(s, g);
	return r ? r : reading_finish(s, g);
}

int reading_copies(struct state *s, struct file *f, const struct position *at, int64_t since_ns)
{
	struct listings lists = {0};
	struct between than = {.mtime_ns = at->mtime_ns, .born_ns = f->born_ns, .at = *at};
	struct search q = {.s = s, .lists = &lists, .than = &than};
	bool has_first = false;
	int r = 0;
	search_run(&q, f);
	for (size_t i = 0; i < q.n && !r; i++) {
		const struct candidate *c = &q.all[i];
		bool is_gz = unpack_is_named(c->path) && ignored_reads(s, c->path);
		bool is_first = is_gz && !has_first && gz_holds(c->path, at);
		if (is_first || (is_gz && has_first)) {
			struct position start = {0};
			has_first = true;
			if (adopt_in_gz(s, f, c, is_first ? at : &start))
				f->older = s->last_file;
		} else if (!name_is_compressed(c->path)) {
			r = read_copy(s, f, c, at, since_ns, &has_first);
		}
	}
	search_free(&q);
	listings_free(&lists);
	return r;
}

int reading_late_copies(struct state *s, struct file *f)
{
	struct position at = f->at;
	uint64_t n_lines = s->n_lines;
	if (read_offset(f) || f->is_gz) {
		f->has_copies &= !f->is_gz;
		return 0;
	}
	int r = reading_copies(s, f, &at, f->copied_ns);
	if (r || s->n_lines == n_lines)
		return r;
	return emit_emptied(s, f);
}

/* Once: as reading_some(). */
static int read_plain(struct state *s, struct file *f)
{
	struct position at;
	int r = follow_read(s, f, &at);
	if (r != FOLLOW_EMPTIED)
		return r;
	r = reading_copies(s, f, &at, INT64_MAX);
	r = r ? r : emit_emptied(s, f);
	return r ? r : 1;
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
		if (r <= 0 || (!f->is_gz && read_offset(f) >= (uint64_t)st.st_size))
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
	return r ? r : handle_finish(s, f);
}

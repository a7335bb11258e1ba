/* SPDX-License-Identifier: MIT
 *
 * A file that was copied and emptied: what was not read of it is in the copy.
 */
#include <string.h>
#include <unistd.h>

#include "file.h"
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
	if (file_open_fd(s, g)) {
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
	follow_seek(g, is_first ? copy.offset : 0);
	int r = follow_drain(s, g);
	return r ? r : follow_finish(s, g);
}

int generation_read_copy(struct state *s, struct file *f, const struct position *at,
			 int64_t since_ns)
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

int generation_look_for_copies(struct state *s, struct file *f)
{
	struct position at = f->at;
	uint64_t n_lines = s->n_lines;
	if (read_offset(f) || f->is_gz) {
		f->has_copies &= !f->is_gz;
		return 0;
	}
	int r = generation_read_copy(s, f, &at, f->copied_ns);
	if (r || s->n_lines == n_lines)
		return r;
	return emit_emptied(s, f);
}

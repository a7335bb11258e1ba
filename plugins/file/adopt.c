/* SPDX-License-Identifier: MIT
 *
 * A file that is not there any more: its rest may be in a copy, or in what it was compressed to.
 */
#include "adopt.h"

#include <errno.h>

#include "emit.h"
#include "files.h"
#include "gz.h"
#include "handle.h"
#include "ignored.h"
#include "paths.h"
#include "reopen.h"
#include "unpack.h"

/* Those that wait for `f` wait for `instead`, unless that waits for them. */
static void wait_instead(struct state *s, struct file *f, struct file *instead)
{
	for (struct file *o = file_first_by_origin(s, f->origin); o; o = o->next_by_origin)
		if (o->older == f && !file_waits_for(instead, o))
			o->older = instead;
}

bool adopt_in_gz(struct state *s, struct file *f, const struct candidate *c,
		 const struct position *at)
{
	struct file *g = file_add(s, f->origin, c->path, &c->st);
	g->is_rotated = g->is_seen = g->is_generation = true;
	g->older = f->older;
	if (handle_open(s, g)) {
		file_drop(s, g);
		return false;
	}
	g->at = *at;
	g->at.is_done = false;
	handle_seek(g, at->offset);
	return true;
}

/* The compressed file goes on behind what was read of `f`, which is gone then.  0 or -ECANCELED. */
static int hand_over(struct state *s, struct file *f, struct file *g)
{
	if (!g->is_done && !g->gz && read_offset(g) < f->at.offset) {
		g->at = f->at;
		g->at.is_done = false;
		handle_seek(g, f->at.offset);
	}
	file_note_original(g, f);
	wait_instead(s, f, g);
	int r = emit_cursor(s, g);
	return r ? r : file_forget(s, f);
}

/* 1, 0 or -ECANCELED; then `f` is gone. */
static int adopt_gz(struct state *s, struct file *f, const struct candidate *c)
{
	int r = 0;
	struct file *known = file_by_identity(s, c->st.st_dev, c->st.st_ino);
	bool is_stale = known && known->fd < 0 &&
			(!known->is_gz || (known->is_done && !candidate_is_still(known, c)));
	if (is_stale) {
		r = file_lose_identity(s, known);
		known = NULL;
	}
	if (!r && !known) {
		if (!adopt_in_gz(s, f, c, &f->at))
			return 0;
		known = s->last_file;
		known->is_generation = f->is_generation;
	}
	r = r ? r : hand_over(s, f, known);
	return r ? r : 1;
}

static bool is_there_still(const struct candidate *c)
{
	struct stat now;
	return stat(c->path, &now) == 0 && now.st_dev == c->st.st_dev && now.st_ino == c->st.st_ino;
}

/* In another file, which holds the same: 1, 0 when that cannot be read, -EAGAIN when a third
 * one has got its name meanwhile, or -ECANCELED.
 */
static int go_on_in(struct state *s, struct file *f, const struct candidate *c)
{
	if (!is_there_still(c))
		return -EAGAIN;
	int r = file_become(s, f, c->path, &c->st, c->born_ns);
	r = r ? r : reopen(s, f, &c->st);
	if (r)
		return r;
	/* It is gone, and a gap says so, if what it holds has just changed. */
	const struct file *now = file_by_identity(s, c->st.st_dev, c->st.st_ino);
	if (!now || now->fd >= 0)
		return 1;
	return is_there_still(c) ? 0 : -EAGAIN;
}

/* The file `p` holds what was read of `f`, which is not there any more: it goes on behind that.
 * 1 or -ECANCELED.
 */
static int go_on_behind(struct state *s, struct file *p, struct file *f)
{
	int r = 0;
	if (read_offset(p) < f->at.offset) {
		p->at = f->at;
		p->at.is_done = false;
		handle_seek(p, f->at.offset);
		r = emit_cursor(s, p);
	}
	f->is_done = f->at.is_done = true;
	f->is_missing = false;
	r = r ? r : emit_cursor(s, f);
	return r ? r : 1;
}

/* The first open file of those that wait for it; NULL: none. */
static struct file *first_open_behind(const struct state *s, const struct file *f)
{
	while (f && (f->fd < 0 || f->is_missing)) {
		struct file *o = file_first_by_origin(s, f->origin);
		while (o && o->older != f)
			o = o->next_by_origin;
		f = o;
	}
	return (struct file *)f;
}

/* A file that has had its name since is a copy of it, perhaps with more: 1, else 0, -EAGAIN or
 * -ECANCELED.
 */
static int adopt_namesake(struct state *s, struct file *f)
{
	struct candidate c = {.path = f->origin};
	struct position at = f->at;
	if (!f->at.offset)
		return 0;
	struct file *p = first_open_behind(s, f);
	if (p)
		return !p->is_gz && position_fits(&at, p->fd) ? go_on_behind(s, p, f) : 0;
	if (!path_stat(f->origin, &c.st, &c.born_ns) || !S_ISREG(c.st.st_mode))
		return 0;
	p = file_by_identity(s, c.st.st_dev, c.st.st_ino);
	if (p == f || (p && p->fd < 0 && p->at.offset < f->at.offset) ||
	    !file_is_held_by(f, f->origin, &c.st))
		return 0;
	return p ? go_on_behind(s, p, f) : go_on_in(s, f, &c);
}

int generation_adopt(struct state *s, struct file *f)
{
	int found = adopt_namesake(s, f);
	if (found)
		return found;
	struct listings lists = {0};
	struct between than = {.mtime_ns = ns_of(&f->mtime), .born_ns = f->born_ns, .at = f->at};
	struct search q = {.s = s, .lists = &lists, .than = &than, .wants_known = true};
	search_run(&q, f);
	for (size_t i = 0; i < q.n && !found; i++) {
		const struct candidate *c = &q.all[i];
		bool is_gz = ignored_reads(s, c->path) && unpack_is_named(c->path);
		if (!f->at.offset || (!is_gz && name_is_compressed(c->path)))
			continue;
		if (is_gz && gz_holds(c->path, &f->at)) {
			found = adopt_gz(s, f, c);
			f = found ? NULL : f;
		} else if (!is_gz && file_is_held_by(f, c->path, &c->st)) {
			found = go_on_in(s, f, c);
		}
	}
	search_free(&q);
	listings_free(&lists);
	return found;
}

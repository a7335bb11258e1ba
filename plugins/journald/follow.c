/* SPDX-License-Identifier: MIT
 *
 * follow - reading a chain, from one of its files to the next.
 */
#include <errno.h>
#include <string.h>

#include "journald.h"

/* How long an entry that has a number may take to become visible, and how many moved entries
 * are passed over before other work has its turn.
 */
enum { STUCK_MS = 1000, MOVED_MAX = 20000 };

/* The first of its files that holds anything behind the position. */
static struct jfile *next_file(const struct state *s, const struct chain *c)
{
	struct jfile *best = NULL;
	for (struct jfile *f = s->files; f; f = f->next) {
		if (f->chain != c || f->is_done || f->fd < 0)
			continue;
		if (!f->h.tail || f->h.tail <= c->seqnum)
			jfile_refresh(f);
		if (f->h.tail > c->seqnum && f->h.head && (!best || f->h.head < best->h.head))
			best = f;
	}
	return best;
}

/* A file that has entries is followed by nothing older. */
static bool has_follower(const struct state *s, const struct jfile *f)
{
	for (struct jfile *g = s->files; g; g = g->next) {
		if (g == f || g->chain != f->chain || g->fd < 0)
			continue;
		if (!g->h.tail)
			jfile_refresh(g);
		if (g->h.head > f->h.head && g->h.tail)
			return true;
	}
	return false;
}

/* Looks whether something is missing before the first entry of a file: 0; 1 when there are
 * other files to look at first; or -ECANCELED.
 */
static int check_before(struct state *s, struct chain *c, struct jfile *f)
{
	f->is_checked = true;
	if (!c->is_placed || f->h.head <= c->seqnum + 1)
		return 0;
	int r = discover(s);
	if (r)
		return r;
	if (next_file(s, c) != f) {
		f->is_checked = false;
		return 1;
	}
	return missing_declare(s, c, f);
}

/* Nothing more will come of it. */
static void leave_file(struct chain *c, struct jfile *f)
{
	jfile_leave(f);
	c->file = NULL;
}

/* At the end of a file that will not grow: 1 when there is something to read nevertheless,
 * 0, or -ECANCELED.
 */
static int finish_file(struct state *s, struct chain *c, struct jfile *f)
{
	bool is_whole = c->n_read == UNKNOWN || c->n_read == f->h.n_entries;
	int r = 0;
	if (f->h.tail > c->seqnum || !is_whole)
		r = damage_survey(s, c, f);
	if (r || f->fd < 0)
		return r;
	/* A number can have been given out without an entry. */
	if (f->h.tail > c->seqnum)
		chain_pass(c, f->h.tail, f->h.tail_time);
	leave_file(c, f);
	return 0;
}

/* At the end of a file that may grow. */
static int wait_for_more(struct state *s, struct chain *c, struct jfile *f)
{
	if (f->h.tail <= c->seqnum || f->h.tail == f->tried)
		f->stuck_ns = 0;
	else if (!f->stuck_ns)
		f->stuck_ns = mono_ns();
	else if (mono_ns() - f->stuck_ns > STUCK_MS * MS) {
		f->stuck_ns = 0;
		f->tried = f->h.tail;
		return damage_survey(s, c, f);
	}
	return 0;
}

/* The file has no entry for now: 1 when there is one after all; 0; or -ECANCELED.  c->file is
 * NULL if the next file is to be looked at.
 */
static int at_end(struct state *s, struct chain *c, struct jfile *f)
{
	if (jfile_refresh(f) < 0)
		return damage_give_up(s, c, f, -EBADMSG);
	bool is_final = f->h.state == HEADER_ARCHIVED || has_follower(s, f);
	/* What was written until then is there now. */
	int r = jfile_next(f);
	if (r == 1)
		return 1;
	if (is_final)
		return finish_file(s, c, f);
	if (f->is_gone && f->h.state != HEADER_ONLINE && f->h.tail <= c->seqnum) {
		leave_file(c, f);
		return 0;
	}
	return wait_for_more(s, c, f);
}

static int begin_file(struct state *s, struct chain *c, struct jfile *f)
{
	int r = f->is_checked ? 0 : check_before(s, c, f);
	if (r)
		return r < 0 ? r : 0;
	if (f->fd < 0)
		return 0;
	r = jfile_begin(s, f, c->seqnum + 1);
	if (r < 0)
		return damage_give_up(s, c, f, r);
	c->file = f;
	return 0;
}

/* As follow(), and it may be an entry that was moved. */
static int load(struct state *s, struct chain *c)
{
	for (;;) {
		struct jfile *f = c->file;
		int r;
		if (!f) {
			f = next_file(s, c);
			if (!f)
				return 0;
			r = begin_file(s, c, f);
			if (r < 0)
				return r;
			continue;
		}
		/* An entry can be in two files, of which one was restored. */
		while ((r = jfile_next(f)) == 1 && c->is_placed && f->seqnum <= c->seqnum)
			jfile_taken(f);
		if (r != 1)
			r = at_end(s, c, f);
		if (r || c->file)
			return r;
	}
}

int follow(struct state *s, struct chain *c)
{
	for (int n = 0; n < MOVED_MAX; n++) {
		int r = load(s, c);
		int was_read = r == 1 ? moved_was_read(s, c) : 0;
		if (was_read <= 0)
			return was_read < 0 ? was_read : r;
		chain_taken(c);
	}
	s->has_more = true;
	return 0;
}

int follow_forget(struct state *s)
{
	for (struct chain *c = s->chains, *next; c; c = next) {
		next = c->next;
		if (chain_has_file(s, c))
			continue;
		int r = moved_find_target(s, c);
		if (r < 0)
			return r;
		if (moved_is_needed(s, c))
			continue;
		struct sluice_cursor none = {.key = c->key, .key_len = strlen(c->key)};
		r = s->src->host->commit(s->src, &none);
		if (r)
			return r;
		chain_drop(s, c);
	}
	return 0;
}

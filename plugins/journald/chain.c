/* SPDX-License-Identifier: MIT
 *
 * chain - the files that one writer fills one after another, and our position in them.
 *
 * journald has one counter for all entries that it writes, whichever file they go to.  So a
 * jump within one chain is no loss by itself: the numbers may be those of other users' files.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "journald.h"

/* How long an entry that has a number may take to become visible, and how many moved entries
 * are passed over before other work has its turn.
 */
enum { STUCK_MS = 1000, MOVED_MAX = 20000 };

struct chain *chain_by_key(struct state *s, const char *key, size_t n)
{
	for (struct chain *c = s->chains; c; c = c->next)
		if (strlen(c->key) == n && memcmp(c->key, key, n) == 0)
			return c;
	if (n >= KEY_TEXT)
		return NULL;
	struct chain *c = must(calloc(1, sizeof(*c)));
	memcpy(c->key, key, n);
	c->n_read = UNKNOWN;
	c->next = s->chains;
	s->chains = c;
	return c;
}

struct chain *chain_get(struct state *s, const struct header *h, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char key[KEY_TEXT];
	snprintf(key, sizeof(key), "%s/%.*s", h->seqnum_id, (int)header_name(name), name);
	return chain_by_key(s, key, strlen(key));
}

void chain_drop(struct state *s, struct chain *c)
{
	struct chain **at = &s->chains;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c);
}

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

/* ---- what is missing between two files --------------------------------------------- */

/* The highest number that has been read in any file of the same counter: entries are read in
 * the order of time, so those before it have been read or do not belong to files that are there.
 */
static uint64_t highest_read(const struct state *s, const struct chain *c)
{
	uint64_t ret = c->seqnum;
	for (const struct chain *o = s->chains; o; o = o->next)
		if (c->directory && c->directory->is_journald && o->directory == c->directory &&
		    o->is_placed && !o->is_ended && o->seqnum > ret)
			ret = o->seqnum;
	return ret;
}

/* How many of the numbers first..last are those of other files of the same counter.  0 or a
 * negative errno: they cannot be counted.
 */
static int count_others(const struct state *s, const struct chain *c, const struct jfile *f,
			uint64_t first, uint64_t last, uint64_t *ret)
{
	uint64_t n;
	*ret = 0;
	if (!c->directory || !c->directory->is_journald)
		return 0;
	for (struct jfile *g = s->files; g; g = g->next) {
		if (g->chain == c || g->chain->directory != c->directory)
			continue;
		if (g->fd >= 0)
			jfile_refresh(g);
		if (g->h.head > last || g->h.tail < first)
			continue;
		int r = jfile_count(s, g, first, last, c->time, f->h.head_time, &n);
		if (r)
			return r;
		*ret += n;
	}
	return 0;
}

/* `n`: how many; 0: that cannot be told. */
static int declare_missing(struct state *s, struct chain *c, struct jfile *f, uint64_t first,
			   uint64_t n)
{
	char message[400];
	bool is_damage = c->directory && c->directory->has_damage;
	struct loss l = {.reason = is_damage ? "damaged" : "vacuumed",
			 .count = n,
			 .first = first,
			 .last = f->h.head - 1,
			 .since = c->time,
			 .until = f->h.head_time,
			 .path = f->path,
			 .message = message};
	if (is_damage)
		snprintf(message, sizeof(message),
			 "%llu %s of the journal %s missing: either in a damaged file, or removed "
			 "before sluice read %s",
			 (unsigned long long)n, plural(n, "entry", "entries"),
			 plural(n, "is", "are"), plural(n, "it", "them"));
	else if (n)
		snprintf(message, sizeof(message),
			 "%llu %s of the journal %s removed before sluice read %s (to keep more, "
			 "raise SystemMaxUse= in journald.conf(5))",
			 (unsigned long long)n, plural(n, "entry", "entries"),
			 plural(n, "was", "were"), plural(n, "it", "them"));
	else
		snprintf(message, sizeof(message),
			 "entries of the journal may have been removed before sluice read them: "
			 "the files that would show it cannot be read");
	chain_pass(c, f->h.head - 1, f->h.head_time);
	return deliver_gap(s, c, &l, NULL);
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
	uint64_t first = highest_read(s, c) + 1;
	if (f->h.head <= first)
		return 0;
	uint64_t missing = f->h.head - first;
	uint64_t others;
	r = count_others(s, c, f, first, f->h.head - 1, &others);
	if (jfile_is_shortage(r))
		return damage_none_yet(s, f->path, r);
	if (others >= missing)
		return 0;
	/* Files that cannot be read explain it, unless nobody looked for a while. */
	if (s->cannot_read && c->was_followed)
		return 0;
	return declare_missing(s, c, f, first, s->cannot_read || r ? 0 : missing - others);
}

/* ---- reading ------------------------------------------------------------------------- */

void chain_pass(struct chain *c, uint64_t seqnum, uint64_t time)
{
	if (seqnum > c->seqnum)
		c->seqnum = seqnum;
	if (time > c->time)
		c->time = time;
	c->n_read = UNKNOWN;
	c->is_placed = c->is_moved = true;
}

void chain_taken(struct chain *c)
{
	struct jfile *f = c->file;
	if (f->seqnum <= f->h.head)
		c->n_read = 0;
	c->seqnum = f->seqnum;
	c->time = f->time;
	c->n_read += c->n_read != UNKNOWN;
	c->is_placed = c->is_moved = c->was_followed = true;
	snprintf(c->cursor, sizeof(c->cursor), "%s", f->cursor);
	jfile_taken(f);
}

/* Nothing more will come of it. */
static void leave_file(struct chain *c, struct jfile *f)
{
	jfile_end(f);
	f->is_done = true;
	close(f->fd);
	f->fd = -1;
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

/* As chain_load(), and it may be an entry that was moved. */
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

int chain_load(struct state *s, struct chain *c)
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

int chain_commit(struct state *s, struct chain *c)
{
	char value[CURSOR_TEXT];
	struct sluice_cursor cursor = {c->key, strlen(c->key), value,
				       start_encode(c, value, sizeof(value))};
	c->is_moved = false;
	return s->src->host->commit(s->src, &cursor);
}

bool chain_has_file(const struct state *s, const struct chain *c)
{
	for (const struct jfile *f = s->files; f; f = f->next)
		if (f->chain == c)
			return true;
	return false;
}

/* Whether it has been read to its end, and the other one began later under the same name. */
static bool is_followed_by(const struct state *s, const struct chain *c, const struct chain *other)
{
	bool is_later = false;
	if (!c->is_placed || c->directory != other->directory ||
	    strcmp(c->key + ID_TEXT, other->key + ID_TEXT) != 0)
		return false;
	for (const struct jfile *f = s->files; f; f = f->next) {
		if (f->chain == c && f->h.tail > c->seqnum)
			return false;
		is_later |= f->chain == other && f->h.head_time > c->time;
	}
	return is_later;
}

void chains_note_ends(struct state *s)
{
	for (struct chain *c = s->chains; c; c = c->next)
		for (struct chain *o = s->chains; o && !c->is_ended && chain_has_file(s, c);
		     o = o->next)
			if (o != c && is_followed_by(s, c, o))
				c->is_ended = c->is_moved = true;
}

int chains_forget(struct state *s)
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

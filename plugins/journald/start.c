/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "journald.h"

/* ---- cursors ----------------------------------------------------------------------------- */

static void resume(struct state *s)
{
	struct sluice_cursor cursor;
	for (size_t i = 0; s->src->host->cursor(s->src, i, &cursor) == 0; i++) {
		const char *slash = memchr(cursor.key, '/', cursor.key_len);
		if (slash != cursor.key + ID_TEXT - 1)
			continue;
		struct chain *c = chain_by_key(s, cursor.key, cursor.key_len);
		if (c)
			chain_decode(c, &cursor);
	}
}

/* The key that says that this directory has been looked at before. */
static size_t looked_key(const char *root, char key[256])
{
	return (size_t)snprintf(key, 256, "looked:%.240s", root);
}

static bool was_looked_at(const struct state *s, const char *root)
{
	char key[256];
	size_t n = looked_key(root, key);
	struct sluice_cursor cursor;
	for (size_t i = 0; s->src->host->cursor(s->src, i, &cursor) == 0; i++)
		if (cursor.key_len == n && memcmp(cursor.key, key, n) == 0)
			return true;
	return false;
}

/* ---- the first time ------------------------------------------------------------------------ */

/* Whether the chain was there when its directory was looked at for the first time. */
static bool is_new(const struct state *s, const struct chain *c)
{
	const char *root;
	if (c->is_placed)
		return false;
	for (const struct jfile *f = s->files; f; f = f->next)
		for (size_t i = 0; f->chain == c && (root = options_directory(s->src, i)); i++)
			if (options_is_below(f->path, root) && !was_looked_at(s, root))
				return true;
	return false;
}

/* The walk from the end of a chain backwards. */
struct walk {
	struct chain *chain;
	struct jfile *file;
	sd_journal *j; /* at an entry; NULL: at the beginning of the chain */
	uint64_t seqnum, time;
};

static struct jfile *file_before(const struct state *s, const struct chain *c, uint64_t seqnum)
{
	struct jfile *best = NULL;
	for (struct jfile *f = s->files; f; f = f->next)
		if (f->chain == c && f->fd >= 0 && f->h.head && f->h.head < seqnum &&
		    (!best || f->h.head > best->h.head))
			best = f;
	return best;
}

/* One entry back: 0, or a negative errno for want of descriptors or memory. */
static int walk_back(struct state *s, struct walk *w)
{
	int r;
	while (!w->j || sd_journal_previous(w->j) <= 0 ||
	       sd_journal_get_realtime_usec(w->j, &w->time) < 0) {
		sd_journal_close(w->j);
		w->j = NULL;
		uint64_t below = w->file ? w->file->h.head : UINT64_MAX;
		w->file = file_before(s, w->chain, below);
		if (!w->file)
			return 0;
		w->j = jfile_reader(s, w->file, &r);
		if (!w->j && jfile_is_shortage(r))
			return damage_none_yet(s, w->file->path, r);
		if (w->j && sd_journal_seek_tail(w->j) < 0) {
			sd_journal_close(w->j);
			w->j = NULL;
		}
	}
	w->seqnum = jfile_number(w->j);
	return 0;
}

static void place_at(struct walk *w)
{
	char *cursor = NULL;
	if (!w->j)
		return;
	chain_pass(w->chain, w->seqnum, w->time);
	if (sd_journal_get_cursor(w->j, &cursor) >= 0)
		snprintf(w->chain->cursor, sizeof(w->chain->cursor), "%s", cursor);
	free(cursor);
}

static struct walk *latest(struct walk *all, size_t n)
{
	struct walk *best = NULL;
	for (size_t i = 0; i < n; i++)
		if (all[i].j && (!best || all[i].time > best->time))
			best = &all[i];
	return best;
}

/* Goes back over all chains together until enough entries that are wanted lie ahead. */
static int place_before_last(struct state *s, struct walk *all, size_t n, uint64_t wanted)
{
	struct walk *w;
	int r = 0;
	while (!r && wanted && (w = latest(all, n))) {
		if (entry_read(s, w->j) == 0 && select_entry(s)) {
			wanted--;
			chain_rewind(w->chain, w->seqnum - 1);
		}
		r = walk_back(s, w);
	}
	return r;
}

static int place_new(struct state *s)
{
	size_t n = 0, room = 0;
	int r = 0;
	struct walk *all = NULL;
	for (struct chain *c = s->chains; c && !r; c = c->next) {
		if (!is_new(s, c) || s->options.read_from.beginning)
			continue;
		if (n == room)
			all = must(realloc(all, (room = 2 * room + 8) * sizeof(all[0])));
		all[n] = (struct walk){.chain = c};
		r = walk_back(s, &all[n]);
		place_at(&all[n++]);
	}
	if (!r)
		r = place_before_last(s, all, n, s->options.read_from.last);
	for (size_t i = 0; i < n; i++)
		sd_journal_close(all[i].j);
	free(all);
	return r;
}

/* ---- what is gone ---------------------------------------------------------------------------- */

static int declare_gone(struct state *s, const struct chain *c)
{
	struct loss l = {
		.reason = "removed",
		.since = c->time,
		.first = c->seqnum + 1,
		.message = "a journal was removed while sluice was not running: entries written to "
			   "it after the last one that was read are lost, if there were any"};
	return deliver_gap(s, NULL, &l,
			   &(struct sluice_cursor){.key = c->key, .key_len = strlen(c->key)});
}

static int look_for_all(struct state *s)
{
	int r = 0;
	for (struct chain *c = s->chains; c && !r; c = c->next) {
		bool is_there = !c->is_placed || c->is_ended;
		for (const struct jfile *f = s->files; f && !is_there; f = f->next)
			is_there = f->chain == c;
		if (!is_there)
			r = moved_find_target(s, c);
		/* One in a directory that cannot be read is not gone. */
		if (!is_there && !r && !s->cannot_read)
			r = declare_gone(s, c);
		r = r < 0 ? r : 0;
	}
	return r || s->cannot_read ? r : follow_forget(s);
}

int start_positions(struct state *s)
{
	const char *root;
	resume(s);
	s->is_first = !was_looked_at(s, options_directory(s->src, 0));
	int r = discover(s);
	s->is_first = false;
	if (!r)
		r = look_for_all(s);
	if (!r)
		r = place_new(s);
	for (struct chain *c = s->chains; c && !r; c = c->next)
		if (c->is_moved)
			r = chain_commit(s, c);
	for (size_t i = 0; !r && (root = options_directory(s->src, i)); i++) {
		char key[256];
		struct sluice_cursor cursor = {key, looked_key(root, key), "1", 1};
		r = s->src->host->commit(s->src, &cursor);
	}
	return r;
}

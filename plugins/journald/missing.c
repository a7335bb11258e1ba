/* SPDX-License-Identifier: MIT
 *
 * missing - entries that should be before the first one of a file, and are in no file.
 *
 * journald has one counter for all entries that it writes, whichever file they go to.  So a
 * jump within one chain is no loss by itself: the numbers may be those of other users' files.
 */
#include <stdio.h>

#include "journald.h"

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

int missing_declare(struct state *s, struct chain *c, struct jfile *f)
{
	uint64_t first = highest_read(s, c) + 1;
	if (f->h.head <= first)
		return 0;
	uint64_t missing = f->h.head - first;
	uint64_t others;
	int r = count_others(s, c, f, first, f->h.head - 1, &others);
	if (jfile_is_shortage(r))
		return damage_none_yet(s, f->path, r);
	if (others >= missing)
		return 0;
	/* Files that cannot be read explain it, unless nobody looked for a while. */
	if (s->cannot_read && c->was_followed)
		return 0;
	return declare_missing(s, c, f, first, s->cannot_read || r ? 0 : missing - others);
}

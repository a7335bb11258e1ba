/* SPDX-License-Identifier: MIT
 *
 * Files that were removed before anybody looked: how many they may be.
 *
 * While names are being shifted, a number is missing between two renames, however long
 * the pause between those is.  So a hole in the numbers counts only if it is there still
 * once no name in its directory has changed for a while.  Meanwhile the files behind it
 * are open, and are not read.
 */
#include "unseen.h"

#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "handle.h"
#include "missed.h"
#include "paths.h"

/* Nobody pauses for so long between two renames of one rotation. */
#define STILL_NS (1000000000LL)

/* Where names never stop changing, the fewest that were missing at any time count then. */
#define DOUBT_MAX_NS (5 * 1000000000LL)

enum { NAME_SIZE = 4096 };

static bool is_same(const struct doubt *d, const char *path, const struct stat *st)
{
	struct stat now;
	int64_t born_ns;
	return st->st_ino == d->ino && st->st_dev == d->dev && path_stat(path, &now, &born_ns) &&
	       (!d->born_ns || !born_ns || born_ns == d->born_ns);
}

/* The number that it has now; 0: none. */
static long number_of(const struct doubt *d, const struct listing *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char path[NAME_SIZE];
		struct stat st;
		long number = name_number(l->names[i], d->base);
		if (number <= 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", d->dir, l->names[i]);
		if (stat(path, &st) == 0 && is_same(d, path, &st))
			return number;
	}
	return 0;
}

/* How many numbers below that one are left out, where numbers say which files are older. */
static size_t count_numbers(const struct doubt *d, const struct listing *l, long number)
{
	unsigned *there = must(calloc(l->n + 1, sizeof(there[0])));
	size_t n = 0;
	bool is_upwards = false;
	for (size_t i = 0; i < l->n; i++) {
		char path[NAME_SIZE];
		struct stat st;
		long k = name_number(l->names[i], d->base);
		if (k < 0 || k >= number)
			continue;
		snprintf(path, sizeof(path), "%s/%s", d->dir, l->names[i]);
		is_upwards |= stat(path, &st) < 0 || ns_of(&st.st_mtim) < d->mtime_ns;
		there[n++] = (unsigned)k;
	}
	size_t ret = n && !is_upwards ? missed_by_numbers((unsigned)number, there, n) : 0;
	free(there);
	return ret;
}

/* By the numbers in the directory in which `before` has the name `path` now. */
static void count_beside(struct search *q, struct file *f, const struct file *before,
			 const char *path)
{
	struct doubt d = {.dir = path_dir(path),
			  .dev = before->dev,
			  .ino = before->ino,
			  .born_ns = before->born_ns,
			  .mtime_ns = ns_of(&before->mtime),
			  .since_ns = mono_ns()};
	const struct listing *l = listings_get(q->lists, d.dir);
	for (size_t b = 0; b < q->n_bases && !f->n_missed; b++) {
		long number = name_number(strrchr(path, '/') + 1, q->bases[b]);
		d.base = (char *)q->bases[b];
		f->n_missed = number > 0 ? count_numbers(&d, l, number) : 0;
	}
	if (!f->n_missed) {
		free(d.dir);
		return;
	}
	d.base = must(strdup(d.base));
	f->doubt = must(malloc(sizeof(d)));
	*f->doubt = d;
}

/* When `before` has been removed: by when the others were made. */
static size_t missed_since(const struct search *q, const struct file *before, int64_t removed_ns)
{
	int64_t *born = must(calloc(q->n + 1, sizeof(born[0])));
	bool is_known = q->n > 0 && q->until->born_ns && !q->has_compressed;
	for (size_t i = 0; i < q->n; i++) {
		const struct candidate *c = &q->all[i];
		/* What is compressed may be the file itself, and so may be a copy. */
		is_known &= c->born_ns &&
			    !(before->at.offset && file_is_held_by(before, c->path, &c->st));
		born[i] = c->born_ns;
	}
	born[q->n] = q->until->born_ns;
	size_t ret = is_known ? missed_by_times(removed_ns, born, q->n + 1) : 0;
	free(born);
	return ret;
}

/* The newest file that had the name of `f` before; NULL: none. */
static const struct file *newest_before(const struct state *s, const struct file *f)
{
	const struct file *best = NULL;
	for (const struct file *o = file_first_by_origin(s, f->origin); o; o = o->next_by_origin)
		if (o != f && strcmp(o->origin, f->origin) == 0 && !file_is_younger(o, f) &&
		    (!best || file_is_younger(o, best)))
			best = o;
	return best;
}

/* When it was done with, and was removed later: with one to go by, which has been rotated away
 * since.
 */
static size_t missed_since_done(const struct search *q, const struct file *before)
{
	if (!q->n || q->has_compressed)
		return 0;
	for (size_t i = 0; i < q->n; i++)
		if (before->at.offset && file_is_held_by(before, q->all[i].path, &q->all[i].st))
			return 0;
	return missed_by_loss(before->lost_ns, q->all[0].born_ns);
}

/* When the file before was done with: by where it is now, or when it was there last. */
static void count_since_done(struct search *q, struct file *f)
{
	const struct file *before = newest_before(q->s, f);
	struct stat st;
	if (!before || !before->is_done || before->is_gz)
		return;
	if (before->vanished_ns)
		f->n_missed = missed_since_done(q, before);
	else if (stat(before->path, &st) == 0 && st.st_ino == before->ino &&
		 st.st_dev == before->dev)
		count_beside(q, f, before, before->path);
}

/* Names that change meanwhile are no evidence: one that is left out may be there. */
void unseen_count(struct search *q, struct file *f, const struct file *before)
{
	struct stat st;
	f->n_missed = 0;
	file_end_doubt(f);
	if (q->is_sure && !before)
		count_since_done(q, f);
	if (!q->is_sure || !before || before->fd < 0 || before->is_gz || fstat(before->fd, &st) < 0)
		return;
	if (!st.st_nlink) {
		f->n_missed = missed_since(q, before, ns_of(&st.st_ctim));
		return;
	}
	char *path = handle_name(before);
	if (path)
		count_beside(q, f, before, path);
	free(path);
}

void unseen_judge(struct state *s, struct listings *lists, struct file *f)
{
	const struct doubt *d = f->doubt;
	const struct listing *l = listings_get(lists, d->dir);
	long number = l->is_sure ? number_of(d, l) : 0;
	/* One that has left the row meanwhile tells no more than it did. */
	size_t n = number ? count_numbers(d, l, number) : f->n_missed;
	if (n < f->n_missed)
		f->n_missed = n;
	int64_t now = mono_ns(), still_ns = llabs(wall_ns() - ns_of(&l->after.st_mtim));
	bool is_still = l->is_sure && still_ns > STILL_NS;
	if (!f->n_missed || is_still || now - d->since_ns > DOUBT_MAX_NS) {
		file_end_doubt(f);
		return;
	}
	int64_t next =
		now + (still_ns > STILL_NS ? PLACE_TICK_NS : STILL_NS - still_ns + PLACE_TICK_NS);
	if (!s->look_at_ns || next < s->look_at_ns)
		s->look_at_ns = next;
}

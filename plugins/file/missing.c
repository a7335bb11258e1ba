/* SPDX-License-Identifier: MIT
 *
 * Files that are not open and that no pattern leads to: where they are now, and
 * when it is certain that they are nowhere.
 *
 * Every directory is read once for all of them.  What readdir(3) says of a
 * directory in which a name changes meanwhile is no proof: a file that is renamed
 * may be left out, under both of its names.  So a file is taken for gone only
 * after a look through all directories during which none of them changed, or,
 * where they never stop changing, after several looks in vain.
 */
#include "missing.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adopt.h"
#include "emit.h"
#include "files.h"
#include "paths.h"
#include "reopen.h"
#include "search.h"

enum { LOOKS_MIN = 5 };

#define LOOKS_NS (5 * 1000000000LL)

/* A file without a name may come back: a link to its directory is switched, and
 * switched back.
 */
#define REMEMBER_NS (3600 * 1000000000LL)

/* One that was removed cannot; but a new file of its name may be a copy of it. */
#define REMEMBER_REMOVED_NS (60 * 1000000000LL)

/* A file that is not there may be there compressed, once that is over. */
#define COMES_BACK_NS (10 * 1000000000LL)

static int by_name(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	return strcmp(x->dir, y->dir);
}

void place_add(struct state *s, const char *dir)
{
	if ((s->n_places & (s->n_places - 1)) == 0)
		s->places = must(realloc(s->places, (s->n_places ? 2 * s->n_places : 1) *
							    sizeof(s->places[0])));
	s->places[s->n_places++] = (struct place){
		.dir = must(strdup(dir)), .at_look = place_stat(dir), .looked_ns = wall_ns()};
}

static void places_free(struct place *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(all[i].dir);
	free(all);
}

void places_begin(struct state *s)
{
	places_free(s->old_places, s->n_old_places);
	s->old_places = s->places;
	s->n_old_places = s->n_places;
	s->places = NULL;
	s->n_places = 0;
}

void places_clear(struct state *s)
{
	places_begin(s);
	places_begin(s);
}

static void places_make_unique(struct state *s)
{
	size_t n = 0;
	if (s->n_places)
		qsort(s->places, s->n_places, sizeof(s->places[0]), by_name);
	for (size_t i = 0; i < s->n_places; i++) {
		if (n && strcmp(s->places[n - 1].dir, s->places[i].dir) == 0)
			free(s->places[i].dir);
		else
			s->places[n++] = s->places[i];
	}
	s->n_places = n;
}

/* What the last look saw of them. */
static void places_recall(struct state *s)
{
	size_t k = 0;
	for (size_t i = 0; i < s->n_places; i++) {
		while (k < s->n_old_places && strcmp(s->old_places[k].dir, s->places[i].dir) < 0)
			k++;
		if (k < s->n_old_places && strcmp(s->old_places[k].dir, s->places[i].dir) == 0)
			s->places[i].before = s->old_places[k].before;
	}
}

bool places_were_quiet(const struct state *s)
{
	for (size_t i = 0; i < s->n_places; i++) {
		const struct place *p = &s->places[i];
		struct stat now = place_stat(p->dir);
		int64_t age = p->looked_ns - ns_of(&p->at_look.st_mtim);
		bool is_settled = age > PLACE_TICK_NS || age < -PLACE_TICK_NS;
		if (!is_settled || !place_is_unchanged(&p->at_look, &now))
			return false;
	}
	return true;
}

/* Its number may have been given to another file, which was made later. */
static bool leads_to(const char *path, const struct file *f, struct stat *st)
{
	int64_t born_ns;
	if (stat(path, st) < 0 || !S_ISREG(st->st_mode) || st->st_dev != f->dev ||
	    st->st_ino != f->ino || !path_stat(path, st, &born_ns))
		return false;
	return st->st_ino == f->ino && (!f->born_ns || !born_ns || f->born_ns == born_ns);
}

/* Gives the files that are sought the names that they have in it; false: it could not be
 * looked into for now.
 */
static bool search(struct state *s, const struct place *p)
{
	DIR *d = opendir(p->dir);
	if (!d)
		return !is_shortage(errno);
	for (struct dirent *e; (e = readdir(d));) {
		struct file *f = file_by_identity(s, p->before.st_dev, e->d_ino);
		struct stat st;
		char name[4096];
		if (!f || !f->is_sought)
			continue;
		snprintf(name, sizeof(name), "%s/%s", strcmp(p->dir, "/") ? p->dir : "", e->d_name);
		if (!leads_to(name, f, &st))
			continue;
		f->is_sought = false;
		file_set_path(f, name);
	}
	closedir(d);
	return true;
}

/* Looks for them everywhere, or only where names have changed since the last look; true
 * if no name has changed in the meantime.
 */
static bool search_all(struct state *s, bool everywhere)
{
	bool is_quiet = true;
	for (size_t i = 0; i < s->n_places; i++) {
		struct place *p = &s->places[i];
		struct stat now = place_stat(p->dir);
		p->is_due = everywhere || !place_is_unchanged(&p->before, &now);
		p->before = now;
		is_quiet &= place_is_settled(&now);
	}
	for (size_t i = 0; i < s->n_places; i++)
		if (s->places[i].is_due && !search(s, &s->places[i]))
			is_quiet = false;
	for (size_t i = 0; i < s->n_places; i++) {
		struct place *p = &s->places[i];
		struct stat after = place_stat(p->dir);
		bool is_same =
			place_is_unchanged(&p->before, &after) && place_is_settled(&p->before);
		/* Then it is due in the next look as well. */
		if (!is_same)
			memset(&p->before, 0, sizeof(p->before));
		is_quiet &= is_same;
	}
	return is_quiet;
}

static int tell_gone(struct state *s, struct file *f)
{
	char message[768];
	f->owes_gap = false;
	snprintf(message, sizeof(message),
		 "%s was rotated away and removed while %s: lines written after byte %llu are "
		 "lost, if there were any",
		 f->origin,
		 f->is_idle ? "it was closed (close_inactive)" : "sluice was not running",
		 (unsigned long long)f->at.offset);
	return emit_gap(s, f, "rotated", message);
}

/* Nothing more can come of it; it is remembered for the files that come after. */
int missing_is_gone(struct state *s, struct file *f)
{
	bool was_done = f->is_done;
	f->is_missing = false;
	f->is_done = f->at.is_done = true;
	f->vanished_ns = mono_ns();
	if (was_done)
		return 0;
	f->lost_ns = 0; /* that gap says it all */
	f->owes_gap = true;
	return s->options.decompress ? 0 : tell_gone(s, f);
}

/* One that was looked for in vain. */
static int not_found(struct state *s, struct file *f, bool is_certain)
{
	int64_t now = mono_ns();
	if (!f->vanished_ns)
		f->vanished_ns = now;
	if (!f->is_done) {
		is_certain |= ++f->n_looks >= LOOKS_MIN && now - f->vanished_ns > LOOKS_NS;
		f->is_missing = true;
		if (!is_certain) {
			s->look_at_ns = now + PLACE_TICK_NS;
			return 0;
		}
		int r = generation_adopt(s, f);
		if (r == -EAGAIN)
			s->look_at_ns = now + PLACE_TICK_NS;
		return r == -ECANCELED ? r : r ? 0 : missing_is_gone(s, f);
	}
	if (f->owes_gap && now - f->vanished_ns > COMES_BACK_NS)
		return tell_gone(s, f);
	int64_t keep = f->is_removed && !s->options.decompress ? REMEMBER_REMOVED_NS : REMEMBER_NS;
	if (now - f->vanished_ns > keep && (f->ino || f->key[0] == 'w'))
		return file_forget(s, f);
	return 0;
}

/* One that is at f->path. */
static int found(struct state *s, struct file *f, const struct stat *st)
{
	f->n_looks = 0;
	f->vanished_ns = 0;
	if (f->is_done || (f->is_idle && !f->is_rotated)) {
		if (f->size == st->st_size && times_compare(&f->mtime, &st->st_mtim) == 0)
			return 0;
	}
	return reopen(s, f, st);
}

/* logrotate's olddir is often below. */
static void add_places_below(struct state *s, const char *dir)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[4096];
		snprintf(path, sizeof(path), "%s/%s", strcmp(dir, "/") ? dir : "", e->d_name);
		struct stat st;
		bool is_dir = e->d_type == DT_DIR || (e->d_type == DT_UNKNOWN &&
						      lstat(path, &st) == 0 && S_ISDIR(st.st_mode));
		if (is_dir && e->d_name[0] != '.')
			place_add(s, path);
	}
	if (d)
		closedir(d);
}

/* Where it had its name, and where that leads to if it is a link. */
static void add_places_of(struct state *s, const struct file *f)
{
	char *real = realpath(f->origin, NULL);
	const char *names[] = {f->origin, f->path, f->place, real};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *dir = names[i] ? path_dir(names[i]) : NULL;
		if (dir)
			place_add(s, dir);
		if (dir && f->is_missing && i != 1)
			add_places_below(s, dir);
		free(dir);
	}
	free(real);
}

static bool is_concerned(const struct file *f)
{
	return f->fd < 0 && !f->is_seen;
}

/* Which files are to be looked for, and whether everywhere. */
static size_t mark_sought(struct state *s, bool *everywhere)
{
	size_t n = 0;
	for (struct file *f = s->files; f; f = f->next) {
		struct stat st;
		f->is_sought =
			is_concerned(f) && (f->is_removed || !f->ino || !leads_to(f->path, f, &st));
		if (!f->is_sought || f->is_removed || !f->ino)
			continue;
		n++;
		*everywhere |= !f->is_done || !f->vanished_ns;
		add_places_of(s, f);
	}
	return n;
}

int missing_look(struct state *s)
{
	bool everywhere = false;
	size_t n_sought = mark_sought(s, &everywhere);
	places_make_unique(s);
	places_recall(s);
	bool is_certain = !n_sought || search_all(s, everywhere);
	int r = 0;
	/* One that is found can show that others are not there any more. */
	for (struct file *f = s->files; f && !r; f = s->next_missing) {
		struct stat st;
		s->next_missing = f->next;
		if (!is_concerned(f))
			continue;
		if (f->is_sought)
			r = not_found(s, f, is_certain);
		else if (leads_to(f->path, f, &st))
			r = found(s, f, &st);
	}
	s->next_missing = NULL;
	return r;
}

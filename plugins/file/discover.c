/* SPDX-License-Identifier: MIT
 *
 * A file is known by device and inode.  Its name says only which file comes
 * after which: when a name belongs to a new file, the one that had it before
 * has been rotated and is read to its end first, and so are those that came
 * and went between two looks.
 */
#include "discover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "emit.h"
#include "fifo.h"
#include "files.h"
#include "follow.h"
#include "generations.h"
#include "handle.h"
#include "ignored.h"
#include "listing.h"
#include "missing.h"
#include "names.h"
#include "paths.h"
#include "reading.h"
#include "resume.h"
#include "reopen.h"

/* How long a look is waited for during which no name changes. */
#define DISTURBED_NS (2 * 1000000000LL)

struct found {
	char *path;
	struct stat st;
};

struct finds {
	struct found *all;
	size_t n;
};

struct look {
	struct state *s;
	struct finds *ret;
	size_t pattern; /* the one at hand */
	size_t n_found; /* by it */
	int result;     /* 0 or -ECANCELED */
};

static void finds_add(struct finds *f, const char *path, const struct stat *st)
{
	if ((f->n & (f->n - 1)) == 0)
		f->all = must(realloc(f->all, (f->n ? 2 * f->n : 1) * sizeof(f->all[0])));
	f->all[f->n++] = (struct found){must(strdup(path)), *st};
}

static void finds_free(struct finds *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->all[i].path);
	free(f->all);
}

/* Of one time, app.log.2 is older than app.log.1, and that than app.log. */
static int oldest_first(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int order = times_compare(&x->st.st_mtim, &y->st.st_mtim);
	return order ? order : name_compare(x->path, y->path);
}

/* ---- looking around ----------------------------------------------------------------------------
 */

/* The kernel numbers its watches upwards. */
struct watch *discover_watch(struct state *s, int wd)
{
	size_t low = 0, high = s->n_watches;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (s->watches[mid].wd < wd)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->n_watches && s->watches[low].wd == wd ? &s->watches[low] : NULL;
}

void discover_unwatch(struct state *s, int wd)
{
	struct watch *w = discover_watch(s, wd);
	if (!w)
		return;
	free(w->dir);
	memmove(w, w + 1, (size_t)(s->watches + --s->n_watches - w) * sizeof(*w));
}

static void watch_dir(void *ctx, const char *dir)
{
	struct state *s = ((struct look *)ctx)->s;
	place_add(s, dir);
	if (s->inotify < 0)
		return;
	int wd = inotify_add_watch(s->inotify, dir,
				   IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
					   IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
	if (wd < 0) {
		if (errno == ENOSPC && complaint_begins(&s->complaints, "inotify watches"))
			say(s->src, SLUICE_LOG_WARNING,
			    "%s: no inotify watches left (raise "
			    "fs.inotify.max_user_watches); it is looked at every sweep_interval",
			    dir);
		return;
	}
	struct watch *known = discover_watch(s, wd);
	if (known) {
		/* A directory keeps its watch when it is renamed. */
		if (strcmp(known->dir, dir) != 0) {
			free(known->dir);
			known->dir = must(strdup(dir));
		}
		return;
	}
	s->watches = must(realloc(s->watches, (s->n_watches + 1) * sizeof(s->watches[0])));
	s->watches[s->n_watches++] = (struct watch){wd, must(strdup(dir))};
}

static void find_one(void *ctx, const char *path)
{
	struct look *l = ctx;
	struct stat st;
	if (ignored_is(l->s, l->pattern, path, &st))
		return;
	l->n_found++;
	if (!S_ISFIFO(st.st_mode))
		finds_add(l->ret, path, &st);
	else if (!l->result)
		l->result = fifo_found(l->s, path, &st);
}

static void pass_by(void *ctx, enum pattern_trouble what, const char *path)
{
	struct look *l = ctx;
	ignored_trouble(l->s, l->pattern, what, path);
}

static int look(struct state *s, struct finds *ret)
{
	struct look l = {.s = s, .ret = ret};
	const struct pattern_visitor v = {find_one, watch_dir, pass_by, &l, s->options.follow_links,
					  0};
	places_begin(s);
	ignored_begin(s);
	fifos_unsee(s);
	for (l.pattern = 0; l.pattern < s->include.n; l.pattern++) {
		l.n_found = 0;
		pattern_expand(s->include.all[l.pattern], &v);
		ignored_tell(s, l.pattern, l.n_found);
	}
	s->has_looked = true;
	if (ret->n)
		qsort(ret->all, ret->n, sizeof(ret->all[0]), oldest_first);
	return l.result;
}

/* ---- new files ---- */

static bool is_too_old(const struct state *s, const struct stat *st)
{
	struct timespec now;
	if (!s->options.ignore_older_ns)
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec - st->st_mtim.tv_sec) * 1000000000LL > s->options.ignore_older_ns;
}

static uint64_t first_offset(struct state *s, struct file *f)
{
	if (f->is_gz)
		return s->is_first && !s->options.from_beginning ? UINT64_MAX : 0;
	if (!s->is_first || s->options.from_beginning)
		return 0;
	return follow_find_lines(s, f, s->options.from_lines);
}

static int skip_whole(struct state *s, struct file *f)
{
	close(f->fd);
	f->fd = -1;
	f->is_done = f->at.is_done = true;
	return emit_cursor(s, f);
}

/* A file that has not been followed yet, at a name that `before` had. */
static int begin(struct state *s, const struct found *found, struct file *before)
{
	bool too_old = is_too_old(s, &found->st);
	if (too_old && !s->is_first)
		return 0; /* until something is written to it */
	if ((int64_t)s->n_files >= s->options.max_files) {
		if (!s->is_over_max_files)
			say(s->src, SLUICE_LOG_WARNING,
			    "more than %lld files: %s and further ones are not followed (raise "
			    "max_files, or name fewer in include)",
			    (long long)s->options.max_files, found->path);
		s->is_over_max_files = true;
		return 0;
	}
	struct file *f = file_add(s, found->path, found->path, &found->st);
	f->is_seen = true;
	f->named_ns = s->looked_ns;
	if (handle_open(s, f)) {
		file_drop(s, f); /* found anew by the next look */
		return 0;
	}
	uint64_t at = before && !f->is_gz ? 0 : first_offset(s, f);
	if (at == UINT64_MAX)
		return skip_whole(s, f); /* a finished file, of which nothing is wanted */
	handle_seek(f, too_old ? follow_find_lines(s, f, 0) : at);
	if (before)
		generations_await(f, before);
	if (too_old)
		handle_suspend(f);
	/* Where it began is remembered even if nothing is ever written. */
	return f->at.offset ? emit_cursor(s, f) : 0;
}

/* Now, as file systems note it for what is made: by a clock with ticks of milliseconds. */
static int64_t births_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* A file that is known: it may have another name, or have been done with. */
static int see_again(struct state *s, struct file *f, const struct found *found)
{
	if (f->is_seen && strcmp(found->path, f->origin) != 0)
		return 0; /* a second name of the same file */
	if (f->fd < 0 && f->is_removed)
		return file_let_go(s, f); /* another file has its number: it begins as itself */
	f->is_seen = true;
	if (strcmp(found->path, f->origin) == 0)
		f->named_ns = s->looked_ns;
	file_set_path(f, found->path);
	if (f->fd >= 0) {
		f->is_dirty |= f->shrunk_ns != 0;
		if (strcmp(f->path, f->origin) == 0)
			f->is_rotated = f->at.is_done = false;
		f->lost_ns = f->is_rotated ? f->lost_ns : 0;
		return 0;
	}
	if ((f->is_done || f->is_idle) && f->size == found->st.st_size &&
	    times_compare(&f->mtime, &found->st.st_mtim) == 0)
		return 0;
	return reopen(s, f, &found->st);
}

/* A file whose name is no longer in the patterns. */
static void lose(struct state *s, struct file *f)
{
	if (f->is_rotated || f->is_done)
		return;
	f->is_rotated = f->is_dirty = true;
	f->quiet_since_ns = mono_ns();
	s->n_rotated++;
	struct stat st;
	bool is_known = f->fd >= 0 && fstat(f->fd, &st) == 0, is_removed = is_known && !st.st_nlink;
	/* Of a file that has been removed, this is when that happened: after it lost its name. */
	if (is_known)
		f->lost_ns = ns_of(&st.st_ctim);
	char *name = is_removed ? NULL : f->fd >= 0 ? handle_name(f) : NULL;
	/* One that is closed is looked for together with others, by missing_look(). */
	if (!name && !is_removed && f->fd >= 0)
		name = path_of_inode(f->path, f->dev, f->ino);
	if (name) {
		file_set_path(f, name);
		free(f->place);
		f->place = must(strdup(name));
	}
	free(name);
}

/* Whether what is new may be read: not while names change, for one that is older yet may have
 * been left out then (see missing.c), unless they never stop changing.
 */
static bool may_begin(struct state *s, bool was_quiet)
{
	int64_t now = mono_ns();
	if (was_quiet)
		s->disturbed_since_ns = 0;
	else if (!s->disturbed_since_ns)
		s->disturbed_since_ns = now;
	return was_quiet || now - s->disturbed_since_ns > DISTURBED_NS;
}

/* Which of the new files to begin in this round: names that have had a file before come first,
 * for they bring in the generations between, which the patterns may match as well.
 */
static int begin_round(struct state *s, const struct finds *finds, bool with_older, bool may)
{
	for (size_t i = 0; i < finds->n; i++) {
		const struct found *found = &finds->all[i];
		if (file_by_identity(s, found->st.st_dev, found->st.st_ino) ||
		    generation_is_awaited(s, found->path))
			continue;
		bool has_base = generation_has_base(s, found->path);
		struct file *before = has_base ? NULL : file_by_origin(s, found->path);
		if (has_base && !may)
			s->look_at_ns = mono_ns() + PLACE_TICK_NS;
		else if ((before != NULL) == with_older && begin(s, found, before))
			return -ECANCELED;
	}
	return 0;
}

static int begin_new(struct state *s, const struct finds *finds, bool was_quiet)
{
	bool may = may_begin(s, was_quiet);
	int r = begin_round(s, finds, true, may);
	return r ? r : begin_round(s, finds, false, may);
}

int discover(struct state *s)
{
	struct finds finds = {0};
	s->n_unreadable = 0;
	s->look_at_ns = 0;
	s->looked_ns = births_ns();
	int r = look(s, &finds);
	bool was_quiet = places_were_quiet(s);
	for (struct file *f = s->files; f; f = f->next)
		f->is_seen = false;
	for (size_t i = 0; !r && i < finds.n; i++) {
		struct file *f =
			file_by_identity(s, finds.all[i].st.st_dev, finds.all[i].st.st_ino);
		if (f)
			r = see_again(s, f, &finds.all[i]);
	}
	for (struct file *f = s->files; f && !r; f = f->next)
		if (f->has_copies && f->fd >= 0)
			reading_late_copies(s, f);
	/* Before new files begin: they wait for the ones that had their names. */
	for (struct file *f = s->files; f; f = f->next)
		if (!f->is_seen || strcmp(f->path, f->origin) != 0)
			lose(s, f);
	/* Where those are now is where the ones that came between may be. */
	r = r ? r : missing_look(s);
	r = r ? r : begin_new(s, &finds, was_quiet);
	r = r ? r : generations_settle(s);
	finds_free(&finds);
	files_index(s);
	if (!r && s->is_first)
		r = resume_note_start(s);
	s->is_first = false;
	return r;
}

void discover_free(struct state *s)
{
	while (s->files)
		file_drop(s, s->files);
	ignored_free(s);
	fifos_free(s);
	for (size_t i = 0; i < s->n_watches; i++)
		free(s->watches[i].dir);
	free(s->watches);
	places_clear(s);
	free(s->by_path);
	free(s->by_identity);
	free(s->by_origin);
}

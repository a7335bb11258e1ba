/* SPDX-License-Identifier: MIT
 *
 * Generations: files that were rotated away before anybody looked.
 *
 * When a name belongs to a new file, others may have had it since the one before.  The new
 * file is open all the while, and is read when it is known what comes before it.
 */
#include "generations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "assemble.h"
#include "emit.h"
#include "files.h"
#include "gz.h"
#include "handle.h"
#include "ignored.h"
#include "lines.h"
#include "paths.h"
#include "reading.h"
#include "search.h"
#include "unpack.h"
#include "unseen.h"

/* Where names never stop changing, a new file waits so long for those before it. */
#define LOOKS_NS (2 * 1000000000LL)

enum { LOOKS_MIN = 5, NAME_SIZE = 4096 };

static void remember_before(struct between *b, const struct file *before)
{
	b->at = before->at;
	b->mtime_ns = file_ended_ns(before);
	b->born_ns = file_began_ns(before);
	b->named_ns = before->named_ns;
	b->is_open = before->fd >= 0;
	if (before->place) {
		free(b->place);
		b->place = must(strdup(before->place));
	}
}

void generations_await(struct file *f, struct file *before)
{
	f->between = must(calloc(1, sizeof(*f->between)));
	f->between->since_ns = mono_ns();
	remember_before(f->between, before);
	f->older = before->is_done ? NULL : before;
}

/* The first of them tells what was missed: it comes right behind the gap. */
static void goes_before(struct file *f, struct file *of)
{
	of->older = f;
	f->n_missed = of->n_missed;
	f->n_strangers = of->n_strangers;
	f->doubt = of->doubt;
	of->doubt = NULL;
	of->n_missed = of->n_strangers = 0;
}

/* One that came between: it is read behind `older`, unless all of it has been read.
 * 0 or a negative errno of opening it.
 */
static int begin_one(struct state *s, struct file *of, const struct candidate *c,
		     struct file *older)
{
	const struct between *b = of->between;
	struct position at = b->at;
	struct file *f = file_add(s, of->origin, c->path, &c->st);
	f->is_rotated = f->is_seen = f->is_generation = true;
	f->older = older;
	/* Not before that, which is all that is known of it. */
	f->was_born_ns = f->is_gz ? b->born_ns : 0;
	int r = handle_open(s, f);
	if (r) {
		file_drop(s, f);
		return r;
	}
	if (f->is_gz) {
		goes_before(f, of);
		handle_seek(f, 0);
		return 0;
	}
	/* A copy of what was followed: only what is behind that is new in it. */
	bool is_copy = at.offset && (uint64_t)f->size >= at.offset && position_fits(&at, f->fd);
	if (is_copy && b->is_open) {
		file_drop(s, f);
		return 0;
	}
	goes_before(f, of);
	handle_seek(f, is_copy ? at.offset : 0);
	return 0;
}

/* The gap of files that a link may have led to. */
static int tell_strangers(struct state *s, struct file *f, size_t n)
{
	char message[1024];
	snprintf(message, sizeof(message),
		 "%s is a link that leads to another file now: %zu file%s beside %s may have had "
		 "this name between the files read before and after this gap (name the files "
		 "themselves in include, or set a shorter sweep_interval)",
		 f->origin, n, n == 1 ? "" : "s", f->place ? f->place : "it");
	return emit_gap(s, f, "rotated", message);
}

int generation_tell_owed(struct state *s, struct file *f)
{
	char message[1024];
	size_t n = f->n_missed, n_strangers = f->n_strangers;
	f->n_missed = f->n_strangers = 0;
	int r = f->owes_emptied ? emit_emptied(s, f) : 0;
	f->owes_emptied = false;
	if (!r && n_strangers)
		r = tell_strangers(s, f, n_strangers);
	if (!n || r)
		return r;
	snprintf(message, sizeof(message),
		 "%s was rotated more often than sluice looked at it: %zu more file%s may have "
		 "been written and removed between the files read before and after this gap (keep "
		 "more rotated files, or set a shorter sweep_interval)",
		 f->origin, n, n == 1 ? "" : "s");
	return emit_gap(s, f, "rotated", message);
}

/* Compressed ones that are not to be read: 0 or -ECANCELED. */
static int tell_unreadable(struct state *s, struct file *of, const char *path)
{
	char message[1024];
	if (unpack_is_named(path) && gz_is_of_known(s, path))
		return 0;
	snprintf(message, sizeof(message),
		 "%s, an older file of %s, was compressed before it was read to its end: its "
		 "unread lines are skipped (set decompress: true, or delaycompress in logrotate)",
		 path, of->origin);
	return emit_gap(s, of, "rotated", message);
}

/* One that cannot be opened: 0 or -ECANCELED. */
static int tell_closed(struct state *s, struct file *of, const char *path, int error)
{
	char message[1024];
	snprintf(message, sizeof(message),
		 "%.400s was written under the name %.400s and cannot be read: %s; what it holds "
		 "is lost (give sluice's user the right to read it, also after it is rotated)",
		 path, of->origin, strerror(error));
	return emit_gap(s, of, "rotated", message);
}

/* Files that begin alike by chance are short: less than HEAD_MAX bytes are a copy only if the
 * file was made before the other one lost its name.
 */
static bool may_be_copy(const struct file *f, const struct file *before)
{
	struct stat st, now;
	if (before->is_gz || f->is_gz || read_offset(f) || fstat(before->fd, &st) < 0 ||
	    fstat(f->fd, &now) < 0)
		return false;
	if (st.st_size >= HEAD_MAX)
		return now.st_size >= HEAD_MAX && handles_begin_alike(f->fd, before->fd, HEAD_MAX);
	/* In one tick of the clock it can also have been made afterwards. */
	int64_t lost_ns = ns_of(&st.st_ctim);
	return !st.st_nlink &&
	       (f->born_ns < lost_ns || (f->born_ns == lost_ns && now.st_size > st.st_size));
}

/* The new file holds all that the one before does, and perhaps more: it goes on where that one
 * is.  0; -EAGAIN when that one is to be read behind others first; or -ECANCELED.
 */
static int go_on_in_copy(struct state *s, struct file *f, struct file *before)
{
	if (before->fd < 0 || !may_be_copy(f, before))
		return 0;
	while (before->older && before->older->is_done)
		before->older = before->older->older;
	if (before->older || before->between || before->doubt)
		return -EAGAIN;
	int r = reading_drain(s, before);
	struct position at = before->at;
	if (r || before->fd < 0 || !at.offset || !position_fits(&at, f->fd) ||
	    !handles_begin_alike(f->fd, before->fd, at.offset))
		return r;
	f->at = at;
	handle_seek(f, at.offset);
	f->older = NULL;
	assemble_drop(before);
	lines_drop(before);
	r = emit_cursor(s, f);
	return r ? r : reading_finish(s, before);
}

/* The same when those that had its name are closed, and only the hashes of what was read of
 * them are known: it goes on where the furthest of them was.
 */
static int go_on_in_copy_of_closed(struct state *s, struct file *f)
{
	struct position best = {0};
	if (f->is_gz || read_offset(f))
		return 0;
	for (const struct file *o = file_first_by_origin(s, f->origin); o; o = o->next_by_origin) {
		struct position at = o->at;
		if (strcmp(o->origin, f->origin) == 0 && at.offset > best.offset &&
		    position_is_telling(&at) && position_fits(&at, f->fd))
			best = at;
	}
	if (!best.offset)
		return 0;
	f->at = best;
	f->at.is_done = false;
	handle_seek(f, best.offset);
	return emit_cursor(s, f);
}

/* One that the patterns have brought in already is read before `f`. */
static void wait_for_known(struct file *f, struct file *known)
{
	if (!file_is_pending(known, f))
		return;
	if (!known->older && !file_waits_for(f->older, known))
		known->older = f->older;
	f->older = known;
}

/* Those that were found, in order.  0; -EAGAIN when one of them is to be looked for again; or
 * -ECANCELED.
 */
static int begin_all(struct state *s, struct file *f, const struct search *q)
{
	int r = 0;
	for (size_t i = 0; i < q->n && !r; i++) {
		const struct candidate *c = &q->all[i];
		if (c->file) {
			wait_for_known(f, c->file);
			continue;
		}
		bool is_read = !name_is_compressed(c->path) || ignored_reads(s, c->path);
		int error = is_read ? -begin_one(s, f, c, f->older) : 0;
		/* It has got another name since it was found, or none. */
		if (error == ENOENT || error == ESTALE || is_shortage(error))
			return -EAGAIN;
		if ((is_read && !error) || c->order <= f->between->told_ns)
			continue;
		f->between->told_ns = c->order;
		r = is_read ? tell_closed(s, f, c->path, error) : tell_unreadable(s, f, c->path);
	}
	return r;
}

/* Whether what comes before those that it waits for is not known yet: first come those. */
static bool is_early(struct state *s, const struct file *f)
{
	for (const struct file *o = f->older; o; o = o->older)
		if (o->is_missing || o->between) {
			s->look_at_ns = mono_ns() + PLACE_TICK_NS;
			return true;
		}
	return false;
}

static int settle(struct state *s, struct listings *lists, struct file *f)
{
	struct file *before = f->older;
	struct stat st;
	if (is_early(s, f))
		return 0;
	if (before && before->fd >= 0 && fstat(before->fd, &st) == 0)
		file_note_time(before, &st);
	if (before)
		remember_before(f->between, before);
	struct search q = {.s = s, .lists = lists, .than = f->between, .until = f};
	search_run(&q, f);
	bool has_looked =
		++f->between->n_looks >= LOOKS_MIN && mono_ns() - f->between->since_ns > LOOKS_NS;
	bool is_unsure = !q.is_sure && !has_looked;
	int r = -EAGAIN;
	/* The search can have dropped `before`, and then another one is the older one. */
	if (!q.is_short && !is_unsure) {
		unseen_count(&q, f, f->older);
		f->n_strangers = q.n_strangers;
		r = begin_all(s, f, &q);
	}
	if (!q.n && !r)
		r = f->older ? go_on_in_copy(s, f, f->older) : go_on_in_copy_of_closed(s, f);
	search_free(&q);
	if (r == -EAGAIN) {
		s->look_at_ns = mono_ns() + PLACE_TICK_NS;
		return 0;
	}
	file_end_wait(f);
	return r;
}

int generations_settle(struct state *s)
{
	struct listings lists = {0};
	int r = 0;
	for (struct file *f = s->files; f && !r; f = f->next) {
		if (f->between)
			r = settle(s, &lists, f);
		if (f->doubt)
			unseen_judge(s, &lists, f);
	}
	listings_free(&lists);
	return r;
}

/* Whether a file that is followed has the name `dir`, `stem`, `rest`, and `path` is that of an
 * older one of it; if `awaited`, only while those are looked for.
 */
static bool is_older_of(struct state *s, const char *path, size_t stem, const char *rest,
			size_t rest_len, bool awaited)
{
	const char *name = strrchr(path, '/') + 1;
	char base[NAME_SIZE];
	if (stem + rest_len >= sizeof(base))
		return false;
	memcpy(base, path, stem);
	memcpy(base + stem, rest, rest_len);
	base[stem + rest_len] = 0;
	struct file *f = file_by_origin(s, base);
	return f && (f->between || !awaited) && name_kind(name, base + (name - path));
}

static bool is_older(struct state *s, const char *path, bool awaited)
{
	const char *name = strrchr(path, '/') + 1;
	size_t dir = (size_t)(name - path), digits;
	if (name_kind_of_current(name) &&
	    is_older_of(s, path, dir, NAME_CURRENT, strlen(NAME_CURRENT), awaited))
		return true;
	for (size_t i = 1; name[i]; i++) {
		if (!strchr(".-_", name[i]))
			continue;
		if (is_older_of(s, path, dir + i, "", 0, awaited))
			return true;
		/* app.1.log, perhaps with .gz behind it */
		const char *ext = name_behind_number(name + i + 1, &digits);
		size_t len = *ext == '.' ? 1 + strcspn(ext + 1, ".") : 0;
		if (digits && len && is_older_of(s, path, dir + i, ext, len, awaited))
			return true;
	}
	return false;
}

bool generation_is_awaited(struct state *s, const char *path)
{
	return is_older(s, path, true);
}

bool generation_has_base(struct state *s, const char *path)
{
	return is_older(s, path, false);
}

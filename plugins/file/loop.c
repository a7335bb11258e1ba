/* SPDX-License-Identifier: MIT
 *
 * The main loop: what is heard of changes, looks, and rounds of reading.
 *
 * inotify is only a hint for speed.  A sweep of all files runs always, so an
 * event that the kernel dropped costs at most a sweep interval.
 */
#include "loop.h"

#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "assemble.h"
#include "discover.h"
#include "emit.h"
#include "fifo.h"
#include "files.h"
#include "generations.h"
#include "gz.h"
#include "handle.h"
#include "reading.h"

#define MS 1000000LL

/* Others are looked at with the sweep. */
enum { FIFOS_WAITED = 64 };

/* What inotify says: files that were written to, and whether names changed. */
static bool hear_inotify(struct state *s)
{
	char buffer[65536] __attribute__((aligned(8)));
	bool names_changed = false;
	ssize_t n;
	while ((n = read(s->inotify, buffer, sizeof(buffer))) > 0) {
		for (char *p = buffer; p < buffer + n;) {
			struct inotify_event *e = (struct inotify_event *)(void *)p;
			p += sizeof(*e) + e->len;
			if (e->mask & IN_Q_OVERFLOW)
				for (struct file *f = s->files; f; f = f->next)
					f->is_dirty = true;
			if (e->mask & ~(uint32_t)IN_MODIFY)
				names_changed = true;
			if (e->mask & IN_IGNORED)
				discover_unwatch(s, e->wd);
			const struct watch *w = e->len ? discover_watch(s, e->wd) : NULL;
			if (!w)
				continue;
			char path[4096];
			snprintf(path, sizeof(path), "%s/%s", strcmp(w->dir, "/") ? w->dir : "",
				 e->name);
			struct file *f = file_by_path(s, path);
			if (f && f->is_idle)
				names_changed = true; /* it is opened again by a look */
			else if (f)
				f->is_dirty = true;
			else
				s->fifo_is_heard = true;
		}
	}
	return names_changed;
}

/* Files that nobody writes to keep no descriptor. */
static void suspend_inactive(struct state *s)
{
	int64_t now = mono_ns();
	for (struct file *f = s->files; s->options.close_inactive_ns && f; f = f->next)
		if (f->fd >= 0 && !f->is_dirty && !f->is_rotated && !f->is_gz &&
		    now - f->quiet_since_ns > s->options.close_inactive_ns)
			handle_suspend(f);
}

/* Looks at every file itself, whatever inotify has said. */
static void sweep_files(struct state *s)
{
	for (struct file *f = s->files; f; f = f->next) {
		struct stat st;
		if (f->fd < 0 || fstat(f->fd, &st) < 0)
			continue;
		if (st.st_size != f->size || st.st_mtim.tv_sec != f->mtime.tv_sec ||
		    st.st_mtim.tv_nsec != f->mtime.tv_nsec ||
		    (!f->is_gz && (uint64_t)st.st_size != read_offset(f)) || (f->is_gz && !f->gz))
			f->is_dirty = true;
		file_note_time(f, &st);
	}
}

/* Whether it is not to be read yet. */
static bool must_wait(struct file *f)
{
	struct stat st;
	while (f->older && f->older->is_done)
		f->older = f->older->older;
	/* Those that come before an empty file may be written to still, but copies may not. */
	if (f->between || f->doubt ||
	    (f->older && !f->is_rotated && !f->owes_emptied &&
	     (fstat(f->fd, &st) < 0 || !st.st_size)))
		return true;
	/* One that is being compressed still is read in its own time, and one that is
	 * looked for may be found.
	 */
	for (const struct file *o = f->older; o; o = o->older)
		if (o->is_missing || o->between || o->doubt ||
		    (o->is_gz && !o->is_done && o->fd >= 0))
			return true;
	return false;
}

/* The one that waits for the oldest of them, which itself waits for none. */
static struct file *last_to_wait(struct file *f)
{
	while (f->older->older)
		f = f->older;
	return f;
}

/* Reads the oldest file that it waits for to its end.  Others can be dropped meanwhile, and
 * a compressed one can be found to come before.
 */
static int drain_oldest(struct state *s, struct file *f)
{
	struct file *oldest = last_to_wait(f)->older;
	int r = 0;
	do {
		r = generation_tell_owed(s, oldest);
		r = r ? r : reading_drain(s, oldest);
		r = r ? r : assemble_flush(s, oldest);
		/* From then on it is known, and nothing of it comes behind the file. */
		if (!r && oldest->is_copy && !oldest->owes_emptied && oldest->fd >= 0)
			r = reading_finish(s, oldest);
	} while (!r && oldest->owes_emptied && !oldest->older);
	if (!oldest->older)
		last_to_wait(f)->older = NULL;
	return r;
}

/* The older files of the same name are read to their ends once this one holds
 * something: a writer that has moved on writes nothing more to them.
 */
static int wait_for_older(struct state *s, struct file *f, bool *wait)
{
	int r = 0;
	while (!(*wait = must_wait(f)) && f->older && !r)
		r = drain_oldest(s, f);
	return r;
}

/* A rotated file that has been read to its end: should it be removed while sluice does
 * not run, nothing of it is lost.
 */
static int note_end(struct state *s, struct file *f)
{
	if (!f->is_rotated || f->is_gz || f->fd < 0 || f->at.is_done || f->part_len || f->group ||
	    f->held)
		return 0;
	f->at.is_done = true;
	return emit_cursor(s, f);
}

/* An empty file is remembered too: should it be gone after a restart, what was written to it
 * in between is lost.  But not before those that it waits for, which would be left out then;
 * nor where it may be compressed, for an empty one is not recognised in that.
 */
static int note_begin(struct state *s, struct file *f)
{
	if (f->is_noted || f->between || f->doubt || s->options.decompress)
		return 0;
	for (const struct file *o = f->older; o; o = o->older)
		if (!o->is_noted && !o->at.offset)
			return 0;
	f->is_noted = true;
	return f->at.offset ? 0 : emit_cursor(s, f);
}

/* One round over what may have changed: 1 when there is more, 0, -ECANCELED. */
static int read_round(struct state *s)
{
	int more = 0;
	for (struct file *f = s->files; f; f = f->next) {
		bool wait = false;
		if (f->fd < 0 || !f->is_dirty)
			continue;
		int r = note_begin(s, f);
		r = r ? r : wait_for_older(s, f, &wait);
		if (wait && !r)
			continue;
		if (!r)
			r = generation_tell_owed(s, f);
		if (!r)
			r = reading_some(s, f);
		if (r < 0)
			return r;
		f->is_dirty = r == 1;
		more |= r;
		r = r ? 0 : note_end(s, f);
		if (r)
			return r;
	}
	return more;
}

/* What is compressed while a program still writes to it is compared with it, as long as
 * it is open.
 */
static int64_t wait_of(const struct state *s, const struct file *f)
{
	struct stat st;
	int64_t wait = s->options.rotate_wait_ns, least = GZ_SETTLE_NS + 2 * s->options.sweep_ns;
	if (s->options.decompress && wait < least && fstat(f->fd, &st) == 0 && !st.st_nlink)
		return least;
	return wait;
}

static int finish_rotated(struct state *s)
{
	int64_t now = mono_ns();
	for (struct file *f = s->files; f; f = f->next) {
		if (f->fd < 0 || !f->is_rotated || f->is_dirty || f->is_gz ||
		    now - f->quiet_since_ns < wait_of(s, f))
			continue;
		int r = reading_drain(s, f);
		if (!r && !f->is_dirty && mono_ns() - f->quiet_since_ns >= wait_of(s, f))
			r = reading_finish(s, f);
		if (r)
			return r;
	}
	return 0;
}

static void report(struct state *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{"lines", s->n_lines},
		{"bytes", s->n_bytes},
		{"long_lines", s->n_long},
		{"truncated", s->n_truncated},
		{"rotated", s->n_rotated},
		{"nul_bytes_skipped", s->n_nuls},
		{"unparsed", s->n_unparsed},
		{"invalid_bytes", s->n_invalid},
		{"unparsed_times", s->n_bad_times},
	};
	uint64_t n = 0;
	for (struct file *f = s->files; f; f = f->next)
		n += f->fd >= 0;
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		s->src->host->counter(s->src, counters[i].name, counters[i].value);
	s->src->host->counter(s->src, "files", n);
	s->src->host->counter(s->src, "ignored_files", s->n_ignored);
	s->src->host->counter(s->src, "unreadable_files", s->n_unreadable);
}

static int read_files_and_fifos(struct state *s, bool all_fifos)
{
	int more = read_round(s);
	if (more < 0 || !s->fifos)
		return more;
	int r = fifos_read(s, all_fifos || s->fifo_is_heard);
	s->fifo_is_heard = false;
	return r < 0 ? r : more | r;
}

/* Waits for what is to be read, at most until the next sweep; names_changed as inotify says. */
static int wait_for_more(struct state *s, int64_t next_sweep, bool more, bool *names_changed)
{
	struct pollfd fds[1 + FIFOS_WAITED] = {{.fd = s->inotify, .events = POLLIN}};
	size_t first = s->inotify >= 0 ? 0 : 1;
	size_t n = 1 + fifos_poll(s, fds + 1, FIFOS_WAITED);
	int64_t due = next_sweep < s->next_deadline_ns ? next_sweep : s->next_deadline_ns;
	if (s->look_at_ns && s->look_at_ns < due)
		due = s->look_at_ns;
	int64_t left = (due - mono_ns() + MS - 1) / MS;
	int timeout = more ? 0 : left > 0 ? (int)left : 0;
	int r = s->src->host->wait(s->src, fds + first, n - first, timeout);
	if (r > 0 && s->inotify >= 0)
		*names_changed |= hear_inotify(s);
	return r < 0 ? r : 0;
}

/* Looks take a tenth of the time at most, however often names change; but for sweeps. */
static int look_around(struct state *s)
{
	int64_t began = mono_ns();
	int r = discover(s);
	int64_t ended = mono_ns();
	s->not_before_ns = ended + 9 * (ended - began);
	if (s->look_at_ns && s->look_at_ns < s->not_before_ns)
		s->look_at_ns = s->not_before_ns;
	return r;
}

int loop_run(struct state *s)
{
	int64_t next_sweep = 0;
	bool names_changed = true;
	for (;;) {
		int64_t now = mono_ns();
		int r = 0;
		bool sweep = now >= next_sweep;
		if (sweep)
			sweep_files(s);
		if (sweep || (s->look_at_ns && now >= s->look_at_ns) ||
		    (names_changed && now >= s->not_before_ns)) {
			r = look_around(s);
			names_changed = false;
		} else if (names_changed && (!s->look_at_ns || s->not_before_ns < s->look_at_ns)) {
			s->look_at_ns = s->not_before_ns;
		}
		int more = r ? r : read_files_and_fifos(s, sweep);
		r = more < 0 ? more : assemble_expire(s);
		if (r)
			return r;
		if (sweep) {
			r = finish_rotated(s);
			if (r)
				return r;
			suspend_inactive(s);
			report(s);
			next_sweep = mono_ns() + s->options.sweep_ns;
		}
		r = wait_for_more(s, next_sweep, more, &names_changed);
		if (r)
			return r;
	}
}

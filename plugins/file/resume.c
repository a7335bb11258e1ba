/* SPDX-License-Identifier: MIT
 *
 * After a restart: the files that the cursors tell of.
 */
#include "resume.h"

#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "emit.h"
#include "files.h"
#include "gz.h"
#include "handle.h"
#include "listing.h"
#include "reading.h"
#include "reopen.h"
#include "unpack.h"

#define STARTED "started"

/* A compressed file does not change; its time says whether it is the same. */
static int resume_gz(struct state *s, struct file *f, const struct stat *st)
{
	int64_t mtime_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;
	if (mtime_ns != f->at.mtime_ns)
		return gz_reopen(s, f);
	file_note_time(f, st);
	if (!f->at.is_done) {
		handle_seek(f, f->at.offset);
		return 0;
	}
	close(f->fd);
	f->fd = -1;
	f->is_done = true;
	return 0;
}

/* A file that is there, under `f->path`. */
static int resume_found(struct state *s, struct file *f, const struct stat *st)
{
	bool was_done = f->at.is_done;
	int64_t read_ns = f->at.mtime_ns;
	if (handle_open(s, f))
		return 0; /* tried again by the next look */
	if (f->is_gz)
		return resume_gz(s, f, st);
	bool is_another = reopen_is_another(f);
	if (!is_another && position_fits(&f->at, f->fd) && (uint64_t)st->st_size >= f->at.offset) {
		file_note_time(f, st);
		f->is_done = was_done && (uint64_t)st->st_size == f->at.offset;
		if (f->is_done) {
			close(f->fd);
			f->fd = -1;
			return 0;
		}
		f->at.is_done = false;
		handle_seek(f, f->at.offset);
		/* An empty one that was written to since it was made has been emptied. */
		f->has_copies =
			!f->is_rotated && !f->at.offset && read_ns > f->born_ns + PLACE_TICK_NS;
		f->copied_ns = read_ns;
		return 0;
	}
	bool is_other = f->is_rotated || is_another;
	if (was_done || is_other) {
		close(f->fd);
		f->fd = -1;
	}
	if (was_done)
		return file_let_go(s, f); /* its number has been given to another file */
	if (is_other) {
		/* That one begins as itself; this one is looked for. */
		f->is_missing = true;
		return file_lose_identity(s, f);
	}
	f->is_emptied = true;
	return 0;
}

/* A file that was emptied or replaced in the meantime. */
static void resume_emptied(struct state *s, struct file *f)
{
	struct position at = f->at;
	struct stat st;
	f->is_emptied = false;
	/* Copies that are made from now on are later than these. */
	if (fstat(f->fd, &st) == 0)
		file_note_time(f, &st);
	handle_seek(f, 0);
	reading_copies(s, f, &at, at.mtime_ns);
	f->owes_emptied = true;
}

/* A file whose number belongs to another one: see file_lose_identity(). */
static void remember(struct state *s, const char *key, const struct position *at,
		     const struct origin *o)
{
	struct stat nothing = {0};
	struct file *f = file_add(s, o->name, o->name, &nothing);
	f->at = *at;
	/* A compressed one counts as what it was. */
	int64_t mtime_ns = o->was_mtime_ns ? o->was_mtime_ns : at->mtime_ns;
	f->born_ns = o->was_born_ns ? o->was_born_ns : o->born_ns;
	f->lost_ns = o->lost_ns;
	f->mtime.tv_sec = mtime_ns / 1000000000;
	f->mtime.tv_nsec = mtime_ns % 1000000000;
	f->is_done = at->is_done;
	f->is_missing = !at->is_done;
	f->vanished_ns = mono_ns();
	snprintf(f->key, sizeof(f->key), "%s", key);
}

/* A name that leads to it, of those that are known. */
static const char *known_name(const struct file *f, struct stat *st)
{
	const char *names[] = {f->origin, f->place};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] && stat(names[i], st) == 0 && S_ISREG(st->st_mode) &&
		    st->st_dev == f->dev && st->st_ino == f->ino)
			return names[i];
	return NULL;
}

/* `key` is what cursors call it. */
static int resume_file(struct state *s, const char *key, struct position *at, struct origin *o)
{
	unsigned maj, min;
	unsigned long long ino;
	struct stat st = {0};
	if (strncmp(key, "was:", 4) == 0) {
		remember(s, key, at, o);
		return 0;
	}
	/* What the patterns leave out by now is not read, but kept in mind. */
	if (sscanf(key, "%x:%x:%llu", &maj, &min, &ino) != 3 ||
	    !patterns_match(&s->include, o->name) || patterns_match(&s->exclude, o->name))
		return 0;
	st.st_dev = makedev(maj, min);
	st.st_ino = (ino_t)ino;
	st.st_mtim.tv_sec = at->mtime_ns / 1000000000;
	st.st_mtim.tv_nsec = at->mtime_ns % 1000000000;
	/* The time is that of the file that was followed, until it is known to be it. */
	struct file *f = file_add(s, o->name, o->name, &st);
	at->mtime_ns = f->at.mtime_ns;
	f->at = *at;
	f->born_ns = o->born_ns;
	f->lost_ns = o->lost_ns;
	f->was_born_ns = o->was_born_ns;
	f->was_mtime_ns = o->was_mtime_ns;
	f->place = o->place;
	o->place = NULL;
	f->is_done = at->is_done;
	f->is_noted = true;
	const char *name = known_name(f, &st);
	if (name && name != f->origin) {
		file_set_path(f, name);
		f->is_rotated = true;
		f->is_gz = s->options.decompress && unpack_is_named(name);
		f->is_generation = true;
	}
	/* One that is not found at once is looked for everywhere, by missing_look(). */
	f->is_missing = !name && !f->is_done;
	return name ? resume_found(s, f, &st) : 0;
}

static int resume_one(struct state *s, const struct sluice_cursor *c)
{
	struct position at;
	struct origin o;
	char key[48] = "";
	if (c->key_len >= sizeof(key) || position_decode(c->value, c->value_len, &at, &o))
		return 0;
	memcpy(key, c->key, c->key_len);
	int r = resume_file(s, key, &at, &o);
	origin_free(&o);
	return r;
}

/* Files of one name wait for each other in the order in which they were written. */
static void chain_resumed(struct state *s)
{
	for (struct file *f = s->files; f; f = f->next) {
		if (f->is_done)
			continue;
		for (struct file *o = file_first_by_origin(s, f->origin); o; o = o->next_by_origin)
			if (o != f && !o->is_done && strcmp(o->origin, f->origin) == 0 &&
			    file_is_younger(f, o) && !file_waits_for(o, f) &&
			    (!f->older || file_is_younger(o, f->older)))
				f->older = o;
	}
}

int resume(struct state *s)
{
	struct sluice_cursor c;
	int r = 0;
	for (size_t i = 0; !r && s->src->host->cursor(s->src, i, &c) == 0; i++) {
		if (c.key_len == strlen(STARTED) && memcmp(c.key, STARTED, c.key_len) == 0)
			s->is_first = false;
		r = resume_one(s, &c);
	}
	/* Once all others are known. */
	for (struct file *f = s->files; f && !r; f = f->next)
		if (f->is_emptied)
			resume_emptied(s, f);
	chain_resumed(s);
	return r;
}

int resume_note_start(struct state *s)
{
	struct sluice_cursor c = {STARTED, strlen(STARTED), "1", 1};
	return s->src->host->commit(s->src, &c);
}

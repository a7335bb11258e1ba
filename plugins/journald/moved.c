/* SPDX-License-Identifier: MIT
 *
 * moved - entries that journald moves from /run to /var (journalctl --flush).
 *
 * journald copies them to the end of its file in /var one after another, in their order and
 * under new numbers, and then removes the files in /run.  An entry and its copy have the same
 * boot, times and hash.  So what was read in /run is told from what was not by the last entry
 * that was read there: older copies of the same boot are behind us.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "journald.h"

/* What an entry and its copy have in common. */
struct identity {
	char boot[ID_TEXT];
	unsigned long long mono, time, hash; /* of the times: in microseconds */
};

/* Of the cursor of an entry: false when there is none. */
static bool identity_of(const char *cursor, struct identity *ret)
{
	const char *b = strstr(cursor, ";b=");
	return b && sscanf(b, ";b=%32[0-9a-f];m=%llx;t=%llx;x=%llx", ret->boot, &ret->mono,
			   &ret->time, &ret->hash) == 4;
}

static bool is_identical(const struct identity *a, const struct identity *b)
{
	return a->mono == b->mono && a->time == b->time && a->hash == b->hash &&
	       strcmp(a->boot, b->boot) == 0;
}

/* Whether an entry of the boot of `p` is as old or older. */
static bool is_behind(const struct identity *e, const struct identity *p)
{
	return strcmp(e->boot, p->boot) == 0 && (e->mono < p->mono || is_identical(e, p));
}

/* Whether a file holds that entry, or its copy: 1, 0, or a negative errno for want of
 * descriptors or memory.
 */
static int file_holds(const struct state *s, const struct jfile *f, const struct identity *want)
{
	struct identity at;
	sd_id128_t boot;
	char *cursor;
	int r;
	struct jfile open_one = *f;
	if (f->fd < 0)
		open_one.fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (open_one.fd < 0)
		return jfile_is_shortage(-errno) ? -errno : 0;
	sd_journal *j = jfile_reader(s, &open_one, &r);
	bool is_found = false;
	if (j && sd_id128_from_string(want->boot, &boot) >= 0 &&
	    sd_journal_seek_monotonic_usec(j, boot, want->mono) >= 0)
		while (!is_found && sd_journal_next(j) > 0 &&
		       sd_journal_get_cursor(j, &cursor) >= 0) {
			bool is_known = identity_of(cursor, &at);
			free(cursor);
			if (!is_known || !is_behind(&at, want))
				break;
			is_found = is_identical(&at, want);
		}
	sd_journal_close(j);
	if (f->fd < 0)
		close(open_one.fd);
	return is_found ? 1 : !j && jfile_is_shortage(r) ? r : 0;
}

static int chain_holds(const struct state *s, const struct chain *c, const struct identity *want)
{
	int r = 0;
	for (const struct jfile *f = s->files; f && !r; f = f->next)
		if (f->chain == c)
			r = file_holds(s, f, want);
	return r;
}

/* Whether journald moves entries from the one to the other, if it does. */
static bool is_target(const struct chain *from, const struct chain *to)
{
	return from != to && from->is_placed && !to->is_volatile &&
	       strcmp(from->key + ID_TEXT, to->key + ID_TEXT) == 0;
}

/* The chain from which this entry was moved: 1 and c->moved_from, 0, or a negative errno. */
static int find_origin(const struct state *s, struct chain *c, const struct identity *e)
{
	struct identity p;
	int r = 0;
	for (struct chain *from = s->chains; from && !r; from = from->next) {
		if (!from->is_volatile || !is_target(from, c) || !identity_of(from->cursor, &p) ||
		    !is_behind(e, &p))
			continue;
		/* While they are moved, the original is there still; then the last copy is. */
		r = chain_holds(s, from, e);
		if (!r)
			r = chain_holds(s, c, &p);
		if (r == 1)
			c->moved_from = from;
	}
	return r;
}

int moved_was_read(const struct state *s, struct chain *c)
{
	struct identity e, p;
	if (c->is_volatile || !identity_of(c->file->cursor, &e))
		return 0;
	if (!c->moved_from) {
		int r = find_origin(s, c, &e);
		if (r <= 0)
			return r;
	}
	if (identity_of(c->moved_from->cursor, &p) && is_behind(&e, &p))
		return 1;
	if (!chain_has_file(s, c->moved_from))
		c->moved_from = NULL;
	return 0;
}

/* Whether all copies of what was read have been passed. */
static bool has_passed(const struct chain *c, const struct identity *p)
{
	struct identity last;
	return identity_of(c->cursor, &last) && strcmp(last.boot, p->boot) == 0 &&
	       last.mono >= p->mono;
}

int moved_find_target(const struct state *s, const struct chain *from)
{
	struct identity p;
	int r = 0;
	if (!identity_of(from->cursor, &p))
		return 0;
	for (struct chain *c = s->chains; c && !r; c = c->next) {
		if (is_target(from, c))
			r = chain_holds(s, c, &p);
		if (r == 1 && !has_passed(c, &p))
			c->moved_from = from;
	}
	return r;
}

bool moved_is_needed(const struct state *s, const struct chain *from)
{
	for (const struct chain *c = s->chains; c; c = c->next)
		if (c->moved_from == from)
			return true;
	return false;
}

/* SPDX-License-Identifier: MIT
 *
 * damage - files that cannot be read as they should.
 *
 * libsystemd passes over entries that are broken without a word, and takes a chain of
 * entries that breaks off for the end of the file.  The head says how many there should be.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "journald.h"

static int declare_damage(struct state *s, struct chain *c, struct jfile *f, uint64_t n,
			  uint64_t until, const char *why)
{
	char message[600];
	struct loss l = {.reason = "damaged",
			 .count = n,
			 .first = until > c->seqnum ? c->seqnum + 1 : f->h.head,
			 .last = until,
			 .since = until > c->seqnum ? c->time : f->h.head_time,
			 .until = f->h.tail_time,
			 .path = f->path,
			 .message = message};
	snprintf(message, sizeof(message),
		 "%.300s is damaged: %llu %s cannot be read%s%s (check the file with journalctl "
		 "--verify)",
		 f->path, (unsigned long long)n, plural(n, "entry", "entries"), *why ? ": " : "",
		 why);
	chain_pass(c, until, 0);
	s->n_damaged += n;
	return deliver_gap(s, c, &l, NULL);
}

/* How many entries can be read from the head on, and the number of the last of them.  0 or a
 * negative errno: the file cannot be opened.
 */
static int count_forwards(const struct state *s, const struct jfile *f, uint64_t *n, uint64_t *last)
{
	int r;
	sd_journal *j = jfile_reader(s, f, &r);
	*n = *last = 0;
	if (!j)
		return r;
	if (sd_journal_seek_head(j) >= 0)
		for (; sd_journal_next(j) > 0; (*n)++)
			*last = jfile_number(j);
	sd_journal_close(j);
	return 0;
}

/* How many can be read from the end back to `last`, and the number of the first.  As above. */
static int count_backwards(const struct state *s, const struct jfile *f, uint64_t last, uint64_t *n,
			   uint64_t *first)
{
	int r;
	sd_journal *j = jfile_reader(s, f, &r);
	*n = *first = 0;
	if (!j)
		return r;
	if (sd_journal_seek_tail(j) >= 0)
		for (; sd_journal_previous(j) > 0; (*n)++) {
			uint64_t number = jfile_number(j);
			if (number <= last)
				break;
			*first = number;
		}
	sd_journal_close(j);
	return 0;
}

/* Goes on at the first entry behind the damage: 1; 0 if it cannot be reached; or a negative
 * errno for want of descriptors or memory.
 */
static int go_on_behind(struct state *s, struct chain *c, struct jfile *f, uint64_t seqnum)
{
	if (seqnum <= c->seqnum)
		return 0;
	int r = jfile_begin(s, f, seqnum);
	if (jfile_is_shortage(r))
		return r;
	return r >= 0 && jfile_next(f) == 1 && f->seqnum > c->seqnum;
}

int damage_survey(struct state *s, struct chain *c, struct jfile *f)
{
	uint64_t last, n, first = 0, behind = 0;
	int r = count_forwards(s, f, &n, &last);
	if (!r && last > c->seqnum && (r = go_on_behind(s, c, f, c->seqnum + 1)) == 1)
		return 1;
	if (!r && n < f->h.n_entries)
		r = count_backwards(s, f, last, &behind, &first);
	int has_more = !r && behind ? go_on_behind(s, c, f, first) : r;
	if (has_more < 0)
		return damage_give_up(s, c, f, has_more);
	if (has_more)
		n += behind;
	uint64_t lost = n < f->h.n_entries ? f->h.n_entries - n : 0;
	uint64_t is_new = lost > f->n_lost ? lost - f->n_lost : 0;
	f->n_lost += is_new;
	if (!is_new)
		return has_more;
	r = declare_damage(s, c, f, is_new, has_more ? first - 1 : f->h.tail, "");
	return r ? r : has_more;
}

int damage_none_yet(struct state *s, const char *path, int error)
{
	say(s->src, SLUICE_LOG_ERROR, "%s cannot be read now: %s (it is tried again; %s)", path,
	    strerror(-error),
	    error == -ENOMEM ? "raise limits.memory of this source, if it has one"
			     : "raise limits.open_files of this source, or the system's limits");
	return error;
}

int damage_give_up(struct state *s, struct chain *c, struct jfile *f, int error)
{
	if (jfile_is_shortage(error))
		return damage_none_yet(s, f->path, error);
	uint64_t n = f->h.n_entries;
	if (c->n_read != UNKNOWN && f->h.head <= c->seqnum)
		n = c->n_read < n ? n - c->n_read : 0;
	const char *why = error == -EPROTONOSUPPORT
				  ? "it was written by a newer systemd than the libsystemd here"
			  : error == -EBADMSG || error == -ENODATA ? "its structure is broken"
								   : strerror(-error);
	int r = declare_damage(s, c, f, n, f->h.tail, why);
	jfile_leave(f);
	c->file = NULL;
	return r;
}

/* FNV-1a of what stands where the head should be. */
static uint64_t hash_head(int fd)
{
	char head[HEADER_SIZE];
	uint64_t h = 14695981039346656037ULL;
	ssize_t n = pread(fd, head, sizeof(head), 0);
	for (ssize_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)head[i]) * 1099511628211ULL;
	return h;
}

/* Told once for each such file: the cursor remembers. */
int damage_unknown(struct state *s, const char *path, int fd, const struct stat *st)
{
	char key[80], message[600];
	struct sluice_cursor c = {.key = key, .value = "1", .value_len = 1}, known;
	c.key_len = (size_t)snprintf(key, sizeof(key), "damaged:%llx:%llx:%llx",
				     (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
				     (unsigned long long)hash_head(fd));
	for (size_t i = 0; s->src->host->cursor(s->src, i, &known) == 0; i++)
		if (known.key_len == c.key_len && memcmp(known.key, key, c.key_len) == 0)
			return 0;
	if (!complaint_begins(&s->complaints, key))
		return 0;
	if (s->is_first && !s->options.read_from.beginning) {
		say(s->src, SLUICE_LOG_WARNING,
		    "%s is not a readable journal file, and is ignored (check it with journalctl "
		    "--verify --file)",
		    path);
		return s->src->host->commit(s->src, &c);
	}
	snprintf(message, sizeof(message),
		 "%.300s is not a readable journal file: the entries in it are lost, if there were "
		 "any (check it with journalctl --verify --file)",
		 path);
	struct loss l = {.reason = "damaged", .path = path, .message = message};
	return deliver_gap(s, NULL, &l, &c);
}

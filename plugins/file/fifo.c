/* SPDX-License-Identifier: MIT
 *
 * FIFOs, read as streams.  What was read of one cannot be read again, and while
 * nobody reads its writers fail; so each start but the first declares a gap.
 * While nobody writes, a FIFO is always readable and at its end: it is tried at
 * each sweep and when inotify speaks, and waited for only while it has a writer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

static bool has_cursor(const struct state *s, const char *key)
{
	struct sluice_cursor c;
	for (size_t i = 0; s->src->host->cursor(s->src, i, &c) == 0; i++)
		if (c.key_len == strlen(key) && memcmp(c.key, key, c.key_len) == 0)
			return true;
	return false;
}

/* 0 or -ECANCELED. */
static int begin(struct state *s, struct file *f, bool was_read)
{
	char message[512];
	if (!was_read)
		return emit_cursor(s, f);
	snprintf(message, sizeof(message),
		 "%.300s is a FIFO: lines that were in it when this source stopped, or that were "
		 "read and not yet stored, are lost, if there were any",
		 f->path);
	return emit_gap(s, f, "restart", message);
}

int fifo_found(struct state *s, const char *path, const struct stat *st)
{
	for (struct file *f = s->fifos; f; f = f->next)
		if (f->ino == st->st_ino && f->dev == st->st_dev) {
			f->is_seen = true;
			return 0;
		}
	struct file *f = must(calloc(1, sizeof(*f)));
	f->dev = st->st_dev;
	f->ino = st->st_ino;
	f->path = must(strdup(path));
	f->origin = must(strdup(path));
	f->is_seen = true;
	snprintf(f->key, sizeof(f->key), "fifo:%016llx",
		 (unsigned long long)position_hash(path, strlen(path)));
	if (file_open_fd(s, f)) {
		file_free(f); /* found anew by the next look */
		return 0;
	}
	/* It has no beginning at which a mark could be. */
	encoding_begin(s, f, "    ", 4);
	f->next = s->fifos;
	s->fifos = f;
	return begin(s, f, !s->has_looked && has_cursor(s, f->key));
}

/* 1 when there may be more, 0, or -ECANCELED. */
static int read_one(struct state *s, struct file *f)
{
	for (size_t done = 0; done < s->options.read_budget; done += READ_SIZE) {
		if (f->part_len)
			memcpy(s->buffer, f->part, f->part_len);
		ssize_t n = read(f->fd, s->buffer + f->part_len, READ_SIZE);
		f->has_writer = n != 0;
		if (n == 0)
			return lines_end(s, f); /* nobody will write the end of that line */
		if (n < 0)
			return errno == EINTR;
		s->n_bytes += (size_t)n;
		int r = lines_take(s, f, (size_t)n);
		if (r)
			return r;
	}
	return 1;
}

int fifos_read(struct state *s, bool all)
{
	int more = 0;
	for (struct file **p = &s->fifos, *f; (f = *p);) {
		int r = all || f->has_writer ? read_one(s, f) : 0;
		if (r < 0)
			return r;
		more |= r;
		if (f->is_seen || f->has_writer) {
			p = &f->next;
			continue;
		}
		*p = f->next; /* it has been removed, and its last writer is gone */
		file_free(f);
	}
	return more;
}

void fifos_unsee(struct state *s)
{
	for (struct file *f = s->fifos; f; f = f->next)
		f->is_seen = false;
}

size_t fifos_poll(const struct state *s, struct pollfd *ret, size_t max)
{
	size_t n = 0;
	for (const struct file *f = s->fifos; f && n < max; f = f->next)
		if (f->has_writer)
			ret[n++] = (struct pollfd){.fd = f->fd, .events = POLLIN};
	return n;
}

void fifos_free(struct state *s)
{
	for (struct file *f = s->fifos, *next; f; f = next) {
		next = f->next;
		file_free(f);
	}
	s->fifos = NULL;
}

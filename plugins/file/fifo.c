/* SPDX-License-Identifier: MIT
 *
 * FIFOs, read as streams.  What was read of one cannot be read again, and while
 * nobody reads its writers fail; so each start but the first declares a gap.
 * While nobody writes, a FIFO is always readable and at its end: it is tried at
 * each sweep and when inotify speaks, and waited for only while it has a writer.
 *
 * A line ends with its writer.  One that has opened the FIFO before the end was seen hides it;
 * then inotify tells that a writer has left and another has come since the FIFO was empty.
 */
#include "fifo.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "emit.h"
#include "encoding.h"
#include "files.h"
#include "handle.h"
#include "lines.h"

/* How long the rest of a line is waited for when a writer has left, but not the last one. */
#define REST_NS (1000 * 1000000LL)

/* Whether writers have left, and others have come after that. */
enum handover { HANDOVER_NONE, HANDOVER_LEFT, HANDOVER_DONE };

struct fifo {
	int wd;              /* of state.fifo_inotify */
	bool is_heard;       /* a writer has come or left since it was read last */
	bool is_empty;       /* it was, when it was read last */
	bool has_write;      /* inotify has told of what was written since then ... */
	bool owes_write;     /* ... or has yet to tell of what was read */
	enum handover first; /* since then, before anything was written */
	enum handover last;  /* since anything was written */
	int64_t left_ns;     /* CLOCK_MONOTONIC: when a writer has left */
};

static void note(struct fifo *p, uint32_t mask)
{
	p->is_heard = true;
	if (mask & IN_MODIFY && p->owes_write) {
		p->owes_write = false;
	} else if (mask & IN_MODIFY) {
		p->has_write = true;
		p->last = HANDOVER_NONE;
	}
	if (mask & IN_CLOSE_WRITE) {
		p->last = HANDOVER_LEFT;
		p->left_ns = mono_ns();
	} else if (mask & IN_OPEN && p->last == HANDOVER_LEFT) {
		p->last = HANDOVER_DONE;
	}
	if (!p->has_write)
		p->first = p->last;
}

static void hear(struct state *s)
{
	char buffer[4096] __attribute__((aligned(8)));
	ssize_t n;
	while (s->fifo_inotify >= 0 && (n = read(s->fifo_inotify, buffer, sizeof(buffer))) > 0)
		for (char *p = buffer; p < buffer + n;) {
			struct inotify_event *e = (struct inotify_event *)(void *)p;
			p += sizeof(*e) + e->len;
			for (struct file *f = s->fifos; f; f = f->next)
				if (f->fifo->wd == e->wd)
					note(f->fifo, e->mask);
		}
}

static void listen_to(struct state *s, struct file *f)
{
	char path[32];
	if (s->fifo_inotify < 0)
		s->fifo_inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	f->fifo = must(calloc(1, sizeof(*f->fifo)));
	f->fifo->wd =
		inotify_add_watch(s->fifo_inotify, path, IN_OPEN | IN_CLOSE_WRITE | IN_MODIFY);
}

static void drop(struct state *s, struct file *f)
{
	if (f->fifo->wd >= 0)
		inotify_rm_watch(s->fifo_inotify, f->fifo->wd);
	free(f->fifo);
	file_free(f);
}

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
	if (handle_open(s, f)) {
		file_free(f); /* found anew by the next look */
		return 0;
	}
	/* It has no beginning at which a mark could be. */
	encoding_begin(s, f, "    ", 4);
	listen_to(s, f);
	f->next = s->fifos;
	s->fifos = f;
	return begin(s, f, !s->has_looked && has_cursor(s, f->key));
}

/* Nothing is in it, but it has a writer.  `last` was true before it was read. */
static int rest_or_end(struct state *s, struct file *f, enum handover last)
{
	struct fifo *p = f->fifo;
	bool is_over = last == HANDOVER_DONE ||
		       (last == HANDOVER_LEFT && mono_ns() - p->left_ns > REST_NS);
	p->is_empty = true;
	p->has_write = false;
	p->first = p->last = is_over ? HANDOVER_NONE : last;
	return is_over ? lines_end(s, f) : 0;
}

/* `n` bytes have been read behind the part. */
static int take(struct state *s, struct file *f, size_t n)
{
	struct fifo *p = f->fifo;
	int r = 0;
	hear(s);
	if (p->is_empty && p->first == HANDOVER_DONE && f->part_len) {
		memmove(s->buffer, s->buffer + f->part_len, n);
		r = lines_end(s, f);
	}
	p->owes_write = !p->has_write;
	p->is_empty = p->has_write = false;
	p->first = HANDOVER_NONE;
	s->n_bytes += n;
	return r ? r : lines_take(s, f, n);
}

/* 1 when there may be more, 0, or -ECANCELED. */
static int read_one(struct state *s, struct file *f)
{
	for (size_t done = 0; done < s->options.read_budget; done += READ_SIZE) {
		hear(s);
		enum handover last = f->fifo->last;
		if (f->part_len)
			memcpy(s->buffer, f->part, f->part_len);
		ssize_t n = read(f->fd, s->buffer + f->part_len, READ_SIZE);
		f->has_writer = n != 0;
		if (n == 0) {
			/* Nobody will write the end of that line. */
			*f->fifo = (struct fifo){.wd = f->fifo->wd, .is_empty = true};
			return lines_end(s, f);
		}
		if (n < 0)
			return errno == EINTR ? 1 : rest_or_end(s, f, last);
		int r = take(s, f, (size_t)n);
		if (r)
			return r;
	}
	return 1;
}

int fifos_read(struct state *s, bool all)
{
	int more = 0;
	hear(s);
	for (struct file **p = &s->fifos, *f; (f = *p);) {
		bool is_due = all || f->has_writer || f->fifo->is_heard;
		f->fifo->is_heard = false;
		int r = is_due ? read_one(s, f) : 0;
		if (r < 0)
			return r;
		more |= r;
		if (f->is_seen || f->has_writer) {
			p = &f->next;
			continue;
		}
		*p = f->next; /* it has been removed, and its last writer is gone */
		drop(s, f);
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
	/* Not every kernel tells of what is written to a FIFO, so a writer's coming is heard. */
	if (s->fifos && s->fifo_inotify >= 0 && max)
		ret[n++] = (struct pollfd){.fd = s->fifo_inotify, .events = POLLIN};
	for (const struct file *f = s->fifos; f && n < max; f = f->next)
		if (f->has_writer)
			ret[n++] = (struct pollfd){.fd = f->fd, .events = POLLIN};
	return n;
}

void fifos_free(struct state *s)
{
	for (struct file *f = s->fifos, *next; f; f = next) {
		next = f->next;
		drop(s, f);
	}
	s->fifos = NULL;
	if (s->fifo_inotify >= 0)
		close(s->fifo_inotify);
	s->fifo_inotify = -1;
}

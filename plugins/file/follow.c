/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "file.h"

/* How long a file that was emptied may take to be written again. */
#define COMES_BACK_NS (100 * 1000000LL)

/* Whether what the position says about a container's streams holds for this file. */
static bool has_streams_of(const struct position *at, const struct file *f, uint64_t offset)
{
	struct position p = *at;
	return p.offset == offset && (p.emitted_to[0] || p.emitted_to[1]) &&
	       (f->is_gz || position_fits(&p, f->fd));
}

void follow_seek(struct file *f, uint64_t offset)
{
	lines_drop(f);
	group_drop(f);
	f->nuls = f->nuls_to = 0;
	if (offset != f->at.offset || !offset) {
		const struct position before = f->at;
		f->at = (struct position){.offset = offset, .mtime_ns = before.mtime_ns};
		/* Also at the start of a file something may have been emitted beyond. */
		if (has_streams_of(&before, f, offset))
			memcpy(f->at.emitted_to, before.emitted_to, sizeof(f->at.emitted_to));
		size_t n = offset < TAIL_MAX ? (size_t)offset : TAIL_MAX;
		if (!f->is_gz) {
			position_grow_head(&f->at, f->fd, offset);
			char tail[TAIL_MAX];
			ssize_t got = pread(f->fd, tail, n, (off_t)(offset - n));
			position_set_tail(&f->at, tail, got == (ssize_t)n ? n : 0);
		}
	}
	/* It may have changed this moment; then the next look finds that. */
	if (f->at.is_hashed && !f->is_gz && !position_fits(&f->at, f->fd))
		position_set_tail(&f->at, NULL, 0);
	f->tail_len = f->at.is_hashed ? 0 : f->at.tail_len;
	memcpy(f->tail, f->at.tail, f->tail_len);
}

/* The file was emptied, or written anew: from the start, and say so. */
static int start_over(struct state *s, struct file *f)
{
	int r = group_flush(s, f);
	if (r)
		return r;
	struct position at = f->at;
	f->unit = 0;
	memset(f->at.emitted_to, 0, sizeof(f->at.emitted_to));
	follow_seek(f, 0);
	r = generation_read_copy(s, f, &at, INT64_MAX);
	return r ? r : emit_emptied(s, f);
}

/* cp(1) and some editors empty a file and write the same into it again, with more behind
 * it: then reading goes on where it was.  Whether it is to be waited for, or has come back.
 */
static bool comes_back(struct state *s, struct file *f)
{
	struct stat st;
	int64_t now = mono_ns();
	if (!f->at.offset || fstat(f->fd, &st) < 0)
		return false;
	if (!f->shrunk_ns)
		f->shrunk_ns = now;
	if ((uint64_t)st.st_size < f->at.offset) {
		/* A look reads it again then, if nothing does before. */
		int64_t until = f->shrunk_ns + COMES_BACK_NS;
		if (now < until && (!s->look_at_ns || until < s->look_at_ns))
			s->look_at_ns = until;
		return now < until;
	}
	if (!position_fits(&f->at, f->fd))
		return false;
	f->shrunk_ns = 0;
	follow_seek(f, f->at.offset);
	return true;
}

/* What stands before the next read, kept before the bytes are used. */
static void note_tail(struct file *f, const char *end, size_t got)
{
	size_t tail = got < TAIL_MAX ? got : TAIL_MAX;
	size_t keep = f->tail_len + tail > TAIL_MAX ? TAIL_MAX - tail : f->tail_len;
	memmove(f->tail, f->tail + (f->tail_len - keep), keep);
	memcpy(f->tail + keep, end - tail, tail);
	f->tail_len = keep + tail;
}

static bool knows_encoding(struct state *s, struct file *f)
{
	char head[4];
	if (f->unit)
		return true;
	ssize_t n = pread(f->fd, head, sizeof(head), 0);
	return n > 0 && encoding_begin(s, f, head, (size_t)n);
}

/* Reads once: 1, 0 at the end, -ECANCELED. */
static int read_once(struct state *s, struct file *f)
{
	char before[TAIL_MAX];
	struct iovec iov[2] = {{before, f->tail_len}, {s->buffer + f->part_len, READ_SIZE}};
	if (f->part_len)
		memcpy(s->buffer, f->part, f->part_len);
	ssize_t n = preadv(f->fd, iov, 2, (off_t)(read_offset(f) - f->tail_len));
	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0) {
		if (may_complain(s, f->path))
			say(s, SLUICE_LOG_WARNING, "%s: %s; trying again", f->path,
			    strerror(errno));
		return 0;
	}
	if ((size_t)n < f->tail_len || memcmp(before, f->tail, f->tail_len) != 0) {
		if (comes_back(s, f))
			return !f->shrunk_ns;
		f->shrunk_ns = 0;
		int r = start_over(s, f);
		return r ? r : 1;
	}
	f->shrunk_ns = 0;
	size_t got = (size_t)n - f->tail_len;
	if (f->unit > 1)
		got -= got % f->unit;
	if (!got)
		return 0;
	f->at.is_done = false; /* its writer was not done */
	char *p = s->buffer + f->part_len;
	size_t nuls, text = hole_find(f, p, got, &nuls);
	if (!text)
		return nuls == got && got < READ_SIZE ? 0 : hole_cross(s, f, nuls, nuls == got);
	position_grow_head(&f->at, f->fd, read_offset(f) + text);
	s->n_bytes += text;
	f->quiet_since_ns = mono_ns();
	note_tail(f, p + text, text);
	int r = lines_take(s, f, text);
	return r ? r : nuls || got == READ_SIZE;
}

int follow_read(struct state *s, struct file *f)
{
	if (f->is_gz)
		return gz_read(s, f);
	for (size_t done = 0; done < s->options.read_budget; done += READ_SIZE) {
		/* One that was emptied may come back in another. */
		int r = knows_encoding(s, f) ? read_once(s, f) : 0;
		if (r <= 0)
			return r;
	}
	return 1;
}

int follow_drain(struct state *s, struct file *f)
{
	struct stat st;
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return 0;
	for (;;) {
		int r = follow_read(s, f);
		if (r <= 0 || (!f->is_gz && read_offset(f) >= (uint64_t)st.st_size))
			return r < 0 ? r : 0;
	}
}

/* A file that is as short as a byte order mark, and may be the start of one. */
static int read_short(struct state *s, struct file *f)
{
	char head[4];
	ssize_t n = f->unit || f->is_gz ? 0 : pread(f->fd, head, sizeof(head), 0);
	if (n <= 0)
		return 0;
	encoding_begin_whole(s, f, head, (size_t)n);
	return follow_drain(s, f);
}

int follow_finish(struct state *s, struct file *f)
{
	struct stat st;
	int r = read_short(s, f);
	r = r ? r : lines_end(s, f);
	if (r)
		return r;
	if (fstat(f->fd, &st) == 0) {
		file_note_time(f, &st);
		f->is_removed = !st.st_nlink;
	}
	gz_close(f);
	encoding_end(f);
	close(f->fd);
	f->fd = -1;
	f->is_done = f->at.is_done = true;
	return emit_cursor(s, f);
}

uint64_t follow_find_lines(struct state *s, struct file *f, uint64_t n)
{
	char block[16384];
	if (!knows_encoding(s, f))
		return 0; /* no line of it can be whole */
	uint64_t size = (uint64_t)f->size - (uint64_t)f->size % f->unit, at = size, found = 0;
	while (at > 0) {
		size_t len = at < sizeof(block) ? (size_t)at : sizeof(block);
		at -= len;
		if (pread(f->fd, block, len, (off_t)at) != (ssize_t)len)
			return size;
		for (size_t i = len; i >= f->unit; i -= f->unit)
			/* The line feed at the very end ends the last line. */
			if (lines_is_end(block + i - f->unit, f->unit) &&
			    (!n || (at + i != size && ++found == n)))
				return at + i;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "follow.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "assemble.h"
#include "encoding.h"
#include "handle.h"
#include "holes.h"
#include "lines.h"

/* How long a file that was emptied may take to be written again: until its first byte, when
 * waiting delays no line, and from then on.
 */
#define EMPTY_NS (1000 * 1000000LL)
#define COMES_BACK_NS (100 * 1000000LL)

/* The file was emptied, or written anew: FOLLOW_EMPTIED, or -ECANCELED. */
static int start_over(struct state *s, struct file *f, struct position *emptied_at)
{
	int r = assemble_flush(s, f);
	if (r)
		return r;
	*emptied_at = f->at;
	f->unit = 0;
	memset(f->at.emitted_to, 0, sizeof(f->at.emitted_to));
	handle_seek(f, 0);
	return FOLLOW_EMPTIED;
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
		int64_t until = f->shrunk_ns + (st.st_size ? COMES_BACK_NS : EMPTY_NS);
		if (now < until && (!s->look_at_ns || until < s->look_at_ns))
			s->look_at_ns = until;
		return now < until;
	}
	if (!position_fits(&f->at, f->fd))
		return false;
	f->shrunk_ns = 0;
	handle_seek(f, f->at.offset);
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

/* Reads once: 1, 0 at the end, FOLLOW_EMPTIED, or -ECANCELED. */
static int read_once(struct state *s, struct file *f, struct position *emptied_at)
{
	char before[TAIL_MAX];
	struct iovec iov[2] = {{before, f->tail_len}, {s->buffer + f->part_len, READ_SIZE}};
	if (f->part_len)
		memcpy(s->buffer, f->part, f->part_len);
	ssize_t n = preadv(f->fd, iov, 2, (off_t)(read_offset(f) - f->tail_len));
	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0) {
		if (complaint_begins(&s->complaints, f->path))
			say(s->src, SLUICE_LOG_WARNING, "%s: %s; trying again", f->path,
			    strerror(errno));
		return 0;
	}
	if ((size_t)n < f->tail_len || memcmp(before, f->tail, f->tail_len) != 0) {
		if (comes_back(s, f))
			return !f->shrunk_ns;
		f->shrunk_ns = 0;
		return start_over(s, f, emptied_at);
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

int follow_read(struct state *s, struct file *f, struct position *emptied_at)
{
	for (size_t done = 0; done < s->options.read_budget; done += READ_SIZE) {
		/* One that was emptied may come back in another. */
		int r = knows_encoding(s, f) ? read_once(s, f, emptied_at) : 0;
		if (r != 1)
			return r;
	}
	return 1;
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
			if (encoding_is_line_end(block + i - f->unit, f->unit) &&
			    (!n || (at + i != size && ++found == n)))
				return at + i;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "file.h"
#include "severity.h"

/* ---- emitting ------------------------------------------------------------------------ */

static void set_tail(struct position *p, const char *end, size_t available)
{
	p->tail_len = (uint8_t)(available < TAIL_MAX ? available : TAIL_MAX);
	memcpy(p->tail, end - p->tail_len, p->tail_len);
}

static struct sluice_cursor cursor_of(const struct file *f, char value[POSITION_VALUE_MAX])
{
	return (struct sluice_cursor){f->key, strlen(f->key), value,
				      position_encode(&f->at, f->origin, value)};
}

static int emit(struct state *s, struct file *f, const char *line, size_t len, uint32_t flags,
		uint64_t size)
{
	char value[POSITION_VALUE_MAX];
	struct sluice_value fields[2];
	size_t n = 0;
	if (s->options.path_field[0])
		fields[n++] = (struct sluice_value){.name = s->options.path_field,
						    .type = SLUICE_STRING,
						    .string = f->path,
						    .string_len = strlen(f->path)};
	if (flags & SLUICE_TRUNCATED)
		fields[n++] = (struct sluice_value){
			.name = "size", .type = SLUICE_INT, .integer = (int64_t)size};
	struct sluice_cursor c = cursor_of(f, value);
	struct sluice_event ev = {
		.type = "line",
		.severity = s->options.detect_severity ? severity_detect(line, len)
						       : SLUICE_NO_SEVERITY,
		.flags = flags,
		.body = line,
		.body_len = len,
		.fields = fields,
		.n_fields = n,
		.cursor = &c,
	};
	s->n_lines++;
	return s->src->host->emit(s->src, &ev);
}

int follow_gap(struct state *s, struct file *f, const char *reason, const char *message)
{
	char value[POSITION_VALUE_MAX];
	struct sluice_value field = {.name = "reason",
				     .type = SLUICE_STRING,
				     .string = reason,
				     .string_len = strlen(reason)};
	struct sluice_cursor c = cursor_of(f, value);
	struct sluice_event ev = {
		.type = "gap",
		.severity = SLUICE_NO_SEVERITY,
		.flags = SLUICE_GAP,
		.body = message,
		.body_len = strlen(message),
		.fields = &field,
		.n_fields = 1,
		.cursor = &c,
	};
	return s->src->host->emit(s->src, &ev);
}

/* A whole line: `len` bytes of it are at hand, `whole` it had without its line
 * feed, and `end` is behind the line feed with `at_hand` true bytes before it.
 * The position moves first: the cursor that goes with the event stands behind it.
 */
static int take_line(struct state *s, struct file *f, const char *line, size_t len, uint64_t whole,
		     const char *end, size_t at_hand)
{
	f->at.offset += whole + 1;
	f->over = 0;
	set_tail(&f->at, end, at_hand);
	if (whole <= s->options.max_line) {
		if (s->options.strip_cr && len && line[len - 1] == '\r')
			len--;
		return emit(s, f, line, len, 0, 0);
	}
	s->n_long++;
	if (s->options.on_long_line == LONG_SKIP)
		return follow_gap(s, f, "long_line", "a line longer than max_line was skipped");
	return emit(s, f, line, len < s->options.max_line ? len : s->options.max_line,
		    SLUICE_TRUNCATED, whole);
}

/* ---- what was read ------------------------------------------------------------------------ */

/* Keeps the start of a line that has not ended, within max_line. */
static void keep_part(struct state *s, struct file *f, const char *p, size_t n)
{
	if (n > s->options.max_line) {
		f->over += n - s->options.max_line;
		n = s->options.max_line;
	}
	if (!n) {
		free(f->part);
		f->part = NULL;
	} else {
		f->part = must(realloc(f->part, n));
		memcpy(f->part, p, n);
	}
	f->part_len = n;
}

/* With on_long_line: split, the pieces of a line go out as they come. */
static int split_part(struct state *s, struct file *f, const char **p, size_t *n)
{
	while (s->options.on_long_line == LONG_SPLIT && *n > s->options.max_line) {
		size_t piece = s->options.max_line;
		f->at.offset += piece;
		set_tail(&f->at, *p + piece, piece);
		int r = emit(s, f, *p, piece, SLUICE_PARTIAL, 0);
		if (r)
			return r;
		*p += piece;
		*n -= piece;
		s->n_long++;
	}
	return 0;
}

/* The buffer holds the part that was kept, then `n` new bytes. */
static int take_bytes(struct state *s, struct file *f, size_t n)
{
	const char *line = s->buffer, *scan = s->buffer + f->part_len;
	const char *end = scan + n, *lf;
	f->part_len = 0;
	while ((lf = memchr(scan, '\n', (size_t)(end - scan)))) {
		size_t len;
		int r = 0;
		if (f->over) {
			/* Only counted bytes lie between the kept part and these. */
			len = (size_t)(scan - line);
			r = take_line(s, f, line, len, len + f->over + (uint64_t)(lf - scan),
				      lf + 1, (size_t)(lf + 1 - scan));
		} else {
			len = (size_t)(lf - line);
			r = split_part(s, f, &line, &len);
			if (!r)
				r = take_line(s, f, line, len, len, lf + 1,
					      (size_t)(lf + 1 - line));
		}
		if (r)
			return r;
		line = scan = lf + 1;
	}
	size_t rest = (size_t)(end - line);
	int r = 0;
	if (f->over && line == s->buffer) {
		/* Still the same long line: only counted from here on. */
		size_t kept = (size_t)(scan - line);
		f->over += (uint64_t)(end - scan);
		rest = kept;
	} else {
		r = split_part(s, f, &line, &rest);
	}
	keep_part(s, f, line, rest);
	return r;
}

void follow_seek(struct file *f, uint64_t offset)
{
	free(f->part);
	f->part = NULL;
	f->part_len = 0;
	f->over = 0;
	if (offset != f->at.offset || !offset) {
		f->at = (struct position){.offset = offset, .mtime_ns = f->at.mtime_ns};
		position_grow_head(&f->at, f->fd, offset);
		size_t n = offset < TAIL_MAX ? (size_t)offset : TAIL_MAX;
		ssize_t got = pread(f->fd, f->at.tail, n, (off_t)(offset - n));
		f->at.tail_len = got == (ssize_t)n ? (uint8_t)n : 0;
	}
	memcpy(f->tail, f->at.tail, f->at.tail_len);
	f->tail_len = f->at.tail_len;
}

/* The file was emptied, or written anew: from the start, and say so. */
static int start_over(struct state *s, struct file *f, uint64_t size)
{
	char message[512];
	snprintf(message, sizeof(message),
		 "%s was truncated at %llu bytes (it has %llu now): lines written between the last "
		 "look "
		 "and the truncation are lost, if there were any",
		 f->path, (unsigned long long)read_offset(f), (unsigned long long)size);
	s->n_truncated++;
	follow_seek(f, 0);
	return follow_gap(s, f, "truncated", message);
}

int follow_read(struct state *s, struct file *f)
{
	for (int i = 0; i < READS_PER_ROUND; i++) {
		char before[TAIL_MAX];
		struct iovec iov[2] = {{before, f->tail_len}, {s->buffer + f->part_len, READ_SIZE}};
		if (f->part_len)
			memcpy(s->buffer, f->part, f->part_len);
		ssize_t n = preadv(f->fd, iov, 2, (off_t)(read_offset(f) - f->tail_len));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (may_complain(s, f->path))
				say(s, SLUICE_LOG_WARNING, "%s: %s; trying again", f->path,
				    strerror(errno));
			return 0;
		}
		if ((size_t)n < f->tail_len || memcmp(before, f->tail, f->tail_len) != 0) {
			struct stat st;
			int r = start_over(s, f, fstat(f->fd, &st) == 0 ? (uint64_t)st.st_size : 0);
			if (r)
				return r;
			continue;
		}
		size_t got = (size_t)n - f->tail_len;
		if (!got)
			return 0;
		/* What stands before the next read, kept before the bytes are used. */
		const char *end = s->buffer + f->part_len + got;
		size_t tail = got < TAIL_MAX ? got : TAIL_MAX;
		size_t keep = f->tail_len + tail > TAIL_MAX ? TAIL_MAX - tail : f->tail_len;
		memmove(f->tail, f->tail + (f->tail_len - keep), keep);
		memcpy(f->tail + keep, end - tail, tail);
		f->tail_len = keep + tail;
		s->n_bytes += got;
		f->quiet_since_ns = now_ns();
		position_grow_head(&f->at, f->fd, read_offset(f) + got);
		int r = take_bytes(s, f, got);
		if (r)
			return r;
		if (got < READ_SIZE)
			return 0;
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
		if (r <= 0 || read_offset(f) >= (uint64_t)st.st_size)
			return r < 0 ? r : 0;
	}
}

int follow_finish(struct state *s, struct file *f)
{
	int r = 0;
	char value[POSITION_VALUE_MAX];
	if (f->part_len) {
		uint64_t whole = f->part_len + f->over;
		f->at.offset += whole;
		set_tail(&f->at, f->part + f->part_len, f->part_len);
		if (f->over)
			f->at.tail_len = 0;
		r = emit(s, f, f->part, f->part_len,
			 SLUICE_PARTIAL | (f->over ? (uint32_t)SLUICE_TRUNCATED : 0), whole);
	}
	if (r)
		return r;
	free(f->part);
	f->part = NULL;
	f->part_len = 0;
	f->over = 0;
	struct stat st;
	if (fstat(f->fd, &st) == 0)
		file_note_time(f, &st);
	close(f->fd);
	f->fd = -1;
	f->is_done = f->at.is_done = true;
	struct sluice_cursor c = cursor_of(f, value);
	return s->src->host->commit(s->src, &c);
}

uint64_t follow_find_lines(int fd, uint64_t size, uint64_t n)
{
	char block[16384];
	uint64_t at = size, found = 0;
	while (at > 0) {
		size_t len = at < sizeof(block) ? (size_t)at : sizeof(block);
		at -= len;
		if (pread(fd, block, len, (off_t)at) != (ssize_t)len)
			return size;
		for (size_t i = len; i-- > 0;)
			/* The line feed at the very end ends the last line. */
			if (block[i] == '\n' && (!n || (at + i + 1 != size && ++found == n)))
				return at + i + 1;
	}
	return 0;
}

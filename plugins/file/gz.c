/* SPDX-License-Identifier: MIT
 *
 * A compressed file is finished: it is read once, to its end, and closed.
 * Positions count what it holds, not what it takes; so one that was followed
 * before it was compressed is known by its first bytes, and goes on behind the
 * last line that was read of it.
 */
#include "gz.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "emit.h"
#include "encoding.h"
#include "files.h"
#include "handle.h"
#include "holes.h"
#include "paths.h"
#include "unpack.h"

/* So long a program that compresses may take before it writes anything. */
#define EMPTY_NS (60 * 1000000000LL)

/* NULL with errno: EIO when it is damaged. */
static struct unpacked *open_name_at(const char *path, uint64_t offset)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct unpacked *gz = fd < 0 ? NULL : unpack_open(fd);
	if (gz && !unpack_skip(gz, offset)) {
		unpack_close(gz);
		gz = NULL;
		errno = EIO;
	}
	return gz;
}

/* Of what is open, whatever has its name by now. */
static struct unpacked *open_at(const struct file *f, uint64_t offset)
{
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", f->fd);
	struct unpacked *gz = open_name_at(link, offset);
	return gz ? gz : open_name_at(f->path, offset);
}

/* The first HEAD_MAX bytes, or -1 when it is damaged. */
static int read_head(struct unpacked *gz, char head[HEAD_MAX])
{
	int n = gz ? unpack_read(gz, head, HEAD_MAX) : -1;
	unpack_close(gz);
	return n;
}

/* Whether nothing has been written to it for so long. */
static bool is_quiet(const struct stat *st, int64_t for_ns)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t age = (now.tv_sec - st->st_mtim.tv_sec) * 1000000000LL +
		      (now.tv_nsec - st->st_mtim.tv_nsec);
	/* Compressing keeps the original's time, once it is over. */
	return age > for_ns || age < 0;
}

static bool is_settled(const struct file *f)
{
	struct stat st;
	return fstat(f->fd, &st) == 0 && is_quiet(&st, GZ_SETTLE_NS);
}

/* It holds nothing: an empty file was compressed, or nothing has been written to it yet. */
static int begin_empty(struct state *s, struct file *f)
{
	struct stat st;
	bool is_whole = fstat(f->fd, &st) == 0 && (st.st_size || is_quiet(&st, EMPTY_NS));
	return is_whole ? handle_finish(s, f) : 0;
}

static bool has_head(const struct position *p, const char *head, int n)
{
	return p->offset && p->head_len && p->head_len <= n && p->offset >= p->tail_len &&
	       position_hash(head, p->head_len) == p->head_hash;
}

/* Whether the tail of that position is there, in what was opened at its start; closes it. */
static bool has_tail(struct unpacked *gz, const struct position *p)
{
	char tail[TAIL_MAX];
	bool same = gz && unpack_read(gz, tail, p->tail_len) == p->tail_len &&
		    position_has_tail(p, tail);
	unpack_close(gz);
	return same;
}

bool gz_holds(const char *path, const struct position *p)
{
	char head[HEAD_MAX];
	int n = read_head(open_name_at(path, 0), head);
	return has_head(p, head, n) && has_tail(open_name_at(path, p->offset - p->tail_len), p);
}

bool gz_begins_like(const char *path, const struct file *f)
{
	char head[HEAD_MAX], have[HEAD_MAX];
	int n = read_head(open_name_at(path, 0), head);
	ssize_t m = pread(f->fd, have, sizeof(have), 0);
	ssize_t least = n < m ? n : m;
	return least > 0 && memcmp(head, have, (size_t)least) == 0;
}

bool gz_is_of_known(struct state *s, const char *path)
{
	char head[HEAD_MAX];
	int n = read_head(open_name_at(path, 0), head);
	for (const struct file *f = s->files; f; f = f->next)
		if (has_head(&f->at, head, n))
			return true;
	return false;
}

/* How much it holds, and its last bytes; 0 when it is damaged. */
static uint64_t measure(const struct file *f, char tail[TAIL_MAX], size_t *tail_len)
{
	char block[8192];
	struct unpacked *gz = open_at(f, 0);
	uint64_t len = 0;
	int n;
	*tail_len = 0;
	while (gz && (n = unpack_read(gz, block, sizeof(block))) > 0) {
		size_t new = (size_t)n < TAIL_MAX ? (size_t)n : TAIL_MAX;
		size_t keep = *tail_len + new > TAIL_MAX ? TAIL_MAX - new : *tail_len;
		memmove(tail, tail + (*tail_len - keep), keep);
		memcpy(tail + keep, block + n - new, new);
		*tail_len = keep + new;
		len += (uint64_t)n;
	}
	bool is_whole = gz && unpack_is_over(gz);
	unpack_close(gz);
	return is_whole ? len : 0;
}

/* Whether the file, which was written to when it had been compressed already, holds
 * all that the compressed one does.  Of one that is closed only its head is known.
 */
static bool covers(const struct file *o, const struct file *f, const char *head, int n)
{
	char have[HEAD_MAX], tail[TAIL_MAX], end[TAIL_MAX];
	size_t tail_len;
	if (o->fd < 0 && !has_head(&o->at, head, n))
		return false;
	if (o->fd >= 0 && (pread(o->fd, have, (size_t)n, 0) != n || memcmp(have, head, (size_t)n)))
		return false;
	uint64_t len = measure(f, tail, &tail_len);
	if (!len || o->fd < 0)
		return len && len < o->at.offset;
	return pread(o->fd, end, tail_len, (off_t)(len - tail_len)) == (ssize_t)tail_len &&
	       memcmp(end, tail, tail_len) == 0;
}

/* The file that was followed before it was compressed to this one, and how far;
 * NULL for none.  *is_covered: there is nothing in this one that is not in that one.
 */
static struct file *find_original(struct state *s, struct file *f, const char *head, int n,
				  uint64_t *best, bool *is_covered)
{
	struct file *ret = NULL;
	*best = 0;
	*is_covered = false;
	for (struct file *o = s->files; n > 0 && o; o = o->next) {
		if (o == f || (o->is_gz && o->fd >= 0))
			continue;
		const struct position *p = &o->at;
		if (p->offset > *best && has_head(p, head, n) &&
		    has_tail(open_at(f, p->offset - p->tail_len), p)) {
			*best = p->offset;
			ret = o;
		}
	}
	for (struct file *o = ret && ret->fd < 0 ? NULL : s->files; n > 0 && o; o = o->next) {
		if (o != f && !o->is_gz && covers(o, f, head, n)) {
			*is_covered = true;
			return o;
		}
	}
	return ret;
}

/* The original is done with; where this one goes on is committed with it. */
static int take_over(struct state *s, struct file *f, struct file *original, uint64_t at)
{
	handle_seek(f, at);
	if (!original)
		return 0;
	bool was_done = original->is_done && !original->is_missing;
	file_note_original(f, original);
	memcpy(f->at.emitted_to, original->at.emitted_to, sizeof(f->at.emitted_to));
	f->at.head_len = original->at.head_len;
	f->at.head_hash = original->at.head_hash;
	original->owes_gap = original->is_missing = false;
	original->is_done = original->at.is_done = true;
	int r = emit_cursor(s, f);
	return r || was_done ? r : emit_cursor(s, original);
}

/* All that it holds has been read, or will be, from another file. */
static int skip(struct state *s, struct file *f)
{
	char tail[TAIL_MAX];
	size_t tail_len;
	handle_seek(f, measure(f, tail, &tail_len));
	position_set_tail(&f->at, tail, tail_len);
	return handle_finish(s, f);
}

/* Opens it to be read from there: NULL with 0 in *r when that is tried again, -EIO when it is
 * damaged.
 */
static struct unpacked *try_to_open(struct state *s, struct file *f, uint64_t offset, int *r)
{
	struct unpacked *gz = open_at(f, offset);
	*r = 0;
	if (!gz && is_shortage(errno))
		handle_refused(s, f->path, errno);
	else if (!gz)
		*r = -EIO;
	return gz;
}

/* 1, 0 when there is nothing to be read of it (yet), -EIO when it is damaged. */
static int begin(struct state *s, struct file *f)
{
	char head[HEAD_MAX];
	int r;
	struct unpacked *first = try_to_open(s, f, 0, &r);
	if (!first)
		return r;
	int n = read_head(first, head);
	if (n < 0)
		return -EIO;
	if (n == 0)
		return begin_empty(s, f);
	encoding_begin_whole(s, f, head, (size_t)n);
	if (!read_offset(f)) {
		uint64_t at;
		bool is_covered;
		struct file *original = find_original(s, f, head, n, &at, &is_covered);
		if (is_covered)
			return skip(s, f);
		/* What it holds back still is emitted when it is closed. */
		if (original && original->fd >= 0)
			return 0;
		r = take_over(s, f, original, at);
		if (r)
			return r;
	}
	f->at.head_len = (uint16_t)n;
	f->at.head_hash = position_hash(head, (size_t)n);
	f->gz = try_to_open(s, f, read_offset(f), &r);
	return f->gz ? 1 : r;
}

static int give_up(struct state *s, struct file *f)
{
	if (complaint_begins(&s->complaints, f->path))
		say(s->src, SLUICE_LOG_WARNING,
		    "%s is damaged: the rest of it is not read (check it with gzip -t, zstd -t or "
		    "xz -t)",
		    f->path);
	int r = emit_gap(s, f, "damaged", "a compressed file is damaged: not all of it was read");
	return r ? r : handle_finish(s, f);
}

/* As gz_holds(), of what is open: its name can be another file's by now. */
static bool is_held_by_open(const struct file *f, const struct position *p)
{
	char head[HEAD_MAX];
	int n = read_head(open_at(f, 0), head);
	return has_head(p, head, n) && has_tail(open_at(f, p->offset - p->tail_len), p);
}

int gz_reopen(struct state *s, struct file *f)
{
	struct stat st;
	if (!f->at.offset || !is_held_by_open(f, &f->at) || fstat(f->fd, &st) < 0)
		return file_forget(s, f); /* another one: found anew by the next look */
	file_end_gz(f);
	file_note_time(f, &st);
	f->is_done = f->at.is_done = false;
	f->vanished_ns = 0;
	handle_seek(f, f->at.offset);
	return 0;
}

int gz_read(struct state *s, struct file *f)
{
	if (!f->gz) {
		int r = is_settled(f) ? begin(s, f) : 0;
		if (r <= 0)
			return r == -EIO ? give_up(s, f) : r;
	}
	for (size_t done = 0; done < s->options.read_budget; done += READ_SIZE) {
		/* Whole characters, as all that comes before the end. */
		int n = unpack_read(f->gz, s->buffer + f->part_len, READ_SIZE);
		if (n < 0)
			return give_up(s, f);
		if (n == 0) {
			s->n_nuls += f->nuls;
			return handle_finish(s, f);
		}
		s->n_bytes += (size_t)n;
		f->quiet_since_ns = mono_ns();
		int r = hole_take(s, f, (size_t)n);
		if (r)
			return r;
	}
	return 1;
}

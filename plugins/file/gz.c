/* SPDX-License-Identifier: MIT
 *
 * A compressed file is finished: it is read once, to its end, and closed.
 * Positions count what it holds, not what it takes; so one that was followed
 * before it was compressed is known by its first bytes, and goes on behind the
 * last line that was read of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "file.h"

/* gzip(1) writes it while the original is still there. */
#define SETTLE_NS 2000000000LL

bool gz_is_named(const char *path)
{
	size_t n = strlen(path);
	return n > 3 && strcmp(path + n - 3, ".gz") == 0;
}

void gz_close(struct file *f)
{
	if (f->gz)
		gzclose_r(f->gz);
	f->gz = NULL;
}

static gzFile open_at(const struct file *f, uint64_t offset)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	gzFile gz = fd < 0 ? NULL : gzdopen(fd, "rb");
	if (!gz) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	/* Of a damaged file, what lies in the same buffer before the damage is lost. */
	gzbuffer(gz, 16 * 1024);
	if (offset && gzseek(gz, (z_off_t)offset, SEEK_SET) != (z_off_t)offset) {
		gzclose_r(gz);
		return NULL;
	}
	return gz;
}

static bool is_settled(const struct file *f)
{
	struct timespec now;
	struct stat st;
	clock_gettime(CLOCK_REALTIME, &now);
	if (fstat(f->fd, &st) < 0)
		return false;
	int64_t age = (now.tv_sec - st.st_mtim.tv_sec) * 1000000000LL +
		      (now.tv_nsec - st.st_mtim.tv_nsec);
	/* Compressing keeps the original's time, once it is over. */
	return age > SETTLE_NS || age < 0;
}

/* Where a file that has been read stands in this one, if they begin alike. */
static uint64_t place_of(const struct file *other, const struct file *f, const char *head, size_t n)
{
	const struct position *p = &other->at;
	char tail[TAIL_MAX];
	if (!p->offset || !p->head_len || p->head_len > n || p->offset < p->tail_len ||
	    position_hash(head, p->head_len) != p->head_hash)
		return 0;
	gzFile gz = open_at(f, p->offset - p->tail_len);
	bool same =
		gz && gzread(gz, tail, p->tail_len) == p->tail_len && position_has_tail(p, tail);
	if (gz)
		gzclose_r(gz);
	return same ? p->offset : 0;
}

/* The file that was followed before it was compressed to this one, and how far;
 * NULL for none.
 */
static struct file *find_original(struct state *s, struct file *f, uint64_t *best)
{
	char head[HEAD_MAX];
	struct file *ret = NULL;
	*best = 0;
	gzFile gz = open_at(f, 0);
	int n = gz ? gzread(gz, head, sizeof(head)) : -1;
	if (gz)
		gzclose_r(gz);
	for (struct file *o = s->files; n > 0 && o; o = o->next) {
		uint64_t at = o == f ? 0 : place_of(o, f, head, (size_t)n);
		if (at > *best) {
			*best = at;
			ret = o;
		}
	}
	return ret;
}

/* 1, 0 when there is nothing in it yet, -EIO when it is damaged. */
static int begin(struct state *s, struct file *f)
{
	char head[HEAD_MAX];
	gzFile gz = open_at(f, 0);
	int n = gz ? gzread(gz, head, sizeof(head)) : -1;
	if (gz)
		gzclose_r(gz);
	if (n < 0)
		return -EIO;
	if (n == 0 || (!f->unit && !encoding_begin(s, f, head, (size_t)n)))
		return 0;
	if (!read_offset(f)) {
		uint64_t at;
		struct file *original = find_original(s, f, &at);
		/* What it holds back still is emitted when it is closed. */
		if (original && original->fd >= 0) {
			int r = original->is_rotated ? 0 : follow_finish(s, f);
			return r; /* a copy of one that is followed itself is left out */
		}
		if (original)
			original->owes_gap = false;
		follow_seek(f, at);
	}
	f->at.head_len = (uint16_t)n;
	f->at.head_hash = position_hash(head, (size_t)n);
	f->gz = open_at(f, read_offset(f));
	return f->gz ? 1 : -EIO;
}

static int give_up(struct state *s, struct file *f)
{
	if (may_complain(s, f->path))
		say(s, SLUICE_LOG_WARNING,
		    "%s is damaged; what follows in it is left out (see gzip -t)", f->path);
	int r = emit_gap(s, f, "damaged", "a compressed file is damaged: not all of it was read");
	return r ? r : follow_finish(s, f);
}

int gz_read(struct state *s, struct file *f)
{
	if (!f->gz) {
		int r = is_settled(f) ? begin(s, f) : 0;
		if (r <= 0)
			return r ? give_up(s, f) : 0;
	}
	for (size_t done = 0; done < s->options.read_budget; done += READ_SIZE) {
		if (f->part_len)
			memcpy(s->buffer, f->part, f->part_len);
		int n = gzread(f->gz, s->buffer + f->part_len, READ_SIZE);
		if (n < 0)
			return give_up(s, f);
		if (n == 0)
			return follow_finish(s, f);
		s->n_bytes += (size_t)n;
		f->quiet_since_ns = mono_ns();
		int r = lines_take(s, f, (size_t)n);
		if (r)
			return r;
	}
	return 1;
}

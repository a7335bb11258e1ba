/* SPDX-License-Identifier: MIT */
#include "journal/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fd.h"
#include "base/mem.h"

static const char segment_magic[8] = "SLUICEJ";
static const uint32_t batch_magic = 0x42a7c15bu;

enum {
	WINDOW = 256 * 1024,
	MARK_EVERY = 64 * 1024,
	CRC_FROM = 8, /* magic and crc themselves are not covered */
};

static void put_header(char h[SEGMENT_HEADER], const struct segment *s)
{
	memset(h, 0, SEGMENT_HEADER);
	memcpy(h, segment_magic, 8);
	put_u32(h + 8, SEGMENT_VERSION);
	memcpy(h + 16, s->epoch, strlen(s->epoch));
	put_u64(h + 32, s->first);
	put_u64(h + 40, s->floor);
	put_u64(h + 48, s->ordinal);
	put_u64(h + 56, (uint64_t)(clock_wall_ns() / NS_PER_MS));
	put_u32(h + 12, crc32c(0, h + 16, SEGMENT_HEADER - 16));
}

static struct segment *new_segment(const char *dir, const char *epoch, event_id first,
				   event_id floor, uint64_t ordinal)
{
	struct segment *s = mem_zero(sizeof(*s));
	s->refs = 1;
	s->fd = -1;
	memcpy(s->epoch, epoch, strnlen(epoch, EPOCH_MAX));
	s->first = first;
	s->floor = s->last = floor;
	s->ordinal = ordinal;
	s->size = SEGMENT_HEADER;
	s->written_ms = clock_wall_ns() / NS_PER_MS;
	if (dir)
		s->path = mem_printf("%s/%016llx.seg", dir, (unsigned long long)first);
	return s;
}

static int write_header(struct segment *s)
{
	char h[SEGMENT_HEADER];
	put_header(h, s);
	ssize_t w = pwrite(s->fd, h, sizeof(h), 0);
	return w < 0 ? -errno : w != sizeof(h) ? -ENOSPC : 0;
}

static int set_space_aside(int fd, uint64_t size)
{
	if (size && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 && errno == ENOSPC)
		return -ENOSPC;
	return 0; /* where a file system cannot do that, it is done without */
}

int segment_create(const char *dir, const char *epoch, event_id first, event_id floor,
		   uint64_t ordinal, uint64_t prealloc, struct segment **ret)
{
	struct segment *s = new_segment(dir, epoch, first, floor, ordinal);
	s->fd = dir ? open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640)
		    : memfd_create("sluice-journal", MFD_CLOEXEC);
	int r = s->fd < 0 ? -errno : 0;
	/* Space is set aside now, so that a full disk is found here. */
	if (!r && dir)
		r = set_space_aside(s->fd, prealloc);
	if (!r)
		r = write_header(s);
	if (r) {
		if (s->path && s->fd >= 0)
			unlink(s->path);
		segment_unref(s);
		return r;
	}
	*ret = s;
	return 0;
}

int segment_set_aside(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int r = set_space_aside(fd, size);
	if (r)
		unlink(path);
	close(fd);
	return r;
}

int segment_create_at(const char *reserve, const char *dir, const char *epoch, event_id first,
		      event_id floor, uint64_t ordinal, struct segment **ret)
{
	struct segment *s = new_segment(dir, epoch, first, floor, ordinal);
	s->fd = open(reserve, O_RDWR | O_CLOEXEC);
	int r = s->fd < 0 ? -errno : write_header(s);
	if (r) {
		segment_unref(s);
		s = NULL;
	}
	*ret = s;
	return r;
}

int segment_create_from(const char *reserve, const char *dir, const char *epoch, event_id first,
			event_id floor, uint64_t ordinal, struct segment **ret)
{
	int r = segment_create_at(reserve, dir, epoch, first, floor, ordinal, ret);
	if (!r && link(reserve, (*ret)->path) < 0) { /* never over a file that is there */
		r = -errno;
		segment_unref(*ret);
	}
	unlink(reserve);
	return r;
}

int segment_open(const char *path, bool writable, struct segment **ret)
{
	int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	char h[SEGMENT_HEADER];
	off_t size = lseek(fd, 0, SEEK_END);
	int r = 0;
	if (pread(fd, h, sizeof(h), 0) != sizeof(h) || memcmp(h, segment_magic, 8) != 0)
		r = -EBADMSG;
	else if (get_u32(h + 8) > SEGMENT_VERSION)
		r = -EPROTO;
	else if (get_u32(h + 12) != crc32c(0, h + 16, SEGMENT_HEADER - 16))
		r = -EBADMSG;
	if (r) {
		close(fd);
		return r;
	}
	struct segment *s = mem_zero(sizeof(*s));
	s->refs = 1;
	s->fd = fd;
	s->path = mem_strdup(path);
	memcpy(s->epoch, h + 16, EPOCH_MAX);
	s->first = get_u64(h + 32);
	s->floor = s->last = get_u64(h + 40);
	s->ordinal = get_u64(h + 48);
	s->written_ms = (int64_t)get_u64(h + 56);
	s->size = (uint64_t)size;
	*ret = s;
	return 0;
}

struct segment *segment_ref(struct segment *s)
{
	s->refs++;
	return s;
}

void segment_unref(struct segment *s)
{
	if (!s || --s->refs)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s->marks);
	free(s);
}

void segment_note(struct segment *s, const struct batch *b)
{
	if (!s->n_marks || b->offset - s->marks[s->n_marks - 1].offset >= MARK_EVERY) {
		if ((s->n_marks & (s->n_marks - 1)) == 0)
			s->marks = mem_resize(s->marks,
					      MAX(s->n_marks * 2, (size_t)1) * sizeof(s->marks[0]));
		s->marks[s->n_marks++] =
			(struct segment_mark){b->first, b->offset, s->ordinal + s->n_events};
	}
	s->n_events += b->n_events;
	s->last = b->last;
	s->written_ms = (int64_t)id_ms(b->last);
}

int segment_append(struct segment *s, struct buf *b, event_id first, event_id last,
		   uint32_t n_events)
{
	char *h = b->data;
	put_u32(h, batch_magic);
	put_u32(h + 8, (uint32_t)(b->len - BATCH_HEADER));
	put_u32(h + 12, n_events);
	put_u64(h + 16, first);
	put_u64(h + 24, last);
	put_u32(h + 4, crc32c(0, h + CRC_FROM, b->len - CRC_FROM));
	size_t done = 0;
	while (done < b->len) {
		ssize_t w = pwrite(s->fd, h + done, b->len - done, (off_t)(s->size + done));
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			int r = w < 0 ? -errno : -ENOSPC;
			if (ftruncate(s->fd, (off_t)s->size) < 0)
				return -errno;
			return r;
		}
		done += (size_t)w;
	}
	struct batch noted = {first, last, n_events, s->size, {NULL, 0}};
	segment_note(s, &noted);
	s->size += b->len;
	return 0;
}

uint64_t segment_seek(const struct segment *s, event_id after)
{
	size_t lo = 0, hi = s->n_marks;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (s->marks[mid].first <= after)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? s->marks[lo - 1].offset : SEGMENT_HEADER;
}

/* ---- reading ----------------------------------------------------------------- */

void batch_reader_init(struct batch_reader *r, int fd, uint64_t offset, uint64_t limit)
{
	*r = (struct batch_reader){.fd = fd, .offset = offset, .limit = limit};
}

void batch_reader_fini(struct batch_reader *r)
{
	buf_fini(&r->window);
}

/* `n` bytes of the file at `at`, from the window where they are in it: 1, 0
 * beyond the limit, or a negative errno.
 */
static int fetch(struct batch_reader *r, uint64_t at, size_t n, const char **ret)
{
	if (at > r->limit || r->limit - at < n)
		return 0;
	if (at < r->window_at || at + n > r->window_at + r->window.len) {
		size_t want = (size_t)MIN(MAX((uint64_t)n, (uint64_t)WINDOW), r->limit - at);
		r->window.len = 0;
		buf_reserve(&r->window, want);
		r->window_at = at;
		while (r->window.len < want) {
			ssize_t got = pread(r->fd, r->window.data + r->window.len,
					    want - r->window.len, (off_t)(at + r->window.len));
			if (got < 0 && errno == EINTR)
				continue;
			if (got < 0)
				return -errno;
			if (!got)
				break;
			r->window.len += (size_t)got;
		}
		if (r->window.len < n)
			return 0;
	}
	*ret = r->window.data + (at - r->window_at);
	return 1;
}

int batch_next(struct batch_reader *r, struct batch *ret)
{
	if (r->offset >= r->limit)
		return 0;
	const char *h;
	int got = fetch(r, r->offset, BATCH_HEADER, &h);
	if (got <= 0)
		return got < 0 ? got : -EBADMSG;
	uint32_t len = get_u32(h + 8);
	if (get_u32(h) != batch_magic || len > BATCH_MAX)
		return -EBADMSG;
	got = fetch(r, r->offset, BATCH_HEADER + (size_t)len, &h);
	if (got <= 0)
		return got < 0 ? got : -EBADMSG;
	if (get_u32(h + 4) != crc32c(0, h + CRC_FROM, BATCH_HEADER - CRC_FROM + (size_t)len))
		return -EBADMSG;
	ret->n_events = get_u32(h + 12);
	ret->first = get_u64(h + 16);
	ret->last = get_u64(h + 24);
	ret->offset = r->offset;
	ret->records = (struct str){h + BATCH_HEADER, len};
	r->offset += BATCH_HEADER + (uint64_t)len;
	return 1;
}

int batch_resync(struct batch_reader *r)
{
	char magic[4];
	put_u32(magic, batch_magic);
	for (uint64_t at = r->offset + 1; at < r->limit;) {
		const char *p;
		size_t n = (size_t)MIN((uint64_t)WINDOW, r->limit - at);
		if (fetch(r, at, n, &p) <= 0)
			return 0;
		const char *hit = memmem(p, n, magic, sizeof(magic));
		if (!hit) {
			at += n > 3 ? n - 3 : n;
			if (n <= 3)
				return 0;
			continue;
		}
		at += (uint64_t)(hit - p);
		struct batch b;
		uint64_t before = r->offset;
		r->offset = at;
		int good = batch_next(r, &b);
		r->offset = good == 1 ? at : before;
		if (good == 1)
			return 1;
		at++;
	}
	return 0;
}

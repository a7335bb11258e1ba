/* SPDX-License-Identifier: MIT */
#include "journal/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fd.h"
#include "base/mem.h"

static const char segment_magic[8] = "SLUICEJ";

enum {
	WINDOW = 256 * 1024,
	MARK_EVERY = 64 * 1024,
	HEADER_COPY = 64,
};

static void add_mark(struct segment *s, const struct segment_mark *m)
{
	if ((s->n_marks & (s->n_marks - 1)) == 0)
		s->marks =
			mem_resize(s->marks, MAX(s->n_marks * 2, (size_t)1) * sizeof(s->marks[0]));
	s->marks[s->n_marks++] = *m;
}

/* Covers the magic, the version, and everything after the checksum: no part of a header
 * is used unchecked.  Every later version keeps these 64 bytes.
 */
static uint32_t header_crc(const char *h)
{
	return crc32c(crc32c(0, h, 12), h + 16, HEADER_COPY - 16);
}

static void put_header(char h[HEADER_COPY], const struct segment *s, uint32_t version,
		       int64_t created_ms)
{
	memset(h, 0, HEADER_COPY);
	memcpy(h, segment_magic, 8);
	put_u32(h + 8, version);
	memcpy(h + 16, s->epoch, strlen(s->epoch));
	put_u64(h + 32, s->first);
	put_u64(h + 40, s->before);
	put_u64(h + 48, s->ordinal);
	put_u64(h + 56, (uint64_t)created_ms);
	put_u32(h + 12, header_crc(h));
}

int segment_write_header(const struct segment *s, int fd, uint32_t version)
{
	char h[SEGMENT_HEADER];
	put_header(h, s, version, s->written_ms);
	memcpy(h + HEADER_COPY, h, HEADER_COPY);
	ssize_t w = pwrite(fd, h, sizeof(h), 0);
	return w < 0 ? -errno : w != sizeof(h) ? -ENOSPC : 0;
}

static struct segment *new_segment(const char *dir, const char *epoch, event_id first,
				   event_id before, uint64_t ordinal)
{
	struct segment *s = mem_zero(sizeof(*s));
	s->refs = 1;
	s->fd = -1;
	s->version = SEGMENT_VERSION;
	memcpy(s->epoch, epoch, strnlen(epoch, EPOCH_MAX));
	s->first = first;
	s->before = s->last = before;
	s->ordinal = ordinal;
	s->size = s->allocated = SEGMENT_HEADER;
	s->written_ms = clock_wall_ns() / NS_PER_MS;
	if (dir)
		s->path = mem_printf("%s/%016llx.seg", dir, (unsigned long long)first);
	return s;
}

int segment_create(const char *dir, const char *at, const char *epoch, event_id first,
		   event_id before, uint64_t ordinal, struct segment **ret)
{
	struct segment *s = new_segment(dir, epoch, first, before, ordinal);
	const char *path = at ? at : s->path;
	s->fd = dir ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640)
		    : memfd_create("sluice-journal", MFD_CLOEXEC);
	int r = s->fd < 0 ? -errno : segment_write_header(s, s->fd, SEGMENT_VERSION);
	if (r) {
		if (path && s->fd >= 0)
			unlink(path);
		segment_unref(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* Takes one copy of a header over: 0, -EBADMSG, or -EPROTO for a newer version. */
static int take_header(const char *h, bool is_first, struct segment *s)
{
	uint32_t crc = get_u32(h + 12);
	if (memcmp(h, segment_magic, 8) != 0)
		return -EBADMSG;
	s->version = get_u32(h + 8);
	bool is_old = is_first && s->version == 1 && crc == crc32c(0, h + 16, HEADER_COPY - 16);
	if (!is_old && crc != header_crc(h))
		return -EBADMSG;
	if (s->version > SEALED_VERSION)
		return -EPROTO;
	memcpy(s->epoch, h + 16, EPOCH_MAX);
	s->first = get_u64(h + 32);
	s->before = s->last = get_u64(h + 40);
	s->ordinal = get_u64(h + 48);
	s->written_ms = (int64_t)get_u64(h + 56);
	return 0;
}

static int read_header(struct segment *s, bool writable)
{
	char h[SEGMENT_HEADER] = "";
	ssize_t n = pread(s->fd, h, sizeof(h), 0);
	if (n < 0)
		return -errno;
	int first = n < HEADER_COPY ? -EBADMSG : take_header(h, true, s);
	if (first != -EBADMSG && (first || s->version == 1))
		return first;
	int second = n < SEGMENT_HEADER ? -EBADMSG : take_header(h + HEADER_COPY, false, s);
	if (!first && !second)
		return 0;
	if (first && second)
		return second;
	const char *good = h + (first ? HEADER_COPY : 0);
	int r = take_header(good, !first, s);
	if (!r && writable && pwrite(s->fd, good, HEADER_COPY, first ? 0 : HEADER_COPY) < 0)
		return 0; /* the copy serves as well, and the next start tries again */
	return r;
}

/* What the directory says of it; without one, its batches have to be read. */
static int open_sealed(struct segment *s)
{
	s->version = SEGMENT_VERSION;
	int r = sealed_open(s->fd, SEGMENT_HEADER, &s->sealed);
	if (r)
		return r;
	const struct sealed *z = s->sealed;
	s->size = s->allocated = z->text_end;
	for (size_t i = 0; i < z->n && !z->is_rebuilt; i++)
		if (z->blocks[i].holds.first)
			add_mark(s, &(struct segment_mark){z->blocks[i].holds.first,
							   z->blocks[i].place,
							   z->blocks[i].holds.ordinal});
	if (z->is_rebuilt)
		return 0;
	s->n_events = z->n_events;
	s->last = MAX(s->before, z->last);
	s->begun_ms = z->begun_ms;
	s->written_ms = (int64_t)id_ms(s->last);
	return 0;
}

int segment_open(const char *path, bool writable, struct segment **ret)
{
	int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	struct segment *s = mem_zero(sizeof(*s));
	struct stat st;
	s->refs = 1;
	s->fd = fd;
	int r = read_header(s, writable);
	if (!r && fstat(fd, &st) < 0) /* with the header that was restored */
		r = -errno;
	if (r) {
		segment_unref(s);
		return r;
	}
	s->path = mem_strdup(path);
	s->size = s->allocated = MAX((uint64_t)st.st_size, segment_start(s));
	if (s->version >= SEALED_VERSION_MIN && (r = open_sealed(s))) {
		segment_unref(s);
		return r;
	}
	*ret = s;
	return 0;
}

uint64_t segment_bytes(const struct segment *s)
{
	return s->sealed ? s->sealed->file_size : s->size;
}

uint64_t segment_start(const struct segment *s)
{
	return s->version == 1 ? HEADER_COPY : SEGMENT_HEADER;
}

int segment_allocate(struct segment *s, uint64_t ahead)
{
	uint64_t end = s->size + ahead;
	if (!s->path || end <= s->allocated)
		return 0;
	if (fallocate(s->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)end) < 0 && errno == ENOSPC)
		return -ENOSPC;
	s->allocated = end;
	return 0;
}

void segment_give_back(struct segment *s)
{
	if (!s->path || s->allocated <= s->size)
		return;
	/* tmpfs frees what lies behind the end with the first, ext4 with the second. */
	if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)s->size,
		      (off_t)(s->allocated - s->size)) < 0 &&
	    errno != EOPNOTSUPP)
		return;
	if (ftruncate(s->fd, (off_t)s->size) == 0)
		s->allocated = s->size;
}

bool segment_is_removed(const struct segment *s)
{
	struct stat ours, named;
	return s->path && fstat(s->fd, &ours) == 0 &&
	       (stat(s->path, &named) < 0
			? errno == ENOENT || errno == ENOTDIR
			: named.st_ino != ours.st_ino || named.st_dev != ours.st_dev);
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
	sealed_free(s->sealed);
	free(s);
}

void segment_note(struct segment *s, const struct batch *b)
{
	if (!s->n_marks || b->offset - s->marks[s->n_marks - 1].offset >= MARK_EVERY)
		add_mark(s, &(struct segment_mark){b->first, b->offset,
						   b->ordinal == ORDINAL_UNKNOWN
							   ? s->ordinal + s->n_events
							   : b->ordinal});
	if (b->ordinal == ORDINAL_UNKNOWN)
		s->n_events += b->n_events;
	else if (b->ordinal + b->n_events > s->ordinal + s->n_events)
		s->n_events = b->ordinal + b->n_events - s->ordinal;
	s->last = MAX(s->last, b->last);
	s->written_ms = (int64_t)id_ms(b->last);
	if (!s->begun_ms && b->n_events)
		s->begun_ms = (int64_t)id_ms(b->first);
}

int segment_append(struct segment *s, struct buf *b, event_id first, event_id last,
		   uint32_t n_events, int64_t now_ms)
{
	char *h = b->data;
	uint64_t ordinal = s->ordinal + s->n_events;
	put_u32(h, BATCH_MAGIC);
	put_u32(h + BATCH_SIZE_AT, (uint32_t)(b->len - BATCH_HEADER));
	put_u32(h + BATCH_EVENTS_AT, n_events);
	put_u64(h + BATCH_FIRST_AT, first);
	put_u64(h + BATCH_LAST_AT, last);
	put_u64(h + BATCH_ORDINAL_AT, ordinal);
	put_u32(h + BATCH_CRC_AT, crc32c(0, h + BATCH_CRC_FROM, b->len - BATCH_CRC_FROM));
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
	bool begins = !s->begun_ms && n_events;
	segment_note(s, &(struct batch){.first = first,
					.last = last,
					.n_events = n_events,
					.ordinal = ordinal,
					.offset = s->size});
	s->size += b->len;
	s->allocated = MAX(s->allocated, s->size);
	s->written_ms = now_ms;
	if (begins)
		s->begun_ms = now_ms;
	return 0;
}

uint64_t segment_seek(const struct segment *s, event_id after, uint64_t *ordinal)
{
	size_t lo = 0, hi = s->n_marks;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (s->marks[mid].first <= after)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ordinal = lo ? s->marks[lo - 1].ordinal : s->ordinal;
	return lo ? s->marks[lo - 1].offset : segment_start(s);
}

/* ---- reading ----------------------------------------------------------------- */

void batch_reader_init(struct batch_reader *r, const struct segment *s, uint64_t offset,
		       uint64_t limit)
{
	*r = (struct batch_reader){.fd = s->fd,
				   .sealed = s->sealed,
				   .header = s->version == 1 ? BATCH_HEADER_1 : BATCH_HEADER,
				   .offset = offset,
				   .limit = limit};
}

void batch_reader_again(struct batch_reader *r, const struct segment *s, uint64_t offset,
			uint64_t limit)
{
	struct buf window = r->window;
	struct unpacker unpacker = r->unpacker;
	batch_reader_init(r, s, offset, limit);
	r->unpacker = unpacker;
	r->window = window;
	r->window.len = 0;
}

void batch_reader_fini(struct batch_reader *r)
{
	buf_fini(&r->window);
	unpacker_fini(&r->unpacker);
}

static int fill_from_file(struct batch_reader *r, uint64_t at, size_t n)
{
	size_t want = (size_t)MIN(MAX((uint64_t)n, (uint64_t)WINDOW), r->limit - at);
	r->window.len = 0;
	r->is_sound = false;
	buf_reserve(&r->window, want);
	r->window_at = at;
	while (r->window.len < want) {
		ssize_t got = pread(r->fd, r->window.data + r->window.len, want - r->window.len,
				    (off_t)(at + r->window.len));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		r->window.len += (size_t)got;
	}
	return 0;
}

/* Unpacks the blocks that contain these bytes (one, for a batch). */
static int fill_from_blocks(struct batch_reader *r, uint64_t at, size_t n)
{
	const struct sealed *z = r->sealed;
	size_t i = sealed_find(z, at);
	r->window.len = 0;
	if (i == z->n)
		return 0;
	r->window_at = z->blocks[i].place;
	r->is_sound = true;
	while (i < z->n && r->window_at + r->window.len < at + n) {
		r->is_sound &= sealed_is_sound(z, i);
		int err = sealed_read(z, r->fd, i++, &r->unpacker, &r->window);
		if (err)
			return err;
	}
	return 0;
}

/* `n` bytes of the file at `at`, from the window where they are in it: 1, 0
 * beyond the limit, or a negative errno.
 */
static int fetch(struct batch_reader *r, uint64_t at, size_t n, const char **ret)
{
	if (at > r->limit || r->limit - at < n)
		return 0;
	if (at < r->window_at || at + n > r->window_at + r->window.len) {
		int err = r->sealed ? fill_from_blocks(r, at, n) : fill_from_file(r, at, n);
		if (err) {
			r->window.len = 0;
			return err;
		}
		if (at < r->window_at || r->window_at + r->window.len < at + n)
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
	int got = fetch(r, r->offset, r->header, &h);
	if (got <= 0)
		return got < 0 ? got : -EBADMSG;
	uint32_t len = get_u32(h + BATCH_SIZE_AT);
	if (get_u32(h) != BATCH_MAGIC || len > BATCH_MAX)
		return -EBADMSG;
	got = fetch(r, r->offset, r->header + (size_t)len, &h);
	if (got <= 0)
		return got < 0 ? got : -EBADMSG;
	if (!r->is_sound &&
	    get_u32(h + BATCH_CRC_AT) !=
		    crc32c(0, h + BATCH_CRC_FROM, r->header - BATCH_CRC_FROM + (size_t)len))
		return -EBADMSG;
	ret->n_events = get_u32(h + BATCH_EVENTS_AT);
	ret->first = get_u64(h + BATCH_FIRST_AT);
	ret->last = get_u64(h + BATCH_LAST_AT);
	ret->ordinal = r->header == BATCH_HEADER ? get_u64(h + BATCH_ORDINAL_AT) : ORDINAL_UNKNOWN;
	ret->offset = r->offset;
	ret->records = (struct str){h + r->header, len};
	r->offset += r->header + (uint64_t)len;
	return 1;
}

int batch_reader_text(struct batch_reader *r, uint64_t begin, uint64_t end, struct str *ret)
{
	const char *p = NULL;
	int got = fetch(r, begin, (size_t)(end - begin), &p);
	*ret = (struct str){p, (size_t)(end - begin)};
	return got == 1 ? 0 : got < 0 ? got : -EBADMSG;
}

/* Whether a whole batch stands at `at`; if so, it is the next. */
static bool is_batch(struct batch_reader *r, uint64_t at)
{
	struct batch b;
	uint64_t before = r->offset;
	r->offset = at;
	bool is = batch_next(r, &b) == 1;
	r->offset = is ? at : before;
	return is;
}

/* Looks for a batch that begins in [at, end); it may end behind `end`. */
static bool find_batch(struct batch_reader *r, uint64_t at, uint64_t end)
{
	char magic[4];
	const char *p;
	put_u32(magic, BATCH_MAGIC);
	while (at < end && fetch(r, at, (size_t)(end - at), &p) == 1) {
		const char *hit = memmem(p, (size_t)(end - at), magic, sizeof(magic));
		if (!hit)
			return false;
		at += (uint64_t)(hit - p);
		if (is_batch(r, at))
			return true;
		at++;
	}
	return false;
}

/* Where one step of the search ends.  In a sealed segment that is the end of the block, so that an
 * unreadable block does not hide the ones after it.
 */
static uint64_t stretch_end(const struct batch_reader *r, uint64_t at)
{
	uint64_t end = at + WINDOW;
	if (r->sealed) {
		size_t i = sealed_find(r->sealed, at);
		end = i < r->sealed->n ? r->sealed->blocks[i].place + r->sealed->blocks[i].text_size
				       : r->limit;
	}
	return MIN(end, r->limit);
}

int batch_resync(struct batch_reader *r)
{
	for (uint64_t at = r->offset + 1; at < r->limit;) {
		uint64_t end = stretch_end(r, at);
		if (find_batch(r, at, end))
			return 1;
		/* A magic may lie across two stretches. */
		at = r->sealed || end == r->limit ? end : MAX(end - 3, at + 1);
	}
	return 0;
}

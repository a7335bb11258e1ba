/* SPDX-License-Identifier: MIT */
#include "journal/sealed.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "journal/columns.h"
#include "journal/delta.h"

static const char footer_magic[8] = "SLUICEZ";
static const uint32_t block_magic = 0x5ea1b10cu;

enum {
	BLOCK_HEADER = 40,
	ENTRY = 112,
	ENTRY_MIN = 96, /* without counts */
	ENTRY_MAX = 4096,
	FOOTER = 72,
	LEVEL = 3,
	TEXT_MAX = 512 * 1024 * 1024, /* of a block; more is corruption */
	DIRECTORY_MAX = 1024 * 1024 * 1024,
	FIND_WINDOW = 256 * 1024,
};

/* Flags of a block: a reader refuses those that it does not know. */
enum { DELTA = 1, COLUMNS = 2, FLAGS = DELTA | COLUMNS };

/* ---- files ------------------------------------------------------------------------------- */

/* 0, -EBADMSG when the file ends before, or another negative errno. */
static int read_at(int fd, uint64_t at, char *p, size_t n)
{
	while (n) {
		ssize_t got = pread(fd, p, n, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EBADMSG;
		p += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int write_at(int fd, uint64_t at, const char *p, size_t n)
{
	while (n) {
		ssize_t w = pwrite(fd, p, n, (off_t)at);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return w < 0 ? -errno : -ENOSPC;
		p += w;
		at += (uint64_t)w;
		n -= (size_t)w;
	}
	return 0;
}

/* ---- blocks ------------------------------------------------------------------------------ */

static void put_block_header(char h[BLOCK_HEADER], const struct sealed_block *b)
{
	put_u32(h, block_magic);
	put_u32(h + 8, b->size);
	put_u32(h + 12, b->text_size);
	put_u32(h + 16, b->crc);
	put_u32(h + 20, b->flags);
	put_u64(h + 24, b->place);
	put_u32(h + 32, b->filter_size);
	put_u32(h + 36, b->filter_crc);
	put_u32(h + 4, crc32c(0, h + 8, BLOCK_HEADER - 8));
}

/* Of the header at `at` in the file. */
static bool get_block_header(const char h[BLOCK_HEADER], uint64_t at, struct sealed_block *ret)
{
	if (get_u32(h) != block_magic || get_u32(h + 4) != crc32c(0, h + 8, BLOCK_HEADER - 8))
		return false;
	*ret = (struct sealed_block){.at = at + BLOCK_HEADER,
				     .size = get_u32(h + 8),
				     .text_size = get_u32(h + 12),
				     .crc = get_u32(h + 16),
				     .flags = get_u32(h + 20),
				     .place = get_u64(h + 24),
				     .filter_size = get_u32(h + 32),
				     .filter_crc = get_u32(h + 36)};
	return ret->size && ret->text_size && ret->text_size <= TEXT_MAX;
}

static void put_entry(struct buf *out, const struct sealed_block *b)
{
	const struct sealed_summary *s = &b->holds;
	size_t begun = out->len;
	buf_put_u64(out, b->at);
	buf_put_u64(out, b->place);
	buf_put_u32(out, b->size);
	buf_put_u32(out, b->text_size);
	buf_put_u32(out, b->crc);
	buf_put_u32(out, s->n_events);
	buf_put_u64(out, s->first);
	buf_put_u64(out, s->last);
	buf_put_u64(out, s->ordinal);
	buf_put_u64(out, (uint64_t)s->from_ns);
	buf_put_u64(out, (uint64_t)s->to_ns);
	buf_put_u32(out, s->severities);
	buf_put_u32(out, b->flags);
	buf_put_u32(out, b->filter_size);
	buf_put_u32(out, b->filter_crc);
	for (int i = 0; i < SEVERITIES; i++)
		buf_put_u16(out, s->counts[i]);
	memset(buf_reserve(out, ENTRY), 0, ENTRY);
	out->len = begun + ENTRY;
}

/* Of `size` bytes, of which those that are not known are ignored. */
static struct sealed_block get_entry(struct reader *r, uint32_t size)
{
	struct str bytes = get_bytes(r, size);
	struct reader e = reader_of(bytes.data, bytes.len);
	struct sealed_block b = {.at = get_long(&e), .place = get_long(&e)};
	b.size = get_word(&e);
	b.text_size = get_word(&e);
	b.crc = get_word(&e);
	b.holds.n_events = get_word(&e);
	b.holds.first = get_long(&e);
	b.holds.last = get_long(&e);
	b.holds.ordinal = get_long(&e);
	b.holds.from_ns = (int64_t)get_long(&e);
	b.holds.to_ns = (int64_t)get_long(&e);
	b.holds.severities = get_word(&e);
	b.flags = get_word(&e);
	b.filter_size = get_word(&e);
	b.filter_crc = get_word(&e);
	if (size < ENTRY)
		b.holds.severities &= ~(uint32_t)SEALED_COUNTED;
	for (int i = 0; size >= ENTRY && i < SEVERITIES; i++)
		b.holds.counts[i] = get_short(&e);
	return b;
}

/* ---- opening ----------------------------------------------------------------------------- */

static void add_block(struct sealed *s, const struct sealed_block *b)
{
	if ((s->n & (s->n - 1)) == 0)
		s->blocks = mem_resize(s->blocks, MAX(s->n * 2, (size_t)1) * sizeof(*b));
	s->blocks[s->n++] = *b;
}

/* Each follows on the one before it, in the file and in the text. */
static bool are_sound(const struct sealed *s, uint64_t start, uint64_t end)
{
	uint64_t at = start, place = start;
	for (size_t i = 0; i < s->n; i++) {
		const struct sealed_block *b = &s->blocks[i];
		if (b->at != at + BLOCK_HEADER || b->place != place || !b->size || !b->text_size ||
		    b->text_size > TEXT_MAX)
			return false;
		at = b->at + b->size + b->filter_size;
		place += b->text_size;
	}
	return at == end && place == s->text_end;
}

static int read_directory(int fd, uint64_t start, struct sealed *s)
{
	char f[FOOTER];
	if (s->file_size < start + FOOTER)
		return -EBADMSG;
	int r = read_at(fd, s->file_size - FOOTER, f, FOOTER);
	if (r)
		return r;
	if (memcmp(f, footer_magic, 8) != 0 || get_u32(f + 8) != crc32c(0, f + 12, FOOTER - 12))
		return -EBADMSG;
	uint32_t crc = get_u32(f + 12), n = get_u32(f + 20);
	s->cursors_size = get_u32(f + 16);
	s->cursors_at = get_u64(f + 24);
	s->text_end = get_u64(f + 32);
	s->n_events = get_u64(f + 40);
	s->last = get_u64(f + 48);
	s->begun_ms = (int64_t)get_u64(f + 56);
	uint32_t entry = MAX(get_u32(f + 64), (uint32_t)ENTRY_MIN);
	uint64_t size = s->cursors_size + (uint64_t)n * entry;
	if (entry > ENTRY_MAX || size > DIRECTORY_MAX || size > s->file_size - start - FOOTER ||
	    s->cursors_at != s->file_size - FOOTER - size)
		return -EBADMSG;
	struct buf d = {0};
	r = read_at(fd, s->cursors_at, buf_reserve(&d, (size_t)size + 1), (size_t)size);
	if (!r && crc != crc32c(0, d.data, (size_t)size))
		r = -EBADMSG;
	struct reader entries = reader_of(d.data + s->cursors_size, (size_t)n * entry);
	for (uint32_t i = 0; !r && i < n; i++) {
		struct sealed_block b = get_entry(&entries, entry);
		add_block(s, &b);
	}
	buf_fini(&d);
	return r || are_sound(s, start, s->cursors_at) ? r : -EBADMSG;
}

/* The next place at or after `at` where a block's header stands; 0: there is none. */
static uint64_t find_block(int fd, uint64_t at, uint64_t end, struct sealed_block *ret)
{
	char magic[4], *window = mem_zero(FIND_WINDOW);
	uint64_t found = 0;
	put_u32(magic, block_magic);
	while (!found && at + BLOCK_HEADER <= end) {
		size_t n = (size_t)MIN((uint64_t)FIND_WINDOW, end - at);
		if (read_at(fd, at, window, n))
			break;
		const char *p = window, *last = window + n - BLOCK_HEADER + 1;
		while (!found && p < last && (p = memmem(p, n - (size_t)(p - window), magic, 4)) &&
		       p < last) {
			if (get_block_header(p, at + (uint64_t)(p - window), ret))
				found = at + (uint64_t)(p - window);
			p++;
		}
		at += n - BLOCK_HEADER + 1;
	}
	free(window);
	return found;
}

/* By the blocks' own headers.  What lies between them is text that cannot be read. */
static void find_blocks(int fd, uint64_t start, struct sealed *s)
{
	struct sealed_block b;
	uint64_t at = start;
	s->n = 0;
	s->text_end = start;
	s->is_rebuilt = true;
	s->cursors_size = 0;
	while ((at = find_block(fd, at, s->file_size, &b))) {
		if (b.place < s->text_end || b.place - s->text_end > TEXT_MAX ||
		    b.size > s->file_size - b.at) {
			at++;
			continue;
		}
		if (b.place > s->text_end)
			add_block(s, &(struct sealed_block){
					     .place = s->text_end,
					     .text_size = (uint32_t)(b.place - s->text_end)});
		add_block(s, &b);
		s->text_end = b.place + b.text_size;
		at = b.at + b.size; /* not behind its filter, which may have been cut off */
	}
}

int sealed_open(int fd, uint64_t start, struct sealed **ret)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	struct sealed *s = mem_zero(sizeof(*s));
	s->file_size = (uint64_t)st.st_size;
	int r = read_directory(fd, start, s);
	if (r == -EBADMSG) {
		find_blocks(fd, start, s);
		r = 0;
	}
	if (r) {
		sealed_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void sealed_free(struct sealed *s)
{
	if (!s)
		return;
	free(s->blocks);
	free(s);
}

/* ---- reading ----------------------------------------------------------------------------- */

bool sealed_is_sound(const struct sealed *s, size_t i)
{
	return s->blocks[i].flags & DELTA;
}

size_t sealed_find(const struct sealed *s, uint64_t place)
{
	size_t lo = 0, hi = s->n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (s->blocks[mid].place + s->blocks[mid].text_size <= place)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void unpacker_fini(struct unpacker *u)
{
	ZSTD_freeDCtx(u->context);
	buf_fini(&u->packed);
	buf_fini(&u->columns);
	u->context = NULL;
}

/* What the frame holds, into `n` bytes at `p`. */
static bool unpack_frame(const struct sealed_block *b, const char *frame, struct unpacker *u,
			 char *p, size_t n)
{
	return ZSTD_getFrameContentSize(frame, b->size) == n &&
	       ZSTD_decompressDCtx(u->context, p, n, frame, b->size) == n;
}

static int unpack(const struct sealed_block *b, const char *frame, struct unpacker *u,
		  struct buf *text)
{
	if (!u->context && !(u->context = ZSTD_createDCtx()))
		return -ENOMEM;
	if (b->flags & ~(uint32_t)FLAGS)
		return -EBADMSG;
	size_t n = b->text_size, n_columns = COLUMNS_COUNTS + n;
	char *p = buf_reserve(text, n);
	bool good;
	if (b->flags & COLUMNS) {
		char *c = buf_reserve(&u->columns, n_columns);
		good = unpack_frame(b, frame, u, c, n_columns) &&
		       columns_undo((struct str){c, n_columns}, p, n);
		buf_fini(&u->columns); /* there may be many readers */
	} else {
		good = unpack_frame(b, frame, u, p, n);
	}
	if (!good || (b->flags & DELTA && !delta_undo(p, n)) || crc32c(0, p, n) != b->crc)
		return -EBADMSG;
	text->len += n;
	return 0;
}

int sealed_read(const struct sealed *s, int fd, size_t i, struct unpacker *u, struct buf *text)
{
	const struct sealed_block *b = &s->blocks[i];
	if (!b->size)
		return -EBADMSG;
	u->packed.len = 0;
	int r = read_at(fd, b->at, buf_reserve(&u->packed, b->size), b->size);
	return r ? r : unpack(b, u->packed.data, u, text);
}

int sealed_read_filter(const struct sealed *s, int fd, size_t i, struct buf *bloom)
{
	const struct sealed_block *b = &s->blocks[i];
	bloom->len = 0;
	int r = read_at(fd, b->at + b->size, buf_reserve(bloom, b->filter_size + 1u),
			b->filter_size);
	if (r)
		return r;
	bloom->len = b->filter_size;
	return crc32c(0, bloom->data, bloom->len) == b->filter_crc ? 0 : -EBADMSG;
}

int sealed_read_cursors(const struct sealed *s, int fd, struct buf *entries)
{
	int r = read_at(fd, s->cursors_at, buf_reserve(entries, s->cursors_size + 1u),
			s->cursors_size);
	if (!r)
		entries->len += s->cursors_size;
	return r;
}

/* ---- writing ----------------------------------------------------------------------------- */

void sealed_writer_init(struct sealed_writer *w, int fd, uint64_t offset, uint64_t most)
{
	*w = (struct sealed_writer){.fd = fd, .offset = offset, .most = most};
}

void sealed_writer_fini(struct sealed_writer *w)
{
	ZSTD_freeCCtx(w->context);
	unpacker_fini(&w->unpacker);
	buf_fini(&w->directory);
	buf_fini(&w->packed);
	buf_fini(&w->text);
	buf_fini(&w->columns);
}

/* What was packed is unpacked once, for the original will be given up. */
static bool comes_back(struct sealed_writer *w, const struct sealed_block *b, const char *frame)
{
	w->text.len = 0;
	return unpack(b, frame, &w->unpacker, &w->text) == 0;
}

int sealed_put_block(struct sealed_writer *w, uint64_t place, struct str text, struct str bloom,
		     const struct sealed_summary *holds)
{
	if (!w->context && !(w->context = ZSTD_createCCtx()))
		return -ENOMEM;
	if (text.len > TEXT_MAX)
		return -E2BIG;
	w->packed.len = w->text.len = w->columns.len = 0;
	buf_put_str(&w->text, text);
	bool is_sound = delta_make(w->text.data, text.len);
	if (is_sound)
		columns_make(buf_str(&w->text), &w->columns);
	struct str in = is_sound ? buf_str(&w->columns) : text;
	size_t room = ZSTD_compressBound(in.len);
	char *h = buf_reserve(&w->packed, BLOCK_HEADER + room);
	size_t n = ZSTD_compressCCtx(w->context, h + BLOCK_HEADER, room, in.data, in.len, LEVEL);
	if (ZSTD_isError(n))
		return -ENOMEM;
	struct sealed_block b = {.at = w->offset + BLOCK_HEADER,
				 .place = place,
				 .size = (uint32_t)n,
				 .text_size = (uint32_t)text.len,
				 .crc = crc32c(0, text.data, text.len),
				 .flags = is_sound ? FLAGS : 0,
				 .filter_size = (uint32_t)bloom.len,
				 .filter_crc = crc32c(0, bloom.data, bloom.len),
				 .holds = *holds};
	if (!comes_back(w, &b, h + BLOCK_HEADER))
		return -EIO;
	put_block_header(h, &b);
	put_entry(&w->directory, &b);
	w->packed.len = BLOCK_HEADER + n;
	buf_put_str(&w->packed, bloom);
	if (w->offset + w->packed.len > w->most)
		return -E2BIG;
	int r = write_at(w->fd, w->offset, w->packed.data, w->packed.len);
	w->offset += w->packed.len;
	w->n_blocks++;
	return r;
}

int sealed_finish(struct sealed_writer *w, struct str cursors, const struct sealed *whole)
{
	char f[FOOTER] = "";
	struct str d = buf_str(&w->directory);
	memcpy(f, footer_magic, 8);
	put_u32(f + 12, crc32c(crc32c(0, cursors.data, cursors.len), d.data, d.len));
	put_u32(f + 16, (uint32_t)cursors.len);
	put_u32(f + 20, w->n_blocks);
	put_u64(f + 24, w->offset);
	put_u64(f + 32, whole->text_end);
	put_u64(f + 40, whole->n_events);
	put_u64(f + 48, whole->last);
	put_u64(f + 56, (uint64_t)whole->begun_ms);
	put_u32(f + 64, ENTRY);
	put_u32(f + 8, crc32c(0, f + 12, FOOTER - 12));
	int r = write_at(w->fd, w->offset, cursors.data, cursors.len);
	w->offset += cursors.len;
	if (!r)
		r = write_at(w->fd, w->offset, d.data, d.len);
	w->offset += d.len;
	if (!r)
		r = write_at(w->fd, w->offset, f, FOOTER);
	w->offset += FOOTER;
	return r;
}

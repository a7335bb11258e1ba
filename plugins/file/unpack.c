/* SPDX-License-Identifier: MIT */
#include "unpack.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "common/basics.h"

/* Of a damaged file, what lies in the same block before the damage can be lost. */
enum { BLOCK_SIZE = 16 * 1024, ZSTD_WINDOW_LOG_MAX = 27 };

enum form { FORM_PLAIN, FORM_GZIP, FORM_ZSTD, FORM_XZ };

struct unpacked {
	int fd;
	enum form form;
	bool has_begun, is_at_eof, is_over, is_damaged;
	bool is_between; /* one member has ended, another may follow */
	unsigned char in[BLOCK_SIZE];
	size_t from, to; /* in[from..to) is not used yet */
	z_stream gzip;
	lzma_stream xz;
	ZSTD_DStream *zstd;
};

static bool ends_in(const char *path, const char *const *endings)
{
	size_t n = strlen(path);
	for (; *endings; endings++) {
		size_t m = strlen(*endings);
		if (n > m && strcmp(path + n - m, *endings) == 0)
			return true;
	}
	return false;
}

bool unpack_is_named(const char *path)
{
	static const char *const endings[] = {".gz", ".zst", ".xz", NULL};
	return ends_in(path, endings);
}

bool unpack_is_foreign(const char *path)
{
	static const char *const endings[] = {".bz2", ".lz4", ".lzma", ".Z", ".zip", ".7z", NULL};
	return ends_in(path, endings);
}

struct unpacked *unpack_open(int fd)
{
	struct unpacked *u = calloc(1, sizeof(*u));
	if (!u) {
		close(fd);
		return NULL;
	}
	u->fd = fd;
	u->xz = (lzma_stream)LZMA_STREAM_INIT;
	return u;
}

void unpack_close(struct unpacked *u)
{
	if (!u)
		return;
	if (u->form == FORM_GZIP)
		inflateEnd(&u->gzip);
	lzma_end(&u->xz);
	ZSTD_freeDStream(u->zstd);
	close(u->fd);
	free(u);
}

/* Fills the block, which has been used up but for a few bytes.  False on an error. */
static bool fill(struct unpacked *u)
{
	memmove(u->in, u->in + u->from, u->to - u->from);
	u->to -= u->from;
	u->from = 0;
	while (!u->is_at_eof && u->to < sizeof(u->in)) {
		ssize_t n = read(u->fd, u->in + u->to, sizeof(u->in) - u->to);
		if (n < 0 && errno != EINTR)
			return false;
		u->is_at_eof = n == 0;
		u->to += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static bool begins_with(const struct unpacked *u, const char *magic, size_t n)
{
	return u->to - u->from >= n && memcmp(u->in + u->from, magic, n) == 0;
}

/* What is not compressed at all is read as it is, whatever its name says. */
static bool begin(struct unpacked *u)
{
	u->has_begun = true;
	if (!fill(u))
		return false;
	bool is_skippable = u->to >= 4 && (u->in[0] & 0xf0) == 0x50 &&
			    memcmp(u->in + 1, "\x2a\x4d\x18", 3) == 0;
	if (begins_with(u, "\x1f\x8b", 2)) {
		u->form = FORM_GZIP;
		return inflateInit2(&u->gzip, 16 + MAX_WBITS) == Z_OK;
	}
	if (is_skippable || begins_with(u, "\x28\xb5\x2f\xfd", 4)) {
		u->form = FORM_ZSTD;
		u->zstd = ZSTD_createDStream();
		return u->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax,
								       ZSTD_WINDOW_LOG_MAX));
	}
	if (begins_with(u, "\xfd\x37\x7a\x58\x5a\0", 6)) {
		u->form = FORM_XZ;
		return lzma_stream_decoder(&u->xz, UNPACK_MEMORY_MAX, LZMA_CONCATENATED) == LZMA_OK;
	}
	return true;
}

/* ---- the forms: a step of each moves in[from..] and returns the bytes put, or -1 ---- */

static int step_plain(struct unpacked *u, char *p, size_t n)
{
	size_t take = u->to - u->from < n ? u->to - u->from : n;
	memcpy(p, u->in + u->from, take);
	u->from += take;
	u->is_between = true;
	return (int)take;
}

static int step_gzip(struct unpacked *u, char *p, size_t n)
{
	/* What gzip(1) ignores behind a member, too: the NULs that a tape is filled up with. */
	if (u->is_between && !begins_with(u, "\x1f\x8b", 2)) {
		bool is_filling = !u->in[u->from];
		u->from = u->to;
		return is_filling ? 0 : -1;
	}
	if (u->is_between && inflateReset(&u->gzip) != Z_OK)
		return -1;
	u->is_between = false;
	u->gzip.next_in = u->in + u->from;
	u->gzip.avail_in = (unsigned)(u->to - u->from);
	u->gzip.next_out = (unsigned char *)p;
	u->gzip.avail_out = (unsigned)n;
	int r = inflate(&u->gzip, Z_NO_FLUSH);
	u->from = u->to - u->gzip.avail_in;
	u->is_between = r == Z_STREAM_END;
	bool is_good = r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR;
	u->is_damaged = !is_good;
	return (int)(n - u->gzip.avail_out);
}

static int step_zstd(struct unpacked *u, char *p, size_t n)
{
	ZSTD_inBuffer in = {u->in, u->to, u->from};
	ZSTD_outBuffer out = {p, n, 0};
	size_t r = ZSTD_decompressStream(u->zstd, &out, &in);
	u->from = in.pos;
	u->is_between = r == 0;
	u->is_damaged = ZSTD_isError(r);
	return (int)out.pos;
}

static int step_xz(struct unpacked *u, char *p, size_t n)
{
	u->xz.next_in = u->in + u->from;
	u->xz.avail_in = u->to - u->from;
	u->xz.next_out = (unsigned char *)p;
	u->xz.avail_out = n;
	lzma_ret r = lzma_code(&u->xz, u->is_at_eof ? LZMA_FINISH : LZMA_RUN);
	u->from = u->to - u->xz.avail_in;
	u->is_between = r == LZMA_STREAM_END;
	u->is_damaged = r != LZMA_OK && r != LZMA_STREAM_END && r != LZMA_BUF_ERROR;
	return (int)(n - u->xz.avail_out);
}

static int step(struct unpacked *u, char *p, size_t n)
{
	switch (u->form) {
	case FORM_PLAIN: return step_plain(u, p, n);
	case FORM_GZIP: return step_gzip(u, p, n);
	case FORM_ZSTD: return step_zstd(u, p, n);
	case FORM_XZ: return step_xz(u, p, n);
	}
	return -1;
}

/* As unpack_read(), but perhaps fewer before the end. */
static int read_some(struct unpacked *u, char *p, size_t n)
{
	if (!u->has_begun && !begin(u))
		u->is_damaged = true;
	while (!u->is_damaged && !u->is_over) {
		/* Two bytes at least, as begins a member; and xz is to know of the end. */
		if (u->to - u->from < 2 && !fill(u))
			break;
		bool is_spent = u->is_at_eof && u->from == u->to;
		if (is_spent && u->is_between) {
			u->is_over = true;
			return 0;
		}
		size_t from = u->from;
		int put = step(u, p, n);
		if (put > 0)
			return put; /* what is wrong behind it comes with the next read */
		if (put < 0 || (is_spent && u->from == from && !u->is_between))
			break; /* cut off in the middle */
	}
	u->is_damaged = !u->is_over;
	return u->is_over ? 0 : -1;
}

int unpack_read(struct unpacked *u, char *p, size_t n)
{
	size_t got = 0;
	while (got < n) {
		int r = read_some(u, p + got, n - got);
		if (r <= 0)
			return got ? (int)got : r; /* and the next time the same again */
		got += (size_t)r;
	}
	return (int)got;
}

bool unpack_skip(struct unpacked *u, uint64_t n)
{
	char block[BLOCK_SIZE];
	while (n > 0) {
		int got = unpack_read(u, block, n < sizeof(block) ? (size_t)n : sizeof(block));
		if (got <= 0)
			return false;
		n -= (uint64_t)got;
	}
	return true;
}

bool unpack_is_over(const struct unpacked *u)
{
	return u->is_over;
}

/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "../../plugins/file/unpack.h"

enum { ROOM = 65536, TEXT = 20000 };

static size_t pack_gzip(const char *p, size_t n, unsigned char *out)
{
	z_stream z = {0};
	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)p;
	z.avail_in = (unsigned)n;
	z.next_out = out;
	z.avail_out = ROOM;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return ROOM - z.avail_out;
}

static size_t pack_zstd(const char *p, size_t n, unsigned char *out)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	size_t r = ZSTD_compress2(c, out, ROOM, p, n);
	ck_assert(!ZSTD_isError(r));
	ZSTD_freeCCtx(c);
	return r;
}

static size_t pack_xz(const char *p, size_t n, unsigned char *out)
{
	size_t at = 0;
	ck_assert_int_eq(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, (const uint8_t *)p, n,
						 out, &at, ROOM),
			 LZMA_OK);
	return at;
}

static size_t pack_nothing(const char *p, size_t n, unsigned char *out)
{
	memcpy(out, p, n);
	return n;
}

static const struct {
	const char *name;
	size_t (*pack)(const char *p, size_t n, unsigned char *out);
} forms[] = {{"gzip", pack_gzip}, {"zstd", pack_zstd}, {"xz", pack_xz}, {"none", pack_nothing}};

enum { N_FORMS = 4 };

/* Lines that do not become much shorter. */
static char *make_text(void)
{
	char *text = malloc(TEXT + 64);
	size_t n = 0;
	for (unsigned i = 1; n < TEXT; i++)
		n += (size_t)sprintf(text + n, "%u %u\n", i, i * 2654435761u);
	return text;
}

static struct unpacked *open_bytes(const unsigned char *p, size_t n)
{
	int fd = memfd_create("packed", 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	lseek(fd, 0, SEEK_SET);
	struct unpacked *u = unpack_open(fd);
	ck_assert_ptr_nonnull(u);
	return u;
}

/* What comes, and in *end what ended it. */
static size_t read_all(struct unpacked *u, char *out, size_t piece, int *end)
{
	size_t n = 0;
	while ((*end = unpack_read(u, out + n, piece)) > 0) {
		n += (size_t)*end;
		ck_assert_int_le(n, TEXT + 64);
	}
	ck_assert(unpack_is_over(u) == (*end == 0));
	ck_assert_int_eq(unpack_read(u, out + n, piece), *end);
	return n;
}

START_TEST(members_that_follow_each_other_are_one_text)
{
	char *text = make_text(), *got = malloc(2 * TEXT);
	unsigned char *packed = malloc(2 * ROOM);
	for (size_t i = 0; i < N_FORMS; i++) {
		int end;
		size_t n = forms[i].pack(text, 7001, packed);
		n += forms[i].pack(text + 7001, TEXT - 7001, packed + n);
		for (size_t piece = 1; piece <= TEXT; piece = piece * 7 + 1) {
			struct unpacked *u = open_bytes(packed, n);
			size_t len = read_all(u, got, piece, &end);
			ck_assert_msg(end == 0 && len == TEXT && !memcmp(got, text, TEXT), "%s",
				      forms[i].name);
			unpack_close(u);
		}
		struct unpacked *u = open_bytes(packed, n);
		ck_assert(unpack_skip(u, 6990));
		ck_assert_int_gt(unpack_read(u, got, 5), 0);
		ck_assert_int_eq(got[0], text[6990]);
		ck_assert(!unpack_skip(u, TEXT));
		unpack_close(u);
	}
	free(packed);
	free(got);
	free(text);
}
END_TEST

START_TEST(a_file_that_is_cut_off_has_no_end)
{
	char *text = make_text(), *got = malloc(2 * TEXT);
	unsigned char *packed = malloc(2 * ROOM);
	for (size_t i = 0; i < N_FORMS - 1; i++) {
		size_t first = forms[i].pack(text, 700, packed);
		size_t n = first + forms[i].pack(text + 700, 700, packed + first);
		for (size_t cut = 6; cut <= n; cut++) {
			int end;
			struct unpacked *u = open_bytes(packed, cut);
			size_t len = read_all(u, got, 100, &end);
			ck_assert_msg((end == 0) == (cut == first || cut == n),
				      "%s, %zu of %zu bytes: %d", forms[i].name, cut, n, end);
			ck_assert(len <= 1400 && !memcmp(got, text, len));
			ck_assert(end < 0 || len == (cut == n ? 1400 : 700));
			unpack_close(u);
		}
	}
	free(packed);
	free(got);
	free(text);
}
END_TEST

START_TEST(damage_is_noticed)
{
	char *text = make_text(), *got = malloc(2 * TEXT);
	unsigned char *packed = malloc(2 * ROOM);
	for (size_t i = 0; i < N_FORMS - 1; i++) {
		size_t n = forms[i].pack(text, 2000, packed);
		for (size_t at = 40; at < n; at += 13) {
			int end;
			packed[at] ^= 0x55;
			struct unpacked *u = open_bytes(packed, n);
			size_t len = read_all(u, got, 100, &end);
			ck_assert_msg(end < 0 || (len == 2000 && !memcmp(got, text, len)),
				      "%s, byte %zu of %zu", forms[i].name, at, n);
			unpack_close(u);
			packed[at] ^= 0x55;
		}
	}
	/* Nothing at all is whole. */
	struct unpacked *u = open_bytes(packed, 0);
	ck_assert_int_eq(unpack_read(u, got, 10), 0);
	unpack_close(u);
	free(packed);
	free(got);
	free(text);
}
END_TEST

UNIT_MAIN("unpack", members_that_follow_each_other_are_one_text, a_file_that_is_cut_off_has_no_end,
	  damage_is_noticed)

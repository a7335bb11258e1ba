/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "journal_rig.h"

static struct journal_config watched(struct seen *s, struct witness *w)
{
	struct journal_config c = config(s);
	c.max_bytes = 4 << 20;
	c.witness = w;
	c.name = "c";
	c.checkpoint = put_checkpoint;
	return c;
}

static void open_watched(struct journal *j, struct seen *s, struct witness **w)
{
	char path[100], *why = NULL;
	snprintf(path, sizeof(path), "%s/witness", dir);
	ck_assert_int_eq(witness_open(path, true, w), 0);
	struct journal_config c = watched(s, *w);
	*s = (struct seen){0};
	ck_assert_msg(journal_open(&c, j, &why) == 0, "%s", why);
	ck_assert_msg(journal_begin(j, &why) == 0, "%s", why);
}

static void close_watched(struct journal *j, struct witness *w)
{
	journal_close(j);
	witness_close(w);
}

/* What a client gets that reads on from `after`: numbers in order, each once, and as many
 * as gaps say are missing in between; returns the number of those that are delivered.
 */
static int read_and_check(struct journal *j, int after, int written)
{
	struct buf out = {0};
	event_id from = id_make((uint64_t)after, 0);
	int at = after, n_events = 0, n_missing = 0;
	bool is_open = false;
	replay_all(j, from, from < journal_low_watermark(j) ? journal_low_watermark(j) : 0, 0,
		   &out);
	for (const char *p = buf_text(&out); (p = strstr(p, "data: ")); p++) {
		int n = atoi(p + 6);
		const char *count = strstr(p, "\"count\":"), *end = strstr(p, "\n\n");
		if (n) {
			ck_assert_msg(n > at, "%d comes after %d", n, at);
			int gone = n - at - 1;
			ck_assert_msg(gone == n_missing || (is_open && gone >= n_missing),
				      "%d to %d are not there, and %d missing", at + 1, n - 1,
				      n_missing);
			n_missing = is_open = 0;
			at = n;
			n_events++;
		} else if (strncmp(count + 8, "null", 4) == 0) {
			/* Only where a cursor stands in the middle of it. */
			ck_assert_int_eq(at, after);
			is_open = true;
		} else {
			ck_assert(count < end);
			n_missing += atoi(count + 8);
		}
	}
	ck_assert_int_le(at + n_missing, written);
	ck_assert(is_open || at + n_missing == written);
	buf_fini(&out);
	return n_events;
}

static char **segments_of(size_t *n)
{
	char **paths;
	ck_assert_int_eq(journal_list(dir, &paths, n), 0);
	return paths;
}

static void free_paths(char **paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
}

START_TEST(a_segment_that_is_gone_is_a_gap_with_its_exact_count)
{
	enum { N = 500, PAD = 2000 };
	struct journal j;
	struct seen s;
	struct witness *w;
	for (size_t gone = 0;; gone++) {
		make_dir();
		open_watched(&j, &s, &w);
		for (int i = 1; i <= N; i++)
			append(&j, i, PAD);
		close_watched(&j, w);
		size_t n;
		char **paths = segments_of(&n);
		bool was_there = gone < n;
		if (was_there)
			ck_assert_int_eq(unlink(paths[gone]), 0);
		open_watched(&j, &s, &w);
		if (was_there) {
			int got = read_and_check(&j, 0, N);
			ck_assert_int_lt(got, N);
			for (int after = 0; after < N; after += 97)
				read_and_check(&j, after, N);
			/* The last one's cursors are in no checkpoint. */
			ck_assert_int_eq(j.is_short, gone == n - 1);
		}
		/* And it goes on behind it. */
		append(&j, N + 1, PAD);
		read_and_check(&j, 0, N + 1);
		close_watched(&j, w);
		free_paths(paths, n);
		remove_dir();
		if (!was_there)
			break;
	}
}
END_TEST

START_TEST(a_flipped_bit_in_a_header_loses_nothing)
{
	struct journal j;
	struct seen s;
	struct witness *w;
	make_dir();
	open_watched(&j, &s, &w);
	for (int i = 1; i <= 20; i++)
		append(&j, i, 3);
	close_watched(&j, w);
	char *path = only_segment();
	for (off_t at = 0; at < SEGMENT_HEADER; at++) {
		for (int bit = 0; bit < 8; bit++) {
			char byte, flipped;
			int fd = open(path, O_RDWR);
			ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
			flipped = (char)(byte ^ 1 << bit);
			ck_assert_int_eq(pwrite(fd, &flipped, 1, at), 1);
			open_watched(&j, &s, &w);
			ck_assert_int_eq(read_and_check(&j, 0, 20), 20);
			ck_assert(!j.is_short);
			close_watched(&j, w);
			/* It is as it was again. */
			ck_assert_int_eq(pread(fd, &flipped, 1, at), 1);
			ck_assert_int_eq(flipped, byte);
			close(fd);
		}
	}
	free(path);
	remove_dir();
}
END_TEST

static void copy_file(const char *from, const char *to)
{
	struct buf b = {0};
	FILE *f = fopen(from, "r");
	size_t n;
	while (f && (n = fread(buf_reserve(&b, 65536), 1, 65536, f)) > 0)
		b.len += n;
	fclose(f);
	f = fopen(to, "w");
	fwrite(b.data, 1, b.len, f);
	fclose(f);
	buf_fini(&b);
}

/* One thing that may happen to a file while nothing runs; says whether it did. */
static void tamper(char **paths, size_t n)
{
	size_t i = (size_t)random() % n;
	struct stat st;
	if (stat(paths[i], &st) < 0)
		return;
	char aside[400];
	snprintf(aside, sizeof(aside), "%s.aside", paths[i]);
	switch (random() % 5) {
	case 0: unlink(paths[i]); return;
	case 1: ck_assert_int_eq(truncate(paths[i], random() % st.st_size), 0); return;
	case 2: /* an older copy of it */
		copy_file(paths[i], aside);
		ck_assert_int_eq(truncate(aside, st.st_size - st.st_size / 3), 0);
		ck_assert_int_eq(rename(aside, paths[i]), 0);
		return;
	case 3:
		snprintf(aside, sizeof(aside), "%s/cursors", dir);
		unlink(aside);
		return;
	case 4: {
		int fd = open(paths[i], O_RDWR);
		off_t at = random() % st.st_size;
		char byte;
		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		byte = (char)(byte ^ 1 << random() % 8);
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		return;
	}
	}
}

START_TEST(whatever_is_taken_from_a_journal_is_declared)
{
	const char *is_long = getenv("TEST_LONG");
	int rounds = is_long && strcmp(is_long, "1") == 0 ? 1000 : 20;
	int64_t until_ns = clock_mono_ns() + (rounds > 20 ? 3600 : 2) * NS_PER_SEC;
	unsigned seed = (unsigned)getpid();
	fprintf(stderr, "seed %u\n", seed);
	srandom(seed);
	for (int round = 0; round < rounds && clock_mono_ns() < until_ns; round++) {
		struct journal j;
		struct seen s;
		struct witness *w;
		int written = 0;
		make_dir();
		for (int life = 0; life < 4; life++) {
			open_watched(&j, &s, &w);
			read_and_check(&j, (int)id_ms(journal_low_watermark(&j)), written);
			for (int i = 0; i < 8 && written; i++) {
				int after = (int)(random() % written);
				int low = (int)id_ms(journal_low_watermark(&j));
				read_and_check(&j, MAX(after, low), written);
			}
			for (int i = (int)(random() % 800) + 10; i--;)
				append(&j, ++written, (size_t)(random() % 4000));
			close_watched(&j, w);
			size_t n;
			char **paths = segments_of(&n);
			for (long i = random() % 4; i--;)
				tamper(paths, n);
			free_paths(paths, n);
		}
		remove_dir();
	}
}
END_TEST

START_TEST(who_reads_on_behind_a_hole_does_not_read_all_from_there)
{
	struct journal j;
	struct seen s;
	struct witness *w;
	struct journal_snapshot snap;
	size_t n;
	make_dir();
	open_watched(&j, &s, &w);
	for (int i = 1; i <= 1000; i++)
		append(&j, i, 2000);
	close_watched(&j, w);
	char **paths = segments_of(&n);
	ck_assert_uint_ge(n, 4);
	ck_assert_int_eq(unlink(paths[1]), 0);
	open_watched(&j, &s, &w);
	journal_snapshot(&j, j.last - 1, &snap);
	ck_assert_uint_eq(snap.n, 1);
	journal_snapshot_fini(&snap);
	for (int after = 0; after < 1000; after += 31)
		read_and_check(&j, after, 1000);
	close_watched(&j, w);
	free_paths(paths, n);
	remove_dir();
}
END_TEST

START_TEST(a_header_that_was_cut_off_is_made_whole_before_anything_is_written)
{
	struct journal j;
	struct seen s;
	for (int size = 64; size < SEGMENT_HEADER; size += 9) {
		make_dir();
		open_journal(&j, &s);
		journal_close(&j);
		char *path = only_segment();
		ck_assert_int_eq(truncate(path, size), 0);
		free(path);
		open_journal(&j, &s);
		append(&j, 1, 0);
		journal_close(&j);
		open_journal(&j, &s);
		struct buf out = {0};
		replay_all(&j, 0, 0, 0, &out);
		ck_assert_int_eq(count(&out, "event: line"), 1);
		buf_fini(&out);
		journal_close(&j);
		remove_dir();
	}
}
END_TEST

START_TEST(a_segment_that_was_just_being_dropped_is_not_read_once_more)
{
	struct journal j;
	struct seen s;
	struct witness *w;
	size_t n;
	char saved[100];
	int written = 0;
	make_dir();
	open_watched(&j, &s, &w);
	while (j.n < 4)
		append(&j, ++written, 2000);
	char *oldest = mem_strdup(j.segments[0]->path);
	snprintf(saved, sizeof(saved), "%s/saved", dir);
	copy_file(oldest, saved);
	while (!journal_low_watermark(&j))
		append(&j, ++written, 2000);
	event_id low = journal_low_watermark(&j);
	close_watched(&j, w);
	ck_assert_int_eq(rename(saved, oldest), 0);
	open_watched(&j, &s, &w);
	ck_assert_uint_eq(journal_low_watermark(&j), low);
	read_and_check(&j, (int)id_ms(low), written);
	char **paths = segments_of(&n);
	ck_assert_str_ne(paths[0], oldest);
	ck_assert(!j.is_short);
	close_watched(&j, w);
	free_paths(paths, n);
	free(oldest);
	remove_dir();
}
END_TEST

UNIT_MAIN("holes", a_segment_that_is_gone_is_a_gap_with_its_exact_count,
	  a_flipped_bit_in_a_header_loses_nothing, whatever_is_taken_from_a_journal_is_declared,
	  who_reads_on_behind_a_hole_does_not_read_all_from_there,
	  a_header_that_was_cut_off_is_made_whole_before_anything_is_written,
	  a_segment_that_was_just_being_dropped_is_not_read_once_more)

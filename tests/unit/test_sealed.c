/* SPDX-License-Identifier: MIT
 *
 * Segments that were sealed hold what they held before, and whatever happens to their files, what
 * is read of them is right or missing.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "filter/grams.h"
#include "journal/bloom.h"
#include "journal/columns.h"
#include "journal/delta.h"
#include "journal/seal.h"
#include "past/past.h"

static char dir[64], sealing[96];
static event_id newest;
static struct witness *witness;
static const atomic_bool never;

static void make_dir(void)
{
	strcpy(dir, "/tmp/sluice-sealed-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(sealing, sizeof(sealing), "%s/" SEALING_NAME, dir);
	newest = id_make(1000000, 0);
}

static void remove_dir(void)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[400];
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		unlink(path);
	}
	closedir(d);
	rmdir(dir);
}

/* The newest cursors that were found, by their keys "0" to "9". */
struct found {
	char cursors[10][32];
};

static void on_cursor(void *ctx, const struct cursor *c, event_id at maybe_unused)
{
	struct found *f = ctx;
	snprintf(f->cursors[c->key.data[0] - '0'], 32, "%.*s", (int)c->value.len, c->value.data);
}

static void open_journal(struct journal *j, struct found *f)
{
	char *why = NULL;
	struct journal_config c = {.dir = dir,
				   .epoch = "test",
				   .max_bytes = 64 << 20,
				   .on_cursor = on_cursor,
				   .ctx = f};
	char *path = mem_printf("%s/witness", dir);
	ck_assert_int_eq(witness_open(path, true, &witness), 0);
	free(path);
	c.witness = witness;
	c.name = "c";
	*f = (struct found){0};
	ck_assert_msg(journal_open(&c, j, &why) == 0, "%s", why);
	ck_assert_msg(journal_begin(j, &why) == 0, "%s", why);
	j->segment_size = 700 * 1024;
}

static void close_journal(struct journal *j)
{
	journal_close(j);
	witness_close(witness);
}

static void append(struct journal *j, uint32_t n)
{
	struct buf b = {0}, text = {0}, value = {0};
	event_id first = newest + 1;
	buf_reserve(&b, BATCH_HEADER);
	b.len = BATCH_HEADER;
	for (uint32_t i = 0; i < n; i++) {
		text.len = 0;
		buf_printf(&text, "%llu %ld", (unsigned long long)++newest, random());
		for (long pad = random() % 200; pad > 0; pad--)
			buf_putc(&text, (char)('a' + random() % 26));
		record_put_event(&b, &(struct event){.id = newest,
						     .time_ns = (int64_t)newest,
						     .severity = (uint8_t)(random() % 8),
						     .type = STR("line"),
						     .source = STR("s"),
						     .message = buf_str(&text)});
	}
	char key = (char)('0' + random() % 10);
	buf_printf(&value, "%llu", (unsigned long long)newest);
	record_put_cursor(&b, &(struct cursor){STR("s"), {&key, 1}, buf_str(&value)});
	ck_assert_int_eq(journal_append(j, &b, first, newest, n, (int64_t)id_ms(newest)), 0);
	buf_fini(&b);
	buf_fini(&text);
	buf_fini(&value);
}

static void fill(struct journal *j, size_t segments)
{
	while (j->n < segments + 1)
		append(j, (uint32_t)(random() % 100) + 1);
}

static size_t seal_all(struct journal *j)
{
	struct segment *s, *sealed;
	size_t n = 0;
	for (; (s = journal_next_to_seal(j)); n++) {
		ck_assert_int_eq(segment_seal(s, sealing, &never, &sealed), 0);
		ck_assert_int_eq(journal_put_sealed(j, s, sealed), 0);
	}
	return n;
}

/* What is read after `after`: its events as text, and how many are said to be missing. */
struct reading {
	struct buf text;
	int64_t n_events, n_missing;
};

static struct reading read_all(const struct journal *j, event_id after)
{
	struct reading r = {0};
	struct past_channel c = {.name = STR("c")};
	struct past p;
	journal_snapshot(j, after, &c.snapshot);
	past_init(&p, &c, after);
	for (past_advance(&p); p.id; past_advance(&p)) {
		if (p.gap_reason) {
			ck_assert_int_ge(p.gap_count, 0);
			r.n_missing += p.gap_count;
			continue;
		}
		r.n_events++;
		buf_put_u64(&r.text, p.event.id);
		buf_put_str(&r.text, p.event.message);
	}
	past_fini(&p);
	journal_snapshot_fini(&c.snapshot);
	return r;
}

static void reading_fini(struct reading *r)
{
	buf_fini(&r->text);
}

START_TEST(a_sealed_segment_reads_as_before_and_is_smaller)
{
	struct journal j;
	struct found f, again;
	make_dir();
	open_journal(&j, &f);
	fill(&j, 4);
	struct reading before = read_all(&j, 0);
	uint64_t bytes = j.bytes;
	struct past_channel held = {.name = STR("c")};
	journal_snapshot(&j, 0, &held.snapshot);
	ck_assert_uint_eq(seal_all(&j), 4);
	ck_assert_uint_lt(j.bytes, bytes);
	ck_assert_int_ne(access(sealing, F_OK), 0);
	for (int life = 0; life < 2; life++) {
		struct reading after = read_all(&j, 0);
		ck_assert(str_eq(buf_str(&before.text), buf_str(&after.text)));
		ck_assert_int_eq(after.n_missing, 0);
		reading_fini(&after);
		/* From any place on, too. */
		for (int i = 0; i < 50; i++) {
			event_id from = id_make(1000000, 0) +
					(event_id)random() % (newest - id_make(1000000, 0) + 1);
			struct reading rest = read_all(&j, from);
			ck_assert_int_eq(rest.n_events, (int64_t)(newest - from));
			ck_assert_int_eq(rest.n_missing, 0);
			reading_fini(&rest);
		}
		bytes = j.bytes;
		uint64_t n_events = j.n_events;
		close_journal(&j);
		open_journal(&j, &again);
		ck_assert_uint_le(j.bytes, bytes + 2 * SEGMENT_HEADER);
		ck_assert_uint_eq(j.n_events, n_events);
		ck_assert_uint_eq(j.last, newest);
	}
	/* A reader that was there before reads what it had. */
	struct past p;
	int64_t n = 0;
	past_init(&p, &held, 0);
	for (past_advance(&p); p.id; past_advance(&p))
		n += !p.gap_reason;
	past_fini(&p);
	ck_assert_int_eq(n, before.n_events);
	journal_snapshot_fini(&held.snapshot);
	/* The newest cursor of each key is found whether or not its batch is sealed. */
	close_journal(&j);
	open_journal(&j, &f);
	ck_assert_mem_eq(&f, &again, sizeof(f));
	unsigned long long most = 0;
	for (int i = 0; i < 10; i++)
		most = MAX(most, strtoull(f.cursors[i], NULL, 10));
	ck_assert_uint_eq(most, newest);
	/* And it is written to. */
	append(&j, 10);
	reading_fini(&before);
	close_journal(&j);
	remove_dir();
}
END_TEST

static char *first_segment(void)
{
	char **paths;
	size_t n;
	ck_assert_int_eq(journal_list(dir, &paths, &n), 0);
	char *ret = mem_strdup(paths[0]);
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
	return ret;
}

static void copy_file(const char *from, const char *to)
{
	struct buf b = {0};
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n;
	while ((n = read(in, buf_reserve(&b, 65536), 65536)) > 0)
		ck_assert_int_eq(write(out, b.data, (size_t)n), n);
	close(in);
	close(out);
	buf_fini(&b);
}

/* Reads all after something has happened to the oldest segment: every event is there as it was,
 * or counted as missing.
 */
static void check_whole(const struct reading *whole, const char *what, long at)
{
	struct journal j;
	struct found f;
	open_journal(&j, &f);
	struct reading r = read_all(&j, 0);
	ck_assert_msg(r.n_events + r.n_missing == whole->n_events,
		      "%s at %ld: %ld read, %ld missing", what, at, (long)r.n_events,
		      (long)r.n_missing);
	/* What is read stands there in that order. */
	const char *from = whole->text.data, *end = from + whole->text.len;
	size_t tail = MIN(r.text.len, (size_t)64);
	ck_assert(memmem(from, (size_t)(end - from), r.text.data + r.text.len - tail, tail));
	ck_assert(r.n_missing || str_eq(buf_str(&r.text), buf_str(&whole->text)));
	reading_fini(&r);
	close_journal(&j);
	/* What was quarantined, and the segment that was begun. */
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[400];
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (strstr(e->d_name, ".damaged"))
			unlink(path);
	}
	closedir(d);
}

START_TEST(whatever_byte_is_wrong_an_event_is_right_or_missing)
{
	struct journal j;
	struct found f;
	make_dir();
	open_journal(&j, &f);
	fill(&j, 2);
	struct reading whole = read_all(&j, 0);
	seal_all(&j);
	close_journal(&j);
	char *path = first_segment(), *good = mem_printf("%s.good", path);
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	copy_file(path, good);
	const char *is_long = getenv("TEST_LONG");
	long step = is_long && strcmp(is_long, "1") == 0 ? 61 : 4001;
	for (long at = 0; at < st.st_size; at += at < 300 || at > st.st_size - 400 ? 3 : step) {
		int fd = open(path, O_RDWR);
		char byte;
		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		check_whole(&whole, "a wrong byte", at);
		copy_file(good, path);
		ck_assert_int_eq(truncate(path, at), 0);
		check_whole(&whole, "cut", at);
		copy_file(good, path);
	}
	/* Without the directory, all is found by the blocks. */
	ck_assert_int_eq(truncate(path, st.st_size - 1), 0);
	open_journal(&j, &f);
	ck_assert(j.segments[0]->sealed->is_rebuilt);
	struct reading r = read_all(&j, 0);
	ck_assert(str_eq(buf_str(&r.text), buf_str(&whole.text)));
	reading_fini(&r);
	/* And it is written anew. */
	ck_assert_uint_eq(seal_all(&j), 1);
	ck_assert(!j.segments[0]->sealed->is_rebuilt);
	r = read_all(&j, 0);
	ck_assert(str_eq(buf_str(&r.text), buf_str(&whole.text)));
	reading_fini(&r);
	reading_fini(&whole);
	close_journal(&j);
	free(path);
	free(good);
	remove_dir();
}
END_TEST

START_TEST(damage_that_was_there_before_stays_what_it_was)
{
	struct journal j;
	struct found f;
	make_dir();
	open_journal(&j, &f);
	fill(&j, 3);
	close_journal(&j);
	char *path = first_segment();
	int fd = open(path, O_RDWR);
	ck_assert_int_eq(pwrite(fd, "damaged", 7, 350000), 7);
	close(fd);
	open_journal(&j, &f);
	struct reading before = read_all(&j, 0);
	ck_assert_int_gt(before.n_missing, 0);
	ck_assert_uint_eq(seal_all(&j), 3);
	struct reading after = read_all(&j, 0);
	ck_assert(str_eq(buf_str(&before.text), buf_str(&after.text)));
	ck_assert_int_eq(before.n_missing, after.n_missing);
	reading_fini(&before);
	reading_fini(&after);
	close_journal(&j);
	free(path);
	remove_dir();
}
END_TEST

START_TEST(a_segment_that_is_gone_meanwhile_is_not_put_back)
{
	static const atomic_bool now = true;
	struct journal j;
	struct found f;
	struct segment *sealed;
	make_dir();
	open_journal(&j, &f);
	fill(&j, 2);
	struct segment *s = segment_ref(journal_next_to_seal(&j));
	ck_assert_int_eq(segment_seal(s, sealing, &now, &sealed), -ECANCELED);
	ck_assert_int_ne(access(sealing, F_OK), 0);
	ck_assert_int_eq(segment_seal(s, sealing, &never, &sealed), 0);
	ck_assert(journal_shrink(&j));
	ck_assert_int_eq(journal_put_sealed(&j, s, sealed), -ENOENT);
	ck_assert_int_ne(access(sealing, F_OK), 0);
	ck_assert_int_ne(access(s->path, F_OK), 0);
	segment_unref(s);
	/* What a killed process has left is removed. */
	close(open(sealing, O_WRONLY | O_CREAT, 0600));
	close_journal(&j);
	open_journal(&j, &f);
	ck_assert_int_ne(access(sealing, F_OK), 0);
	close_journal(&j);
	remove_dir();
}
END_TEST

START_TEST(differences_are_undone_and_damage_only_refused)
{
	struct buf row = {0}, text = {0};
	make_dir();
	for (int round = 0; round < 300; round++) {
		row.len = 0;
		uint64_t ordinal = (uint64_t)random();
		for (long n = random() % 5; n >= 0; n--) {
			size_t begun = row.len;
			memset(buf_reserve(&row, BATCH_HEADER), 0, BATCH_HEADER);
			row.len += BATCH_HEADER;
			event_id first = newest + 1;
			uint32_t events = 0;
			for (long k = random() % 20; k > 0; k--, events++) {
				text.len = 0;
				buf_printf(&text, "%ld", random());
				record_put_event(
					&row,
					&(struct event){.id = newest += (event_id)random() % 99 + 1,
							.time_ns = random() - random(),
							.type = STR("line"),
							.message = buf_str(&text)});
				if (random() % 4 == 0)
					record_put_cursor(&row, &(struct cursor){STR("s"), STR("k"),
										 buf_str(&text)});
			}
			char *h = row.data + begun;
			put_u32(h, BATCH_MAGIC);
			put_u32(h + BATCH_SIZE_AT, (uint32_t)(row.len - begun - BATCH_HEADER));
			put_u32(h + BATCH_EVENTS_AT, events);
			put_u64(h + BATCH_FIRST_AT, first);
			put_u64(h + BATCH_LAST_AT, newest);
			put_u64(h + BATCH_ORDINAL_AT, ordinal);
			ordinal += events;
			put_u32(h + BATCH_CRC_AT,
				crc32c(0, h + BATCH_CRC_FROM, row.len - begun - BATCH_CRC_FROM));
		}
		char *whole = mem_strndup(row.data, row.len),
		     *work = mem_strndup(row.data, row.len);
		ck_assert(delta_make(work, row.len));
		ck_assert(delta_undo(work, row.len));
		ck_assert_mem_eq(work, whole, row.len);
		/* Taken apart and put together again it is the same; other bytes do no harm. */
		struct buf apart = {0};
		char *again = mem_zero(row.len + 1);
		columns_make((struct str){whole, row.len}, &apart);
		ck_assert_uint_eq(apart.len, row.len + COLUMNS_COUNTS);
		ck_assert(columns_undo(buf_str(&apart), again, row.len));
		ck_assert_mem_eq(again, whole, row.len);
		ck_assert(!columns_undo(buf_str(&apart), again, row.len - 1));
		for (int i = 0; i < 20; i++) {
			apart.data[random() % (long)(i % 2 ? apart.len : 40)] = (char)random();
			bool ignored = columns_undo(buf_str(&apart), again, row.len);
			(void)ignored;
		}
		free(again);
		buf_fini(&apart);
		/* Something else than batches stays as it is. */
		work[random() % (long)row.len] ^= 1;
		char *damaged = mem_strndup(work, row.len);
		ck_assert(!delta_make(work, row.len));
		ck_assert_mem_eq(work, damaged, row.len);
		/* Nothing is read or written outside, whatever stands there. */
		for (int i = 0; i < 5; i++)
			work[random() % (long)row.len] = (char)random();
		bool ignored = delta_undo(work, row.len);
		(void)ignored;
		free(damaged);
		free(whole);
		free(work);
	}
	buf_fini(&row);
	buf_fini(&text);
	remove_dir();
}
END_TEST

START_TEST(what_a_text_holds_is_in_its_filter)
{
	struct bloom_keys keys = {0};
	struct buf bloom = {0};
	uint32_t grams[400], part[400];
	int absent = 0;
	for (int round = 0; round < 2000; round++) {
		char text[300];
		int letters = round % 3 ? 40 : 2;
		size_t n = (size_t)random() % sizeof(text);
		for (size_t i = 0; i < n; i++)
			text[i] = (char)('A' + random() % letters);
		size_t n_grams = grams_of((struct str){text, n}, grams);
		ck_assert_uint_le(n_grams, grams_max(n));
		ck_assert(n < GRAMS_MIN || n_grams);
		bloom_keys_clear(&keys);
		bloom.len = 0;
		for (size_t i = 0; i < n_grams; i++)
			bloom_keys_add(&keys, grams[i]);
		bloom_put(&bloom, &keys);
		for (int k = 0; k < 20 && n; k++) {
			size_t from = (size_t)random() % n, len = (size_t)random() % (n - from + 1);
			char small[300];
			for (size_t i = 0; i < len; i++)
				small[i] = text[from + i] <= 'Z' ? (char)(text[from + i] | 0x20)
								 : text[from + i];
			size_t m = grams_of((struct str){small, len}, part);
			for (size_t i = 0; i < m; i++) {
				size_t at = 0;
				while (at < n_grams && grams[at] != part[i])
					at++;
				ck_assert_uint_lt(at, n_grams);
				ck_assert(bloom_may_hold(buf_str(&bloom), part[i]));
			}
		}
		absent += n_grams > 20 && !bloom_may_hold(buf_str(&bloom), (uint32_t)random());
	}
	ck_assert_int_gt(absent, 1000);
	ck_assert(!bloom_may_hold((struct str){NULL, 0}, 1));
	bloom_keys_fini(&keys);
	buf_fini(&bloom);
}
END_TEST

UNIT_MAIN("sealed", differences_are_undone_and_damage_only_refused,
	  what_a_text_holds_is_in_its_filter, a_sealed_segment_reads_as_before_and_is_smaller,
	  whatever_byte_is_wrong_an_event_is_right_or_missing,
	  damage_that_was_there_before_stays_what_it_was,
	  a_segment_that_is_gone_meanwhile_is_not_put_back)

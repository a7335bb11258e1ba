/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "channel/cursors.h"
#include "journal/checkpoint.h"
#include "journal/journal.h"
#include "past/replay.h"

static char dir[64];

static void make_dir(void)
{
	strcpy(dir, "/tmp/sluice-journal-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
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

struct seen {
	int n_cursors;
	char last[64];
};

static void on_cursor(void *ctx, const struct cursor *c, event_id at maybe_unused)
{
	struct seen *s = ctx;
	s->n_cursors++;
	snprintf(s->last, sizeof(s->last), "%.*s", (int)c->value.len, c->value.data);
}

static struct journal_config config(struct seen *s)
{
	return (struct journal_config){.dir = dir,
				       .epoch = "test",
				       .max_bytes = 1 << 20,
				       .on_cursor = on_cursor,
				       .ctx = s};
}

static void open_journal(struct journal *j, struct seen *s)
{
	char *why = NULL;
	struct journal_config c = config(s);
	*s = (struct seen){0};
	ck_assert_msg(journal_open(&c, j, &why) == 0, "%s", why);
	ck_assert_msg(journal_begin(j, &why) == 0, "%s", why);
}

/* One event with the number as text, and a cursor of the same value. */
static void append_of(struct journal *j, int n, size_t pad, const char *type)
{
	struct buf b = {0}, text = {0};
	buf_reserve(&b, BATCH_HEADER);
	b.len = BATCH_HEADER;
	buf_printf(&text, "%d", n);
	size_t len = text.len;
	for (size_t i = 0; i < pad; i++)
		buf_putc(&text, 'x');
	event_id id = id_make((uint64_t)n, 0);
	record_put_event(&b, &(struct event){.id = id,
					     .severity = SEVERITY_NONE,
					     .type = str_of(type),
					     .source = STR("s"),
					     .message = buf_str(&text)});
	record_put_cursor(&b, &(struct cursor){STR("s"), STR("k"), {text.data, len}});
	ck_assert_int_eq(journal_append(j, &b, id, id, 1, n), 0);
	buf_fini(&b);
	buf_fini(&text);
}

static void append(struct journal *j, int n, size_t pad)
{
	append_of(j, n, pad, "line");
}

static struct filter_run run; /* no filter here uses it */

/* What a replay of everything after `after` brings, as text. */
static void replay_all(struct journal *j, event_id after, event_id gap_to, uint64_t tail,
		       struct buf *out)
{
	struct replay *r = replay_new(1);
	r->epoch = STR("e");
	r->format = FORMAT_SSE_MESSAGE;
	r->run = &run;
	r->after = after;
	r->upto = j->last;
	r->tail = tail;
	r->budget = SIZE_MAX / 2;
	r->channels[0].name = STR("c");
	r->channels[0].gap_to = gap_to;
	if (tail) {
		journal_snapshot_back(j, j->last, &r->channels[0].snapshot);
		tail_search_init(&r->search, r->channels, 1, r->upto, tail);
	} else {
		journal_snapshot(j, after, &r->channels[0].snapshot);
	}
	while (!replay_run(r))
		;
	bool is_complete = r->is_complete;
	event_id last = r->last;
	buf_put_str(out, buf_str(&r->out));
	replay_free(r);
	if (!is_complete) /* its slice of time was over, as under valgrind */
		replay_all(j, last, 0, 0, out);
}

static int count(struct buf *b, const char *what)
{
	int n = 0;
	for (const char *p = buf_text(b); (p = strstr(p, what)); p++)
		n++;
	return n;
}

START_TEST(what_was_appended_is_there_after_a_restart_with_its_cursor)
{
	struct journal j;
	struct seen s;
	struct buf out = {0};
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 100; i++)
		append(&j, i, 0);
	journal_close(&j);
	open_journal(&j, &s);
	ck_assert_uint_eq(j.n_events, 100);
	ck_assert_int_eq(s.n_cursors, 100);
	ck_assert_str_eq(s.last, "100");
	replay_all(&j, id_make(40, 0), 0, 0, &out);
	ck_assert_int_eq(count(&out, "event: line"), 60);
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "id: e.41-0\n"));
	out.len = 0;
	replay_all(&j, 0, 0, 7, &out);
	ck_assert_int_eq(count(&out, "event: line"), 7);
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "data: 94\n"));
	buf_fini(&out);
	journal_close(&j);
	remove_dir();
}
END_TEST

static char *only_segment(void)
{
	DIR *d = opendir(dir);
	char *path = NULL;
	for (struct dirent *e; (e = readdir(d));)
		if (strstr(e->d_name, ".seg"))
			path = mem_printf("%s/%s", dir, e->d_name);
	closedir(d);
	return path;
}

START_TEST(a_segment_cut_at_every_length_keeps_the_longest_good_prefix)
{
	struct journal j;
	struct seen s;
	make_dir();
	open_journal(&j, &s);
	uint64_t ends[6] = {SEGMENT_HEADER};
	for (int i = 1; i <= 5; i++) {
		append(&j, i, 3);
		ends[i] = j.segments[0]->size;
	}
	journal_close(&j);
	char *path = only_segment();
	for (uint64_t cut = ends[5]; cut-- > SEGMENT_HEADER;) {
		ck_assert_int_eq(truncate(path, (off_t)cut), 0);
		open_journal(&j, &s);
		uint64_t want = 0;
		while (want < 5 && ends[want + 1] <= cut)
			want++;
		ck_assert_uint_eq(j.n_events, want);
		ck_assert_int_eq(s.n_cursors, (int)want);
		/* And it can be written to again, at the place of the cut. */
		ck_assert_uint_eq(j.segments[0]->size, ends[want]);
		journal_close(&j);
	}
	free(path);
	remove_dir();
}
END_TEST

START_TEST(a_flipped_byte_anywhere_loses_one_batch_and_says_so)
{
	struct journal j;
	struct seen s;
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 4; i++)
		append(&j, i, 3);
	uint64_t size = j.segments[0]->size;
	journal_close(&j);
	char *path = only_segment();
	int fd = open(path, O_RDWR);
	for (uint64_t at = SEGMENT_HEADER; at < size; at++) {
		char byte, flipped;
		ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
		flipped = (char)(byte ^ 0x40);
		ck_assert_int_eq(pwrite(fd, &flipped, 1, (off_t)at), 1);
		/* A newer segment, so that this one is not the one being written. */
		open_journal(&j, &s);
		bool is_last_batch = j.n_events == 3 && j.torn_bytes;
		/* The others know that there was one more. */
		ck_assert_uint_eq(j.segments[0]->n_events, is_last_batch ? 3 : 4);
		ck_assert_uint_eq(j.n_missing, is_last_batch ? 0 : 1);
		struct buf out = {0};
		replay_all(&j, 0, 0, 0, &out);
		ck_assert_int_eq(count(&out, "event: line"), 3);
		ck_assert_int_eq(count(&out, "event: gap"), is_last_batch ? 0 : 1);
		ck_assert_int_eq(count(&out, "\"count\":1"), is_last_batch ? 0 : 1);
		buf_fini(&out);
		journal_close(&j);
		ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
		if (is_last_batch)
			break; /* it was cut off: what follows is gone from the file */
	}
	close(fd);
	free(path);
	remove_dir();
}
END_TEST

static void put_checkpoint(void *ctx maybe_unused, struct buf *entries)
{
	checkpoint_put(entries, 1, &(struct cursor){STR("s"), STR("old"), STR("still here")});
}

static void on_old_cursor(void *ctx, const struct cursor *c, event_id at)
{
	struct seen *s = ctx;
	if (at == 1 && str_is(c->key, "old"))
		s->n_cursors += str_is(c->value, "still here");
}

START_TEST(retention_drops_whole_segments_and_carries_the_cursors_on)
{
	struct journal j;
	struct seen s = {0};
	char *why = NULL;
	struct journal_config c = config(&s);
	c.checkpoint = put_checkpoint;
	make_dir();
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	for (int i = 1; i <= 4000; i++)
		append(&j, i, 1000);
	ck_assert_uint_le(j.bytes, 1 << 20);
	ck_assert_uint_gt(journal_low_watermark(&j), 0);
	ck_assert_uint_eq(j.n_events, 4000);
	event_id floor = journal_low_watermark(&j);
	struct buf out = {0};
	replay_all(&j, id_make(1, 0), floor, 0, &out);
	ck_assert_int_eq(count(&out, "event: gap"), 1);
	ck_assert_int_eq(count(&out, "event: line"), (int)(4000 - id_ms(floor)));
	ck_assert_ptr_eq(strstr(buf_text(&out), "event: gap"), strstr(buf_text(&out), "event: "));
	buf_fini(&out);
	journal_close(&j);
	s.n_cursors = 0;
	c.on_cursor = on_old_cursor;
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	ck_assert_uint_eq(j.n_events, 4000);
	ck_assert_uint_eq(journal_low_watermark(&j), floor);
	ck_assert_int_eq(s.n_cursors, 1);
	ck_assert(!j.is_short);
	journal_close(&j);
	remove_dir();
}
END_TEST

START_TEST(events_go_when_they_are_older_than_the_age_also_in_a_quiet_channel)
{
	struct journal j;
	struct seen s = {0};
	char *why = NULL;
	struct journal_config c = config(&s);
	c.max_age_ms = 1000;
	make_dir();
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	for (int ms = 1; ms <= 3000; ms += 10)
		append(&j, ms, 0);
	ck_assert_int_gt(journal_expire(&j, 3000), 0);
	/* Whole segments, each a quarter of the age. */
	ck_assert_uint_gt(journal_low_watermark(&j), id_make(1700, 0));
	ck_assert_uint_le(journal_low_watermark(&j), id_make(2000, 0));
	journal_expire(&j, 10000);
	ck_assert_uint_eq(journal_low_watermark(&j), id_make(2991, 0));
	append(&j, 10001, 0);
	journal_close(&j);
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	ck_assert_uint_eq(journal_low_watermark(&j), id_make(2991, 0));
	journal_close(&j);
	remove_dir();
}
END_TEST

START_TEST(a_replay_within_a_budget_goes_on_where_it_stopped)
{
	struct journal j;
	struct seen s;
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 500; i++)
		append(&j, i, 20);
	event_id after = 0;
	int got = 0, rounds = 0;
	for (bool complete = false; !complete; rounds++) {
		struct replay *r = replay_new(1);
		r->epoch = STR("e");
		r->format = FORMAT_SSE_MESSAGE;
		r->run = &run;
		r->after = after;
		r->upto = j.last;
		r->budget = 1000;
		r->channels[0].name = STR("c");
		journal_snapshot(&j, after, &r->channels[0].snapshot);
		ck_assert(replay_run(r));
		got += count(&r->out, "event: line");
		after = r->last;
		complete = r->is_complete;
		replay_free(r);
	}
	ck_assert_int_eq(got, 500);
	ck_assert_int_gt(rounds, 10);
	journal_close(&j);
	remove_dir();
}
END_TEST

static int n_read;

static void on_read_at_once(struct replay *r)
{
	struct loop *l = r->owner;
	if (!r->is_complete) { /* its slice of time was over */
		r->after = r->last;
		replay_submit(r->readers, r, 0);
		return;
	}
	ck_assert_uint_eq(r->n_events, 33); /* 30 end in 7; 33, 133, 233 */
	replay_free(r);
	if (++n_read == 64)
		loop_stop(l);
}

START_TEST(several_readers_share_a_filter_and_its_regexes)
{
	struct readers readers;
	struct journal j;
	struct seen s;
	struct regex_pool pool;
	struct buf why = {0};
	struct loop *l = loop_new();
	char *trouble = NULL;
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 300; i++)
		append(&j, i, 20);
	regex_pool_init(&pool);
	struct filter *f = filter_parse(
		&pool, STR("message ~ /^[0-9]*7x+$/ or message icontains \"33X\""), &why);
	ck_assert_msg(f != NULL, "%s", buf_text(&why));
	ck_assert_int_eq(readers_start(&readers, l, &trouble), 0);
	for (unsigned i = 0; i < 64; i++) {
		struct replay *r = replay_new(1);
		r->owner = l;
		r->done = on_read_at_once;
		r->epoch = STR("e");
		r->format = FORMAT_SSE_MESSAGE;
		r->upto = j.last;
		r->budget = SIZE_MAX / 2;
		r->channels[0].name = STR("c");
		r->channels[0].filter = filter_ref(f);
		journal_snapshot(&j, 0, &r->channels[0].snapshot);
		replay_submit(&readers, r, i % 5);
	}
	loop_run(l);
	readers_stop(&readers);
	loop_free(l);
	filter_unref(f);
	regex_pool_fini(&pool);
	buf_fini(&why);
	journal_close(&j);
	remove_dir();
}
END_TEST

/* Each slice gets on by a few events only. */
START_TEST(the_latest_of_each_kind_are_found_in_slices)
{
	struct journal j;
	struct seen s;
	struct buf out = {0};
	int slices = 1;
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 100; i++)
		append_of(&j, i, 1, i % 30 ? "line" : "rare");
	struct replay *r = replay_new(1);
	r->epoch = STR("e");
	r->format = FORMAT_SSE_MESSAGE;
	r->run = &run;
	r->upto = j.last;
	r->is_latest = true;
	r->channels[0].name = STR("c");
	journal_snapshot(&j, 0, &r->channels[0].snapshot);
	atomic_store(&r->is_cancelled, true); /* as if time were always over */
	while (!replay_run(r))
		slices++;
	buf_put_str(&out, buf_str(&r->out));
	ck_assert_int_gt(slices, 100 / 8);
	ck_assert(r->is_complete && r->last == j.last);
	ck_assert_uint_eq(r->n_events, 2);
	ck_assert_int_eq(count(&out, "data: 90x"), 1);
	ck_assert_int_eq(count(&out, "data: 100x"), 1);
	ck_assert_int_eq(count(&out, "\"reason\":\"slow\""), 1);
	replay_free(r);
	buf_fini(&out);
	journal_close(&j);
	remove_dir();
}
END_TEST

/* A slow filter, so that each slice ends within a piece, or within a batch of it. */
/* How many numbers up to 20,000 that begin with 1777 come after an id. */
static uint64_t n_1777_after(event_id after)
{
	uint64_t n = 0;
	for (int i = 17770; i < 17780; i++)
		n += id_make((uint64_t)i, 0) > after;
	return n + (id_make(1777, 0) > after);
}

START_TEST(a_search_that_is_interrupted_at_every_event_finds_the_same)
{
	struct journal j;
	struct seen s;
	struct buf why = {0}, text = {0};
	struct filter_run slow;
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 20000; i++)
		append(&j, i, 200);
	for (int i = 0; i < 100; i++)
		buf_printf(&text, "%smessage contains \"y%d\"", i ? " or " : "", i);
	buf_puts(&text, " or message startswith \"1777\"");
	struct filter *f = filter_parse(NULL, buf_str(&text), &why);
	ck_assert_msg(f != NULL, "%s", buf_text(&why));
	filter_run_init(&slow);
	struct past_channel c = {.name = STR("c"), .filter = f};
	journal_snapshot_back(&j, j.last, &c.snapshot);
	event_id found[2];
	int slices[2] = {0};
	for (int interrupted = 0; interrupted < 2; interrupted++) {
		struct tail_search l;
		tail_search_init(&l, &c, 1, j.last, 8);
		int64_t slice_ns = interrupted ? 10 * 1000 : 100 * NS_PER_SEC;
		while (!tail_search_run(&l, &slow, clock_mono_ns() + slice_ns)) {
			uint64_t n = tail_search_found(&l); /* which is never a guess */
			ck_assert_uint_eq(n, n_1777_after(tail_search_after(&l)));
			slices[interrupted]++;
		}
		ck_assert_uint_ge(l.n_ids, 8);
		ck_assert_uint_le(l.n_ids, 11); /* each once: 17770 to 17779, 1777 */
		found[interrupted] = tail_search_after(&l);
		tail_search_fini(&l);
	}
	ck_assert_uint_eq(found[0], found[1]);
	ck_assert_uint_eq(found[0], id_make(17772, 0) - 1);
	ck_assert_int_eq(slices[0], 0);
	ck_assert_int_gt(slices[1], 0);
	journal_snapshot_fini(&c.snapshot);
	filter_run_fini(&slow);
	filter_unref(f);
	buf_fini(&why);
	buf_fini(&text);
	journal_close(&j);
	remove_dir();
}
END_TEST

START_TEST(the_newest_cursor_wins_and_a_forgotten_one_stays_forgotten)
{
	struct cursors *c = cursors_new();
	int owner;
	struct buf out = {0};
	for (int i = 0; i < 1000; i++) {
		char key[16];
		snprintf(key, sizeof(key), "k%d", i);
		cursors_set(c, &(struct cursor){STR("s"), str_of(key), STR("v")}, 10, &owner);
	}
	cursors_set(c, &(struct cursor){STR("s"), STR("k7"), STR("old")}, 5, &owner);
	cursors_set(c, &(struct cursor){STR("s"), STR("k8"), {NULL, 0}}, 11, &owner);
	cursors_set(c, &(struct cursor){STR("s"), STR("k8"), STR("old")}, 9, &owner);
	/* The journal that forgot it is read first, the one that had it later. */
	cursors_set(c, &(struct cursor){STR("s"), STR("moved"), {NULL, 0}}, 11, &owner);
	cursors_set(c, &(struct cursor){STR("s"), STR("moved"), STR("old")}, 9, &owner);
	ck_assert_uint_eq(cursors_get(c, STR("s"), STR("moved")).len, 0);
	ck_str_is(cursors_get(c, STR("s"), STR("k7")), "v");
	cursors_put_of_source(c, "s", &out);
	struct str rest = buf_str(&out);
	struct record r;
	int n = 0;
	while (record_next(&rest, &r) == 1) {
		n++;
		ck_str_is(r.cursor.value, "v");
	}
	ck_assert_int_eq(n, 999);
	out.len = 0;
	cursors_put_of_source(c, "another", &out);
	ck_assert_uint_eq(out.len, 0);
	buf_fini(&out);
	cursors_free(c);
}
END_TEST

/* Keys of 48 bytes that all fell into one slot when the hash was FNV-1a: each of 16 pairs
 * of blocks leads to the same low bits, whichever of the two stands there.
 */
enum { BLOCKS = 16, BLOCK = 3, SLOT_BITS = 17 };

static uint32_t low_bits(uint32_t h, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (uint32_t)((h ^ (unsigned char)p[i]) * 1099511628211ULL);
	return h & ((1u << SLOT_BITS) - 1);
}

static void put_block(char block[BLOCK], uint32_t n)
{
	for (int i = 0; i < BLOCK; i++)
		block[i] = (char)('0' + (n >> (6 * i) & 63));
}

static void find_pairs(char pairs[BLOCKS][2][BLOCK])
{
	uint32_t *seen = mem_zero(sizeof(*seen) << SLOT_BITS);
	uint32_t h = low_bits((uint32_t)14695981039346656037ULL, "s\xff", 2);
	for (int i = 0; i < BLOCKS; i++) {
		uint32_t to;
		memset(seen, 0, sizeof(*seen) << SLOT_BITS);
		for (uint32_t n = 1;; n++) {
			put_block(pairs[i][1], n);
			to = low_bits(h, pairs[i][1], BLOCK);
			if (seen[to])
				break;
			seen[to] = n;
		}
		put_block(pairs[i][0], seen[to]);
		h = to;
	}
	free(seen);
}

START_TEST(a_plugin_finds_no_cursors_that_share_a_slot)
{
	char pairs[BLOCKS][2][BLOCK], key[BLOCKS * BLOCK];
	struct cursors *c = cursors_new();
	int owner;
	find_pairs(pairs);
	clock_t began = clock();
	for (uint32_t n = 0; n < CURSORS_OF_SOURCE_MAX; n++) {
		for (int i = 0; i < BLOCKS; i++)
			memcpy(key + i * BLOCK, pairs[i][n >> i & 1], BLOCK);
		struct cursor cur = {STR("s"), {key, sizeof(key)}, STR("v")};
		ck_assert(cursors_admit(c, &cur));
		cursors_set(c, &cur, n + 1, &owner);
	}
	/* A tenth of a second; 20 when each is compared with all others. */
	ck_assert_int_lt((clock() - began) / CLOCKS_PER_SEC, 5);
	cursors_free(c);
}
END_TEST

/* ---- cursors ------------------------------------------------------------------------- */

enum { KEYS = 60 };

/* Whoever appends: each batch sets a cursor of its own, which is taken over after it. */
struct taker {
	int taken;
	bool found[KEYS + 1];
};

/* As many bytes as a source with very many of them has. */
static void put_others(struct buf *entries)
{
	static char much[CURSOR_VALUE_MAX];
	for (int i = 0; i < 250; i++) {
		struct cursor c = {STR("s"), STR("much"), {much, sizeof(much)}};
		checkpoint_put(entries, 1, &c);
	}
}

static void put_taken(void *ctx, struct buf *entries)
{
	const struct taker *t = ctx;
	put_others(entries);
	for (int i = 1; i <= t->taken; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%d", i);
		struct cursor c = {STR("s"), str_of(key), STR("v")};
		checkpoint_put(entries, id_make((uint64_t)i, 0), &c);
	}
}

static void on_taken(void *ctx, const struct cursor *c, event_id at maybe_unused)
{
	struct taker *t = ctx;
	int n = 0;
	for (size_t i = 0; i < c->key.len && c->key.data[i] <= '9'; i++)
		n = n * 10 + c->key.data[i] - '0';
	t->found[MIN(n, KEYS)] = true;
}

static void take_one(struct journal *j, int n)
{
	static char text[200000];
	struct buf b = {0};
	char key[16];
	snprintf(key, sizeof(key), "%d", n);
	buf_reserve(&b, BATCH_HEADER);
	b.len = BATCH_HEADER;
	event_id id = id_make((uint64_t)n, 0);
	memset(text, 'x', sizeof(text));
	record_put_event(&b, &(struct event){.id = id,
					     .severity = SEVERITY_NONE,
					     .type = STR("line"),
					     .source = STR("s"),
					     .message = {text, sizeof(text)}});
	record_put_cursor(&b, &(struct cursor){STR("s"), str_of(key), STR("v")});
	ck_assert_int_eq(journal_append(j, &b, id, id, 1, n), 0);
	buf_fini(&b);
}

START_TEST(cursors_outlive_their_segments_wherever_a_kill_comes)
{
	struct journal j, killed;
	struct taker t = {0}, again;
	char *why = NULL;
	make_dir();
	struct journal_config c = {.dir = dir,
				   .epoch = "test",
				   .max_bytes = 1 << 20,
				   .on_cursor = on_taken,
				   .checkpoint = put_taken,
				   .ctx = &t};
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	for (int i = 1; i < KEYS; i++) {
		take_one(&j, i);
		t.taken = i;
		struct journal_config k = c;
		again = (struct taker){0};
		k.ctx = &again;
		ck_assert_int_eq(journal_open(&k, &killed, &why), 0);
		for (int n = 1; n <= i; n++)
			ck_assert_msg(again.found[n], "cursor %d is lost with batch %d", n, i);
		journal_close(&killed);
	}
	journal_close(&j);
	remove_dir();
}
END_TEST

static void count_checkpoints(void *ctx, struct buf *entries maybe_unused)
{
	++*(int *)ctx;
}

START_TEST(forgotten_cursors_go_in_memory_too)
{
	struct journal j;
	int n = 0;
	char *why = NULL;
	struct journal_config c = {
		.epoch = "test", .max_bytes = 1 << 20, .checkpoint = count_checkpoints, .ctx = &n};
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	int before = n;
	for (int i = 1; i < 1000; i++)
		append(&j, i, 2000);
	ck_assert_int_gt(n, before);
	journal_close(&j);
}
END_TEST

START_TEST(a_forgotten_cursor_is_gone_unless_another_journal_may_bring_it_back)
{
	struct cursors *c = cursors_new();
	int a, b;
	struct buf out = {0};
	const struct str none = {NULL, 0};
	cursors_set(c, &(struct cursor){STR("s"), STR("moved"), STR("v")}, 10, &a);
	cursors_set(c, &(struct cursor){STR("s"), STR("moved"), none}, 11, &b);
	/* The journal that has it is read after the one that forgot it. */
	cursors_set(c, &(struct cursor){STR("s"), STR("read late"), none}, 11, &b);
	cursors_set(c, &(struct cursor){STR("s"), STR("read late"), STR("v")}, 10, &a);
	cursors_set(c, &(struct cursor){STR("s"), STR("here alone"), none}, 11, &b);
	cursors_settle(c);
	for (int i = 0; i < 1000; i++) {
		char key[16];
		snprintf(key, sizeof(key), "k%d", i);
		cursors_set(c, &(struct cursor){STR("s"), str_of(key), STR("v")}, 20, &b);
		cursors_set(c, &(struct cursor){STR("s"), str_of(key), none}, 21, &b);
		cursors_set(c, &(struct cursor){STR("s"), str_of(key), none}, 22, &b);
	}
	cursors_put_of_owner(c, &b, &out);
	struct str rest = buf_str(&out);
	struct cursor cur;
	event_id at;
	int n = 0;
	while (checkpoint_next(&rest, &at, &cur)) {
		n++;
		ck_assert_uint_eq(cur.value.len, 0);
		ck_assert(str_is(cur.key, "moved") || str_is(cur.key, "read late"));
	}
	ck_assert_int_eq(n, 2);
	buf_fini(&out);
	cursors_free(c);
}
END_TEST

/* ---- what is taken away from a journal ------------------------------------------------- */

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

START_TEST(cursors_of_a_segment_that_is_removed_are_written_elsewhere_at_once)
{
	enum { N = 23 };
	struct journal j;
	struct taker t = {0}, again = {0};
	struct witness *w;
	char path[100], *why = NULL;
	make_dir();
	snprintf(path, sizeof(path), "%s/witness", dir);
	ck_assert_int_eq(witness_open(path, true, &w), 0);
	struct journal_config c = {.dir = dir,
				   .epoch = "test",
				   .max_bytes = 8 << 20,
				   .witness = w,
				   .name = "c",
				   .on_cursor = on_taken,
				   .checkpoint = put_taken,
				   .ctx = &t};
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	for (int i = 1; i <= N; i++, t.taken++)
		take_one(&j, i);
	ck_assert_int_eq(unlink(j.segments[j.n - 2]->path), 0);
	journal_tend(&j, 5000);
	journal_close(&j); /* which adds nothing to what a kill leaves */
	c.ctx = &again;
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert(!j.is_short);
	ck_assert_uint_gt(j.n_missing, 0);
	for (int i = 1; i <= N; i++)
		ck_assert_msg(again.found[i], "cursor %d is lost", i);
	close_watched(&j, w);
	remove_dir();
}
END_TEST

START_TEST(a_clock_that_was_wrong_for_a_while_keeps_nothing_for_ever)
{
	struct journal j;
	struct seen s = {0};
	char *why = NULL;
	struct journal_config c = config(&s);
	c.max_age_ms = 1000;
	make_dir();
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	int64_t now = 1000000;
	struct buf b = {0};
	/* Events come while the clock is an hour ahead, and after it was set right; their ids
	 * stay ahead, for they only grow.
	 */
	for (int i = 0; i < 200; i++, now += 20) {
		event_id id = id_make(4600000, (uint32_t)i + 1);
		b.len = 0;
		buf_reserve(&b, BATCH_HEADER);
		b.len = BATCH_HEADER;
		record_put_event(&b, &(struct event){.id = id,
						     .severity = SEVERITY_NONE,
						     .type = STR("line"),
						     .source = STR("s")});
		ck_assert_int_eq(journal_append(&j, &b, id, id, 1, i < 10 ? now + 3600000 : now),
				 0);
		journal_correct_times(&j, now);
		journal_expire(&j, now);
	}
	ck_assert_uint_gt(j.low_ordinal, 100);
	ck_assert_uint_lt(j.n, 10);
	buf_fini(&b);
	journal_close(&j);
	remove_dir();
}
END_TEST

START_TEST(an_idle_journal_takes_next_to_nothing_of_the_disk)
{
	struct journal j;
	struct seen s;
	struct stat st;
	make_dir();
	open_journal(&j, &s);
	j.config.max_bytes = 512 << 20;
	append(&j, 1, 100);
	journal_tend(&j, 1);
	ck_assert_int_eq(stat(j.segments[0]->path, &st), 0);
	ck_assert_int_le(st.st_blocks * 512, 64 * 1024);
	/* What is set aside grows with what comes, and goes when the disk is short. */
	for (int i = 2; i < 100; i++)
		append(&j, i, 2000);
	journal_spare(&j, true);
	ck_assert_int_eq(stat(j.segments[j.n - 1]->path, &st), 0);
	ck_assert_int_le(st.st_blocks * 512, st.st_size + 8192);
	journal_close(&j);
	remove_dir();
}
END_TEST

UNIT_MAIN("journal", the_latest_of_each_kind_are_found_in_slices,
	  cursors_outlive_their_segments_wherever_a_kill_comes, forgotten_cursors_go_in_memory_too,
	  a_forgotten_cursor_is_gone_unless_another_journal_may_bring_it_back,
	  who_reads_on_behind_a_hole_does_not_read_all_from_there,
	  a_header_that_was_cut_off_is_made_whole_before_anything_is_written,
	  a_segment_that_was_just_being_dropped_is_not_read_once_more,
	  cursors_of_a_segment_that_is_removed_are_written_elsewhere_at_once,
	  a_segment_that_is_gone_is_a_gap_with_its_exact_count,
	  a_flipped_bit_in_a_header_loses_nothing, whatever_is_taken_from_a_journal_is_declared,
	  a_clock_that_was_wrong_for_a_while_keeps_nothing_for_ever,
	  an_idle_journal_takes_next_to_nothing_of_the_disk,
	  what_was_appended_is_there_after_a_restart_with_its_cursor,
	  a_segment_cut_at_every_length_keeps_the_longest_good_prefix,
	  a_flipped_byte_anywhere_loses_one_batch_and_says_so,
	  retention_drops_whole_segments_and_carries_the_cursors_on,
	  events_go_when_they_are_older_than_the_age_also_in_a_quiet_channel,
	  a_replay_within_a_budget_goes_on_where_it_stopped,
	  several_readers_share_a_filter_and_its_regexes,
	  a_search_that_is_interrupted_at_every_event_finds_the_same,
	  the_newest_cursor_wins_and_a_forgotten_one_stays_forgotten,
	  a_plugin_finds_no_cursors_that_share_a_slot)

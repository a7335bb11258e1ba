/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "channel/cursors.h"
#include "journal/checkpoint.h"
#include "journal_rig.h"

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
	journal_close(&j);
	witness_close(w);
	remove_dir();
}
END_TEST

UNIT_MAIN("cursors", the_newest_cursor_wins_and_a_forgotten_one_stays_forgotten,
	  a_plugin_finds_no_cursors_that_share_a_slot,
	  cursors_outlive_their_segments_wherever_a_kill_comes, forgotten_cursors_go_in_memory_too,
	  a_forgotten_cursor_is_gone_unless_another_journal_may_bring_it_back,
	  cursors_of_a_segment_that_is_removed_are_written_elsewhere_at_once)

/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <zlib.h>

#include "stream/view_log.h"
#include "wire/fcgi.h"

enum { ROUNDS = 400 };

static struct view_log new_log(enum handoff_framing framing, bool gzips)
{
	struct view_log l;
	view_log_init(&l, FORMAT_SSE, framing, gzips, STR("epoch"));
	return l;
}

static void put(struct view_log *l, event_id id, const char *text)
{
	const struct event ev = {.id = id,
				 .severity = SEVERITY_NONE,
				 .type = STR("line"),
				 .source = STR("s"),
				 .message = str_of(text)};
	view_log_put_event(l, "c", &ev);
}

/* The same numbers in each run. */
static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 16;
}

static void put_random(struct view_log *l, event_id id, unsigned seed)
{
	char text[2000];
	size_t n = next_random(&seed) % (sizeof(text) - 1);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + next_random(&seed) % 26);
	text[n] = 0;
	put(l, id, text);
}

static struct str read_from(struct view_log *l, uint64_t pos)
{
	struct str ret;
	ck_assert_int_eq(view_log_read(l, pos, false, &ret), 0);
	return ret;
}

START_TEST(groups_end_with_whole_events_and_are_read_from_any)
{
	struct view_log l = new_log(HANDOFF_PLAIN, false);
	for (event_id id = 1; id <= 200; id++)
		put_random(&l, id, (unsigned)id);
	uint64_t end = view_log_end(&l);
	ck_assert_uint_gt(end, 5);
	size_t before = read_from(&l, 0).len + 1;
	for (uint64_t pos = 0; pos < end; pos++) {
		struct str rest = read_from(&l, pos), one;
		ck_assert_uint_lt(rest.len, before);
		before = rest.len;
		ck_assert_int_eq(memcmp(rest.data, "id:", 3), 0);
		ck_assert_int_eq(memcmp(rest.data + rest.len - 2, "\n\n", 2), 0);
		ck_assert_int_eq(view_log_read(&l, pos, true, &one), 0);
		ck_assert_int_eq(memcmp(one.data + one.len - 2, "\n\n", 2), 0);
		ck_assert_uint_lt(one.len, VIEW_GROUP + 4096);
	}
	ck_assert_uint_eq(read_from(&l, end).len, 0);
	view_log_fini(&l);
}
END_TEST

START_TEST(who_stopped_anywhere_gets_the_rest_of_that_group)
{
	struct view_log l = new_log(HANDOFF_FCGI, false);
	for (event_id id = 1; id <= 5; id++) {
		put(&l, id * 10, "something");
		view_log_end(&l);
	}
	struct str all = read_from(&l, 0);
	for (size_t n = 1; n < all.len; n++) {
		uint64_t pos = 0;
		event_id last = 7;
		struct str rest = view_log_cut(&l, &pos, n, &last);
		ck_assert_ptr_eq(rest.data, all.data + n);
		ck_assert_uint_eq(last, pos * 10);
		struct str from_there = read_from(&l, pos);
		ck_assert_uint_eq(rest.len + from_there.len, all.len - n);
		ck_assert(!from_there.len || from_there.data == rest.data + rest.len);
	}
	view_log_fini(&l);
}
END_TEST

START_TEST(what_has_left_the_window_is_stale_and_the_rest_stays)
{
	struct view_log l = new_log(HANDOFF_PLAIN, false);
	for (event_id id = 1; id <= 100; id++) {
		put_random(&l, id, (unsigned)id);
		view_log_end(&l);
	}
	uint64_t end = view_log_end(&l);
	struct buf tail = {0};
	buf_put_str(&tail, read_from(&l, end - 3));
	view_log_halve(&l, 20000);
	struct str ignored;
	ck_assert_int_eq(view_log_read(&l, 0, false, &ignored), -ESTALE);
	ck_assert(str_eq(read_from(&l, end - 3), buf_str(&tail)));
	ck_assert_uint_le(l.bytes.len, 10000);
	view_log_empty(&l);
	ck_assert_int_eq(view_log_read(&l, end - 1, false, &ignored), -ESTALE);
	ck_assert_uint_eq(view_log_end(&l), end);
	put(&l, 101, "new");
	ck_assert_uint_gt(read_from(&l, end).len, 0);
	buf_fini(&tail);
	view_log_fini(&l);
}
END_TEST

static void inflate_all(struct str packed, struct buf *out)
{
	z_stream z = {0};
	ck_assert_int_eq(inflateInit2(&z, -15), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)packed.data;
	z.avail_in = (unsigned)packed.len;
	while (z.avail_in) {
		char *room = buf_reserve(out, 4096);
		z.next_out = (Bytef *)room;
		z.avail_out = 4096;
		int r = inflate(&z, Z_SYNC_FLUSH);
		ck_assert_msg(r == Z_OK, "inflate: %d %s", r, z.msg ? z.msg : "");
		out->len += 4096 - z.avail_out;
	}
	inflateEnd(&z);
}

START_TEST(compressed_groups_read_as_plain_ones_from_wherever_somebody_joined)
{
	struct view_log plain = new_log(HANDOFF_PLAIN, false),
			packed = new_log(HANDOFF_PLAIN, true);
	uint64_t joins[ROUNDS];
	size_t n_joins = 0;
	unsigned state = 1;
	event_id id = 1;
	for (int round = 0; round < ROUNDS; round++) {
		if (next_random(&state) % 7 == 0) {
			joins[n_joins] = view_log_join(&packed);
			ck_assert_uint_eq(view_log_join(&plain), joins[n_joins]);
			n_joins++;
		}
		switch (next_random(&state) % 10) {
		case 0:
			view_log_put_heartbeat(&plain, id, SSE_HEARTBEAT_ID);
			view_log_put_heartbeat(&packed, id, SSE_HEARTBEAT_ID);
			break;
		default:
			for (unsigned n = next_random(&state) % 4; n--; id++) {
				put_random(&plain, id, (unsigned)id);
				put_random(&packed, id, (unsigned)id);
			}
		}
		ck_assert_uint_eq(view_log_end(&plain), view_log_end(&packed));
	}
	ck_assert_uint_gt(n_joins, 10);
	for (size_t i = 0; i < n_joins; i++) {
		struct buf text = {0};
		inflate_all(read_from(&packed, joins[i]), &text);
		ck_assert(str_eq(buf_str(&text), read_from(&plain, joins[i])));
		buf_fini(&text);
	}
	view_log_fini(&plain);
	view_log_fini(&packed);
}
END_TEST

UNIT_MAIN("view_log", groups_end_with_whole_events_and_are_read_from_any,
	  who_stopped_anywhere_gets_the_rest_of_that_group,
	  what_has_left_the_window_is_stale_and_the_rest_stays,
	  compressed_groups_read_as_plain_ones_from_wherever_somebody_joined)

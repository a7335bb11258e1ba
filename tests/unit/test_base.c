/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/json.h"
#include "base/list.h"
#include "base/log.h"
#include "base/sink.h"
#include "base/siphash.h"
#include "base/table.h"
#include "base/timestamp.h"
#include "base/unit.h"
#include "base/utf8.h"

START_TEST(any_bytes_become_valid_utf8)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{"plain", "plain"},
		{"\xc3\xa4\xe4\xb8\xad\xf0\x9f\x98\x80", "\xc3\xa4\xe4\xb8\xad\xf0\x9f\x98\x80"},
		{"\xff", "\xef\xbf\xbd"},
		{"a\xc3", "a\xef\xbf\xbd"},
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
		{"\xe4\xb8z", "\xef\xbf\xbdz"},                           /* cut: one replacement */
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"12345678\xfe"
		 "12345678",
		 "12345678\xef\xbf\xbd"
		 "12345678"},
	};
	for (size_t i = 0; i < array_size(cases); i++) {
		struct buf out = {0};
		utf8_put(&out, str_of(cases[i].in));
		ck_str_is(buf_str(&out), cases[i].want);
		ck_assert_uint_eq(utf8_valid_prefix(out.data, out.len), out.len);
		buf_fini(&out);
	}
}
END_TEST

START_TEST(nothing_that_a_terminal_obeys_is_visible)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{"plain, \t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "plain, \t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\x1b[31m\a\r\n\x7f", "\\x1b[31m\\x07\\x0d\\x0a\\x7f"},
		{"\xc2\x9b"
		 "2J\xc2\xa0",
		 "\\x9b2J\xc2\xa0"},
		{"\x9b\xff|\xe2\x80", "\\x9b\\xff|\\xe2\\x80"},
		{"\xe2\x80\xaegpj\xe2\x81\xa6", "\\u202egpj\\u2066"},
		{"\xe2\x80\x8e\xd8\x9c\xe2\x80\xa8", "\\u200e\\u061c\\u2028"},
	};
	for (size_t i = 0; i < array_size(cases); i++) {
		struct buf out = {0};
		utf8_put_visible(&out, str_of(cases[i].in));
		ck_assert_str_eq(buf_text(&out), cases[i].want);
		buf_fini(&out);
	}
}
END_TEST

START_TEST(numbers_are_written_as_people_do)
{
	static const struct {
		int64_t ns;
		const char *want;
	} durations[] = {{0, "0"},
			 {1, "1ns"},
			 {1500000000, "1500ms"},
			 {90 * 1000000000LL, "90s"},
			 {120 * 1000000000LL, "2m"}};
	struct buf out = {0};
	for (size_t i = 0; i < array_size(durations); i++) {
		out.len = 0;
		unit_put_duration(&out, durations[i].ns);
		ck_assert_str_eq(buf_text(&out), durations[i].want);
	}
	out.len = 0;
	unit_put_size(&out, 0);
	unit_put_size(&out, 65536);
	unit_put_size(&out, 1025);
	unit_put_size(&out, 3LL << 40);
	ck_assert_str_eq(buf_text(&out), "064KiB10253TiB");
	ck_assert_str_eq(plural(1, "event", "events"), "event");
	ck_assert_str_eq(plural(0, "event", "events"), "events");
	buf_fini(&out);
}
END_TEST

START_TEST(every_pair_of_bytes_becomes_valid_utf8)
{
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			char in[4] = {(char)a, (char)b, 'x', (char)a};
			struct buf out = {0};
			utf8_put(&out, (struct str){in, 4});
			ck_assert_uint_eq(utf8_valid_prefix(out.data, out.len), out.len);
			ck_assert_uint_le(out.len, 12);
			buf_fini(&out);
		}
	}
}
END_TEST

START_TEST(a_cut_does_not_split_a_character)
{
	struct str s = str_of("ab\xe4\xb8\xad"
			      "c");
	ck_assert_uint_eq(utf8_cut(s, 2), 2);
	ck_assert_uint_eq(utf8_cut(s, 3), 2);
	ck_assert_uint_eq(utf8_cut(s, 4), 2);
	ck_assert_uint_eq(utf8_cut(s, 5), 5);
	ck_assert_uint_eq(utf8_cut(s, 99), 6);
}
END_TEST

START_TEST(json_escapes_every_control_character)
{
	struct buf out = {0};
	struct json j = {&out, false};
	json_open(&j, NULL, '{');
	json_str(&j, "k\"", (struct str){"a\0\n\r\t\x1b\x7f\\/", 9});
	json_int(&j, "i", -5);
	json_double(&j, "d", 0.1);
	json_double(&j, "nan", NAN);
	json_open(&j, "l", '[');
	json_bool(&j, NULL, true);
	json_null(&j, NULL);
	json_close(&j, ']');
	json_close(&j, '}');
	ck_str_is(buf_str(&out),
		  "{\"k\\\"\":\"a\\u0000\\n\\r\\t\\u001b\\u007f\\\\/\",\"i\":-5,\"d\":0.1,"
		  "\"nan\":null,\"l\":[true,null]}");
	buf_fini(&out);
}
END_TEST

START_TEST(crc32c_is_that_of_rfc_3720_in_both_forms)
{
	unsigned char zeros[32] = {0}, up[32];
	ck_assert_uint_eq(crc32c(0, zeros, 32), 0x8a9136aa);
	for (unsigned char i = 0; i < 32; i++)
		up[i] = i;
	ck_assert_uint_eq(crc32c(0, up, 32), 0x46dd794e);
	ck_assert_uint_eq(crc32c(crc32c(0, up, 13), up + 13, 19), 0x46dd794e);
	for (size_t n = 0; n <= 32; n++)
		ck_assert_uint_eq(crc32c(0, up, n), crc32c_portable(0, up, n));
}
END_TEST

START_TEST(sizes_and_durations_are_read_as_people_write_them)
{
	int64_t v;
	ck_assert_int_eq(unit_parse_size("64KiB", &v), 0);
	ck_assert_int_eq(v, 65536);
	ck_assert_int_eq(unit_parse_size("1.5MB", &v), 0);
	ck_assert_int_eq(v, 1500000);
	ck_assert_int_eq(unit_parse_duration("250ms", &v), 0);
	ck_assert_int_eq(v, 250000000);
	ck_assert_int_eq(unit_parse_duration("7d", &v), 0);
	ck_assert_int_eq(v, 7 * 86400LL * 1000000000);
	ck_assert_int_eq(unit_parse_duration("1h30m", &v), 0);
	ck_assert_int_eq(v, 5400LL * 1000000000);
	ck_assert_int_eq(unit_parse_duration("1d 12h 0.5s", &v), 0);
	ck_assert_int_eq(v, 129600LL * 1000000000 + 500000000);
	static const char *const bad[] = {"",       "x",   "1x",          "-1s",
					  "1.2.3s", "1",   "1 2s",        "99999999999d",
					  "1h30",   "h1m", "60000d60000d"};
	for (size_t i = 0; i < array_size(bad); i++)
		ck_assert_msg(unit_parse_duration(bad[i], &v) != 0, "\"%s\" was taken", bad[i]);
}
END_TEST

START_TEST(white_space_of_any_kind_is_trimmed)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{"a b", "a b"},
		{" \t\r\n\v\fa b\r\n", "a b"},
		{"\xc2\xa0\xe2\x80\x8b"
		 "a\xe3\x80\x80\xef\xbb\xbf",
		 "a"},
		{" \xc2\xa0\r\n", ""},
		{"", ""},
		{"\xc3\xa9", "\xc3\xa9"},
		{"\xa0"
		 "a\x85",
		 "\xa0"
		 "a\x85"}, /* no UTF-8 */
		{"\xe2\x80", "\xe2\x80"},
	};
	for (size_t i = 0; i < array_size(cases); i++)
		ck_str_is(utf8_trim(str_of(cases[i].in)), cases[i].want);
}
END_TEST

START_TEST(the_nearest_name_is_found_and_a_far_one_is_not)
{
	static const char *const names[] = {"read_from", "include", "max_line", NULL};
	ck_assert_str_eq(unit_nearest("read_form", names), "read_from");
	ck_assert_str_eq(unit_nearest("includes", names), "include");
	ck_assert_ptr_null(unit_nearest("colour", names));
}
END_TEST

START_TEST(a_spliced_list_keeps_its_order)
{
	struct list a, b, e[4];
	list_init(&a);
	list_init(&b);
	for (int i = 0; i < 4; i++)
		list_append(i < 2 ? &a : &b, &e[i]);
	list_splice(&a, &b);
	ck_assert(list_is_empty(&b));
	int i = 0;
	list_each (p, &a)
		ck_assert_ptr_eq(p, &e[i++]);
	ck_assert_int_eq(i, 4);
	list_remove(&e[1]);
	list_remove(&e[1]);
	ck_assert_ptr_eq(e[0].next, &e[2]);
}
END_TEST

/* ---- the log ---------------------------------------------------------------------- */

enum { LOGGED = 3000 };

/* Everything in it by now, appended to `got`. */
static void read_all(int fd, struct buf *got)
{
	ssize_t n;
	while ((n = read(fd, buf_reserve(got, 65536), 65536)) > 0)
		got->len += (size_t)n;
}

/* What lines say: how many have come, and how many the log says were dropped. */
static void count_logged(struct buf *got, int *lines, int *dropped)
{
	static const char mark[] = "test: warning: ";
	*lines = *dropped = 0;
	for (const char *p = buf_text(got); (p = strstr(p, mark)); p += sizeof(mark)) {
		if (strncmp(p + sizeof(mark) - 1, "line", 4) == 0)
			(*lines)++;
		else
			*dropped += atoi(p + sizeof(mark) - 1);
	}
}

static void log_into(int reader, int writer)
{
	struct buf got = {0};
	int saved = dup(STDERR_FILENO), lines = 0, dropped = 0;
	ck_assert_int_eq(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(dup2(writer, STDERR_FILENO), STDERR_FILENO);
	sink_forget();
	log_init("test");
	for (int i = 0; i < LOGGED; i++)
		log_warning("line %d of those that nobody reads for now", i);
	bool waits = log_is_waiting();
	int64_t until = clock_mono_ns() + 10 * NS_PER_SEC;
	while (lines + dropped < LOGGED && clock_mono_ns() < until) {
		read_all(reader, &got);
		log_flush();
		count_logged(&got, &lines, &dropped);
	}
	dup2(saved, STDERR_FILENO);
	sink_forget();
	close(saved);
	close(reader);
	close(writer);
	ck_assert(waits);
	ck_assert_msg(lines + dropped == LOGGED && dropped, "%d lines and %d dropped", lines,
		      dropped);
	ck_assert(got.data[got.len - 1] == '\n');
	buf_fini(&got);
}

START_TEST(a_log_that_nobody_reads_waits_for_nobody_and_counts_what_it_drops)
{
	int ends[2];
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(ends), 0);
	log_into(ends[0], ends[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	log_into(ends[0], ends[1]);
	ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert(ends[0] >= 0 && grantpt(ends[0]) == 0 && unlockpt(ends[0]) == 0);
	ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(ends[1], 0);
	log_into(ends[0], ends[1]);
}
END_TEST

START_TEST(the_flags_of_a_shared_standard_error_stay_as_they_are)
{
	int ends[2], saved = dup(STDERR_FILENO);
	ck_assert_int_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	sink_forget();
	log_warning("line");
	int flags = fcntl(ends[1], F_GETFL);
	dup2(saved, STDERR_FILENO);
	sink_forget();
	ck_assert_int_eq(flags & O_NONBLOCK, 0);
	close(ends[0]);
	close(ends[1]);
	close(saved);
}
END_TEST

/* The vectors of the paper (Aumasson, Bernstein): 0 and 15 bytes counting up. */
START_TEST(siphash_is_that_of_its_paper)
{
	const struct siphash_key key = {{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL}};
	unsigned char bytes[15];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	ck_assert_uint_eq(siphash(&key, bytes, 0), 0x726fdb47dd0e0e31ULL);
	ck_assert_uint_eq(siphash(&key, bytes, sizeof(bytes)), 0xa129ca6149be45e5ULL);
}
END_TEST

struct named {
	struct table_entry by_name;
	char name[16];
};

static struct named *find_named(const struct table *t, const char *name)
{
	table_each_of (e, t, table_hash(t, name, strlen(name))) {
		struct named *n = container_of(e, struct named, by_name);
		if (strcmp(n->name, name) == 0)
			return n;
	}
	return NULL;
}

START_TEST(a_table_finds_what_was_added_and_not_removed)
{
	enum { N = 1000 };
	static struct named all[N];
	struct table t;
	table_init(&t);
	ck_assert_ptr_null(find_named(&t, "0"));
	ck_assert_ptr_null(table_after(&t, NULL));
	for (int i = 0; i < N; i++) {
		snprintf(all[i].name, sizeof(all[i].name), "%d", i);
		table_add(&t, &all[i].by_name, table_hash(&t, all[i].name, strlen(all[i].name)));
	}
	for (int i = 0; i < N; i += 2)
		table_remove(&t, &all[i].by_name);
	ck_assert_uint_eq(t.n, N / 2);
	for (int i = 0; i < N; i++)
		ck_assert_ptr_eq(find_named(&t, all[i].name), i % 2 ? &all[i] : NULL);
	size_t n = 0;
	table_each_safe (e, &t) {
		table_remove(&t, e);
		memset(e, 0xff, sizeof(*e));
		n++;
	}
	ck_assert_uint_eq(n, N / 2);
	ck_assert_uint_eq(t.n, 0);
	table_fini(&t);
}
END_TEST

START_TEST(entries_of_one_hash_are_all_there)
{
	struct named all[4];
	struct table t;
	size_t n = 0;
	table_init(&t);
	for (size_t i = 0; i < array_size(all); i++)
		table_add(&t, &all[i].by_name, i == 2 ? 23 : 7); /* of one slot */
	table_each_of (e, &t, 7)
		n++;
	ck_assert_uint_eq(n, 3);
	table_remove(&t, &all[0].by_name);
	ck_assert_ptr_eq(table_first(&t, 23), &all[2].by_name);
	ck_assert_ptr_null(table_next(&all[2].by_name));
	table_fini(&t);
}
END_TEST

START_TEST(hashes_of_two_tables_differ)
{
	struct table a, b;
	table_init(&a);
	table_init(&b);
	ck_assert_uint_eq(table_hash(&a, "key", 3), table_hash(&a, "key", 3));
	ck_assert_uint_ne(table_hash(&a, "key", 3), table_hash(&b, "key", 3));
	table_fini(&a);
	table_fini(&b);
}
END_TEST

START_TEST(times_are_read_as_people_write_them)
{
	const int64_t S = 1000000000, now = 1763700000 * S;
	static const struct {
		const char *text;
		int64_t seconds; /* -1: refused */
	} times[] = {
		{"2025-11-21T04:40:00Z", 1763700000},
		{"2025-11-21 04:40:00", 1763700000},
		{"2025-11-21T05:40:00+01:00", 1763700000},
		{"2025-11-21T03:40-0100", 1763700000},
		{"2025-11-21", 1763683200},
		{"1763700000", 1763700000},
		{"15m", 1763699100},
		{"-1h", 1763696400},
		{"now", 1763700000},
		{"2024-02-29", 1709164800},
		{"2023-02-29", -1},
		{"2025-13-01", -1},
		{"2025-11-21T24:00:00Z", -1},
		{"1763700000000", 1763700000},
		{"1763700000000000", 1763700000},
		{"1763700000000000000", 1763700000},
		{" 1763700000\r\n", 1763700000},
		{"1h30m", 1763694600},
		{"-1h30m", 1763694600},
		{"now-1h30m", 1763694600},
		{"1d 12h ago", 1763570400},
		{"today", 1763683200},
		{"Today 04:40", 1763700000},
		{"04:40:00", 1763700000},
		{"4:40", 1763700000},
		{"yesterday", 1763596800},
		{"yesterday 14:00", 1763647200},
		{"yesterday 14:00Z", 1763647200},
		{"yesterday 15:00+01:00", 1763647200},
		{"yesterday 15:00 +01:00", 1763647200},
		{"today+02:00", 1763676000},
		{"today-08:00", 1763625600}, /* where it is still the 20th */
		{"", -1},
		{"5", -1},
		{"12345", -1},
		{"1763700000x", -1},
		{"99999999999", -1},
		{"1h30", -1},
		{"h", -1},
		{"now+1h", -1},
		{"today 24:00", -1},
		{"yesterday 14", -1},
		{"todayish", -1},
		{"tomorrow", -1},
		{"2025-11-21T04:40:00Zx", -1},
		{"2500-01-01", -1},
	};
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int64_t ns = 0;
		int r = timestamp_parse(str_of(times[i].text), now, &ns);
		if (times[i].seconds < 0)
			ck_assert_msg(r, "%s is taken", times[i].text);
		else
			ck_assert_msg(!r && ns == times[i].seconds * S, "%s: %lld", times[i].text,
				      (long long)ns);
	}
	int64_t ns = 0;
	ck_assert_int_eq(timestamp_parse(STR("1763700000.25"), now, &ns), 0);
	ck_assert_int_eq(ns, now + S / 4);
	ck_assert_int_eq(timestamp_parse(STR("1763700000123"), now, &ns), 0);
	ck_assert_int_eq(ns, now + 123 * (S / 1000));
	ck_assert_int_eq(timestamp_parse(STR("1763700000123.5"), now, &ns), 0);
	ck_assert_int_eq(ns, now + 1235 * (S / 10000));
	ck_assert_int_eq(timestamp_parse(STR("1763700000123456789"), now, &ns), 0);
	ck_assert_int_eq(ns, now + 123456789);
}
END_TEST

UNIT_MAIN("base", any_bytes_become_valid_utf8, nothing_that_a_terminal_obeys_is_visible,
	  numbers_are_written_as_people_do, every_pair_of_bytes_becomes_valid_utf8,
	  a_cut_does_not_split_a_character, json_escapes_every_control_character,
	  crc32c_is_that_of_rfc_3720_in_both_forms, siphash_is_that_of_its_paper,
	  sizes_and_durations_are_read_as_people_write_them, white_space_of_any_kind_is_trimmed,
	  the_nearest_name_is_found_and_a_far_one_is_not, a_spliced_list_keeps_its_order,
	  a_log_that_nobody_reads_waits_for_nobody_and_counts_what_it_drops,
	  the_flags_of_a_shared_standard_error_stay_as_they_are,
	  a_table_finds_what_was_added_and_not_removed, entries_of_one_hash_are_all_there,
	  hashes_of_two_tables_differ, times_are_read_as_people_write_them)

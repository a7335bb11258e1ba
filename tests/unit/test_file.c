/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <unistd.h>

#include "../../plugins/common/ansi.h"
#include "../../plugins/common/cut.h"
#include "../../plugins/common/severity.h"
#include "../../plugins/file/missed.h"
#include "../../plugins/file/names.h"
#include "../../plugins/file/position.h"

START_TEST(severity_is_a_word_near_the_start)
{
	static const struct {
		const char *line;
		int want;
	} cases[] = {
		{"2026-11-21 ERROR it broke", 3},
		{"[warn] careful", 4},
		{"level=info ok", 6},
		{"Fatal: gone", 2},
		{"plain", -1},
		{"", -1},
		{"terrorised", -1},
		{"logInfo()", -1},
		{"DEBUG", 7},
		{"emerg", 0},
		{"INFO then ERROR", 6},
		{"errors", -1},
		{"<script>alert(1)", -1},
		{"\033[31mERROR\033[0m it broke", 3},
		{"\033[1;38;5;208mWARN\033[m", 4},
		{"\033[31;1m[error]\033[0m", 3},
		{"2026-11-21 \033[36mINFO\033[0m[0000] x", 6},
		{"#033[31mERROR#033[0m as rsyslog writes it", 3},
		{"\033]0;title ERROR\aplain", -1},
		{"\033[31", -1},
		{"\033", -1},
		{"10:00AM \033[31mERR\033[0m zerolog", 3},
		{"10:00AM \033[32mINF\033[0m zerolog", 6},
		{"\033[33mWARN\033[0m[0000] logrus", 4},
		{"\033[31mFATA\033[0m[0000] logrus", 2},
		{"[10:00:00 WRN] Serilog", 4},
		{"inf and erro are words", -1},
		{"#033[", -1},
		{"Unhandled. --- End of inner exception stack trace ---", -1},
		{"Stack trace: ERROR", 3},
		{"TRACE stack", 7},
		{"lvl=eror msg=x", 3},
		{"E1127 10:00:06.123456   42 server.go:1] no luck", 3},
		{"W20261127 10:00:06.123456 42 server.cc:1] no luck", 4},
		{"I1127 10:00:06.123456 42 x.go:1] after an ERROR", 6},
		{"E1127 is a room", -1},
		{"X1127 10:00:06.123456 42 x.go:1] none", -1},
		{"E1127 10:00", -1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(severity_detect(cases[i].line, strlen(cases[i].line)) ==
				      cases[i].want,
			      "%s", cases[i].line);
}
END_TEST

START_TEST(a_cut_leaves_characters_whole)
{
	static const struct {
		const char *text;
		size_t want;
	} cases[] = {
		{"", 0},
		{"abc", 3},
		{"a\xc3", 1},
		{"a\xc3\xa4", 3},
		{"a\xe2\x82", 1},
		{"a\xe2\x82\xac", 4},
		{"a\xf0\x9d\x84", 1},
		{"a\xf0\x9d\x84\x9e", 5},
		{"a\xf0\x9d\x84\x9e\xf0", 5},
		/* What is no UTF-8 is left as it is, and something is always kept. */
		{"a\xff", 2},
		{"a\x80\x80\x80\x80", 5},
		{"\xf0\x9d", 2},
		{"\xc3", 1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(cut_utf8(cases[i].text, strlen(cases[i].text)) == cases[i].want,
			      "case %zu", i);
}
END_TEST

START_TEST(escape_sequences_are_removed_and_text_is_kept)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{"\033[31mred\033[0m plain", "red plain"},
		{"\033[38;2;1;2;3mx\033[K", "x"},
		{"\033[?25lx\033[2J", "x"},
		{"\033]8;;http://x/\033\\link\033]8;;\033\\", "link"},
		{"\033]0;title\arest", "rest"},
		{"\033]0;never ended", "0;never ended"},
		{"\033(Bx\033=y", "xy"},
		{"cut \033[31", "cut "},
		{"cut \033", "cut "},
		{"\033\xc3\xa4", "\xc3\xa4"},
		{"[31mplain", "[31mplain"},
		{"", ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[64];
		size_t n = ansi_strip(cases[i].line, strlen(cases[i].line), out);
		ck_assert_msg(n == strlen(cases[i].want) && !memcmp(out, cases[i].want, n),
			      "%zu: \"%.*s\"", i, (int)n, out);
	}
}
END_TEST

START_TEST(names_of_rotated_files_are_known)
{
	static const struct {
		const char *name, *base;
		enum kind want;
		long number;
	} cases[] = {
		{"app.log.1", "app.log", PLAIN, 1},
		{"app.log.12.gz", "app.log", COMPRESSED, 12},
		{"app.2.log", "app.log", PLAIN, 2},
		{"app.2.log.zst", "app.log", COMPRESSED, 2},
		{"app.log-20261128", "app.log", PLAIN, -1},
		{"app-20261128.log", "app.log", PLAIN, -1},
		{"app.log.2026-11-28T06.xz", "app.log", COMPRESSED, -1},
		{"app.log.old", "app.log", PLAIN, -1},
		{"app.log", "app.log", NO_GENERATION, -1},
		{"app.log.txt", "app.log", NO_GENERATION, -1},
		{"app-2.log", "app.log", NO_GENERATION, -1}, /* may be another program's */
		{"applog.1", "app.log", NO_GENERATION, -1},
		{"@400000006a17d2ea0b8cdb4c.s", "current", PLAIN, -1},
		{"previous", "current", PLAIN, -1},
		{"previous", "app.log", NO_GENERATION, -1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum kind kind = name_kind(cases[i].name, cases[i].base);
		long number = name_number(cases[i].name, cases[i].base);
		ck_assert_msg(kind == cases[i].want && number == cases[i].number, "%s: %d, %ld",
			      cases[i].name, (int)kind, number);
	}
}
END_TEST

START_TEST(names_order_what_was_written_in_one_moment)
{
	ck_assert_int_lt(name_compare("app.log.10", "app.log.9"), 0);
	ck_assert_int_lt(name_compare("app.log.1", "app.log"), 0);
	ck_assert_int_lt(name_compare("app.log-20261127", "app.log-20261128"), 0);
	ck_assert_int_eq(name_compare("app.log.1", "app.log.1"), 0);
	ck_assert_int_lt(name_compare_times("a.20261127-235959", "a.20261128-000000.gz"), 0);
	ck_assert_int_eq(name_compare_times("app.log.1", "app.log.2"), 0);
}
END_TEST

START_TEST(names_that_differ_in_numbers_are_alike)
{
	ck_assert_int_eq(name_kind_alike("day-9.log", "day-10.log"), PLAIN);
	ck_assert_int_eq(name_kind_alike("day-9.log.gz", "day-10.log"), COMPRESSED);
	ck_assert_int_eq(name_kind_alike("2026-11-30", "2026-12-01"), PLAIN);
	ck_assert_int_eq(name_kind_alike("day.log", "day-10.log"), NO_GENERATION);
	ck_assert_int_eq(name_kind_alike("day-9.log.1", "day-10.log"), NO_GENERATION);
	ck_assert_int_eq(name_kind_alike("night-9.log", "day-10.log"), NO_GENERATION);
}
END_TEST

START_TEST(a_position_is_recognised_only_in_the_file_it_was_taken_in)
{
	char path[] = "/tmp/sluice-position-XXXXXX", value[POSITION_VALUE_MAX];
	struct origin o = {path, path + 4, 42, 43, 44, 45}, origin;
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "first\nsecond\nthird\n", 19), 19);
	struct position p = {.offset = 13, .tail_len = 13}, back;
	memcpy(p.tail, "first\nsecond\n", 13);
	position_grow_head(&p, fd, 19);
	size_t n = position_encode(&p, &o, value);
	ck_assert_int_eq(position_decode(value, n, &back, &origin), 0);
	ck_assert_str_eq(origin.name, path);
	ck_assert_str_eq(origin.place, path + 4);
	ck_assert_int_eq(origin.born_ns, 42);
	ck_assert_int_eq(origin.lost_ns, 43);
	ck_assert(origin.was_born_ns == 44 && origin.was_mtime_ns == 45);
	ck_assert(back.offset == 13 && position_fits(&back, fd));
	for (size_t cut = 0; cut < n; cut++) {
		struct position none;
		struct origin part = {0};
		/* What an older sluice wrote ends behind the name. */
		bool has_name = cut >= n - 2 * strlen(path) + 4 - 2 - 4 * sizeof(int64_t);
		ck_assert_int_eq(position_decode(value, cut, &none, &part) == 0, has_name);
		if (has_name)
			origin_free(&part);
	}
	/* Of a container: what was emitted beyond it. */
	struct position streams = p, again;
	struct origin same;
	streams.emitted_to[1] = 17;
	n = position_encode(&streams, &o, value);
	ck_assert_int_eq(position_decode(value, n, &again, &same), 0);
	ck_assert_str_eq(same.name, path);
	ck_assert_int_eq(same.born_ns, 42);
	ck_assert(again.offset == 13 && again.emitted_to[0] == 0 && again.emitted_to[1] == 17);
	ck_assert(position_fits(&again, fd));
	origin_free(&same);
	/* Another file of the same length; then only another end. */
	ck_assert_int_eq(pwrite(fd, "FIRST", 5, 0), 5);
	ck_assert(!position_fits(&back, fd));
	ck_assert_int_eq(pwrite(fd, "first\nSECOND", 12, 0), 12);
	ck_assert(!position_fits(&back, fd));
	ck_assert_int_eq(ftruncate(fd, 3), 0);
	ck_assert(!position_fits(&back, fd));
	origin_free(&origin);
	close(fd);
	unlink(path);
}
END_TEST

/* Times in seconds.  One file is kept unless it says otherwise. */
START_TEST(files_that_were_removed_unread_show_in_when_others_were_made)
{
	static const struct {
		double removed, born[4];
		size_t n, want;
	} cases[] = {
		{10, {10}, 1, 0},         /* one rotation, none is kept */
		{20, {10, 19.999}, 2, 0}, /* logrotate: made, then removed */
		{20, {10, 20.001}, 2, 0}, /* mv -f: removed, then made */
		{20, {19.999, 30}, 2, 1}, /* a third rotation */
		{20, {20.001, 30}, 2, 1},
		{20, {30, 40}, 2, 1},                 /* two of which one shows */
		{30, {10, 20, 30, 40}, 4, 1},         /* two are kept, one too many */
		{40, {10, 20, 30, 39.999}, 4, 0},     /* three are kept */
		{20, {20.001, 20.002, 20.003}, 3, 2}, /* too fast to be told apart */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t born[4];
		for (size_t k = 0; k < cases[i].n; k++)
			born[k] = (int64_t)(cases[i].born[k] * 1e9);
		size_t n = missed_by_times((int64_t)(cases[i].removed * 1e9), born, cases[i].n);
		ck_assert_msg(n == cases[i].want, "%zu: %zu", i, n);
	}
}
END_TEST

START_TEST(a_file_made_long_after_the_one_before_was_renamed_is_not_the_next)
{
	const int64_t s = 1000000000;
	ck_assert_int_eq(missed_by_loss(10 * s, 10 * s + s / 1000), 0);
	ck_assert_int_eq(missed_by_loss(10 * s, 10 * s - s / 1000), 0);
	ck_assert_int_eq(missed_by_loss(10 * s, 10 * s + s / 10), 1);
	ck_assert_int_eq(missed_by_loss(0, 10 * s), 0);
	ck_assert_int_eq(missed_by_loss(10 * s, 0), 0);
}
END_TEST

START_TEST(files_that_were_removed_unread_leave_their_numbers_out)
{
	static const struct {
		unsigned number, there[4];
		size_t n, want;
	} cases[] = {
		{1, {0}, 0, 0},    {2, {1}, 1, 0},       {3, {1, 2}, 2, 0}, {3, {1}, 1, 1},
		{5, {2, 4}, 2, 2}, {3, {1, 1, 2}, 3, 0}, {4, {0, 1}, 2, 2}, {2, {0, 1}, 2, 0},
		{7, {0}, 0, 0},    {1, {0}, 1, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = missed_by_numbers(cases[i].number, cases[i].there, cases[i].n);
		ck_assert_msg(n == cases[i].want, "%zu: %zu", i, n);
	}
}
END_TEST

UNIT_MAIN("file", files_that_were_removed_unread_show_in_when_others_were_made,
	  a_file_made_long_after_the_one_before_was_renamed_is_not_the_next,
	  files_that_were_removed_unread_leave_their_numbers_out, severity_is_a_word_near_the_start,
	  escape_sequences_are_removed_and_text_is_kept, a_cut_leaves_characters_whole,
	  names_of_rotated_files_are_known, names_order_what_was_written_in_one_moment,
	  names_that_differ_in_numbers_are_alike,
	  a_position_is_recognised_only_in_the_file_it_was_taken_in)

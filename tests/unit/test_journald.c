/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>

#include "../../plugins/journald/header.h"

static void put(char *head, size_t at, uint64_t v)
{
	for (size_t i = 0; i < 8; i++)
		head[at + i] = (char)(v >> 8 * i);
}

START_TEST(a_head_tells_which_entries_a_file_holds)
{
	char head[HEADER_SIZE] = "LPKSHHRH";
	struct header h;
	head[16] = HEADER_ARCHIVED;
	memset(head + 24, 0xa1, 16);
	memset(head + 72, 0x0b, 16);
	put(head, 88, 256);
	put(head, 152, 3);
	put(head, 160, 12);
	put(head, 168, 10);
	put(head, 184, 1000);
	put(head, 192, 3000);
	ck_assert_int_eq(header_parse(head, sizeof(head), &h), 0);
	ck_assert(h.state == HEADER_ARCHIVED && h.n_entries == 3 && h.head == 10 && h.tail == 12);
	ck_assert(h.head_time == 1000 && h.tail_time == 3000);
	ck_assert_str_eq(h.file_id, "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1");
	ck_assert_str_eq(h.seqnum_id, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
	for (size_t n = 0; n < sizeof(head); n++)
		ck_assert_int_eq(header_parse(head, n, &h), -ENODATA);
	/* A number is given out before there is an entry. */
	put(head, 152, 0);
	ck_assert_int_eq(header_parse(head, sizeof(head), &h), 0);
	ck_assert(h.head == 0 && h.tail == 0);
	put(head, 88, 100);
	ck_assert_int_eq(header_parse(head, sizeof(head), &h), -EBADMSG);
	head[0] = 'X';
	ck_assert_int_eq(header_parse(head, sizeof(head), &h), -EBADMSG);
	memset(head, 0, sizeof(head));
	ck_assert_int_eq(header_parse(head, sizeof(head), &h), -ENODATA);
}
END_TEST

START_TEST(a_name_tells_which_files_belong_together)
{
	static const struct {
		const char *name;
		size_t want;
	} cases[] = {
		{"system.journal", 6},
		{"system@0123-01-02.journal", 6},
		{"user-1000@0123-ab.journal~", 9},
		{"remote-a.b.journal", 10},
		{".journal", 0},
		{"system.journal.bak", 0},
		{"system.journa", 0},
		{"", 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(header_name(cases[i].name) == cases[i].want, "%s", cases[i].name);
}
END_TEST

UNIT_MAIN("journald", a_head_tells_which_entries_a_file_holds, a_name_tells_which_files_belong_together)

/* SPDX-License-Identifier: MIT
 *
 * The forms of lines: times.
 */
#include "unit.h"

#include "../../plugins/common/stamp.h"
#include "../../plugins/common/times.h"

#define SEC 1000000000LL
#define NOW (1795737600 * SEC) /* 2026-11-27 00:00:00 UTC */

/* 2026-11-27 10:00:00 UTC */
#define T (1795773600 * SEC)

static const struct {
	const char *text;
	int64_t want_ns;
} times[] = {
	{"2026-11-27T10:00:00Z", T},
	{"2026-11-27T10:00:00.123456789Z", T + 123456789},
	{"2026-11-27 10:00:00,123", T + 123000000},
	{"2026-11-27 11:00:00.5 +0100", T + SEC / 2},
	{"2026-11-27 11:00:00.5 +01", T + SEC / 2},
	{"2026-11-27 11:00:00 +01:00", T},
	{"2026-11-27 10:00:00 UTC", T},
	{"2026-11-27 10:00:00.123 UTC", T + 123000000},
	{"2026-11-27 11:00:00.123 CET", T + 123000000},
	{"2026-11-27 05:00:00 EST", T},
	{"2026-11-27 02:00:00 PST", T},
	{"2026-11-27 13:00:00 MSK", T},
	{"2026-11-27 19:00:00 Asia/Tokyo", T},
	{"2026-11-27 12:00:00 GMT+2", T},
	{"2026-11-27T10:00Z", T},
	{"2026-11-27 10:00", T},
	{"[2026-11-27 10:00:00]", T},
	{"2026/11/27 10:00:00", T},
	{"2026/11/27 10:00:00.123456", T + 123456000},
	{"Fri Nov 27 10:00:00 2026", T},
	{"Fri Nov 27 10:00:00.123456 2026", T + 123456000},
	{"[Fri Nov 27 10:00:00.123456 2026]", T + 123456000},
	{"Sat Nov  7 10:00:00 2026", T - 20 * 86400 * SEC},
	{"Fri Nov 27 10:00:00 UTC 2026", T},
	{"Fri Nov 27 11:00:00 CET 2026", T},
	{"27-Nov-2026 10:00:00.123", T + 123000000},
	{"27-Nov-2026 10:00:00", T},
	{"27-Nov-2026 10:00:00 UTC", T},
	{"27-Nov-2026 11:00:00 Europe/Berlin", T},
	{"27/Nov/2026:10:00:00 +0000", T},
	{"27/Nov/2026:10:00:00.123", T + 123000000},
	{"27 Nov 2026 10:00:00.123", T + 123000000},
	{"Fri, 27 Nov 2026 10:00:00 GMT", T},
	{"Fri, 27 Nov 2026 11:00:00 +0100", T},
	{"Nov 27, 2026 10:00:00 AM", T},
	{"Nov 27, 2026 10:00:00 PM", T + 12 * 3600 * SEC},
	{"Nov 27, 2026 12:30:00 AM", T - 34200 * SEC},
	{"Nov 27, 2026, 10:00:00\u202fAM", T},
	{"Nov 27 10:00:00", T},
	{"Nov 27 2026 10:00:00", T},
	{"2026-11-27_10:00:00.12345", T + 123450000},
	{"2026.11.27 10:00:00", T},
	{"20261127T100000Z", T},
	{"20261127 10:00:00", T},
	{"261127 10:00:00", T},
	{"261127  9:00:00", T - 3600 * SEC},
	{"1127 10:00:00.123456", T + 123456000},
	{"1795773600", T},
	{"1795773600.25", T + SEC / 4},
	{"1795773600123", T + 123000000},
	{"1795773600123.5", T + 123500000},
	{"1795773600123456", T + 123456000},
	{"1795773600123456789", T + 123456789},
	{"@400000006b09576a075bcd15", 0}, /* see below */
	{"\"2026-11-27T10:00:00Z\"", T},
	{" 2026-11-27T10:00:00Z ", T},
	{"", 0},
	{"-", 0},
	{"12", 0},
	{"99999999", 0},
	{"99999999999999999999", 0},
	{"10:00:00", 0},
	{"2026-13-27T10:00:00Z", 0},
	{"2026-02-30 10:00:00", 0},
	{"2026-11-27 10:00:61", 0},
	{"2026-11-27 10:00:00 XYZ", 0},
	{"2026-11-27 10:00:00 Europe/Nowhere", 0},
	{"2026-11-27 10:00:00 ../../etc/passwd", 0},
	{"2026/11/27", 0},
	{"1950-01-01T00:00:00Z", 0},
	{"yesterday", 0},
	{"@4000000", 0},
	{"Foo Nov 27 10:00:00 2026", 0},
};

static bool agrees(bool found, int64_t got, int64_t want)
{
	return want ? found && got == want : !found;
}

START_TEST(times_that_programs_write)
{
	stamp_set_zone("UTC");
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int64_t ns = 0;
		bool found = times_read(times[i].text, strlen(times[i].text), NOW, &ns);
		if (times[i].text[0] == '@' && found)
			continue;
		ck_assert_msg(agrees(found, ns, times[i].want_ns), "\"%s\": %d, %lld",
			      times[i].text, found, (long long)ns);
	}
	/* daemontools: 2^62 + 10 seconds are 1970. */
	int64_t ns = 0;
	ck_assert(times_read("@400000000000000b075bcd15", 25, NOW, &ns));
	ck_assert_int_eq(ns, SEC + 123456789);
}
END_TEST

/* No byte behind the text is looked at, and no start of a time takes more than it has. */
START_TEST(times_are_read_within_their_text)
{
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		for (size_t n = 0; n <= strlen(times[i].text); n++) {
			int64_t ns;
			char *copy = malloc(n ? n : 1);
			memcpy(copy, times[i].text, n);
			ck_assert_uint_le(times_begin(copy, n, NOW, &ns), n);
			times_read(copy, n, NOW, &ns);
			free(copy);
		}
}
END_TEST

START_TEST(times_by_a_format)
{
	static const struct {
		const char *format, *text;
		int64_t want_ns;
	} cases[] = {
		{"%d.%m.%Y %H:%M:%S", "27.11.2026 10:00:00", T},
		{"%d.%m.%Y %H:%M:%S.%f", "27.11.2026 10:00:00.5", T + SEC / 2},
		{"%d.%m.%Y %H:%M:%S,%L", "27.11.2026 10:00:00,123", T + 123000000},
		{"%m/%d/%Y %I:%M:%S %p", "11/27/2026 10:00:00 AM", T},
		{"%m/%d/%y %k:%M", "11/27/26 10:00", T},
		{"%A, %d %B %Y %T %z", "Friday, 27 November 2026 11:00:00 +0100", T},
		{"%Y-%m-%d %H:%M:%S %Z", "2026-11-27 11:00:00 CET", T},
		{"%F %R", "2026-11-27 10:00", T},
		{"%D %T", "11/27/26 10:00:00", T},
		{"%Y %j %T", "2026 331 10:00:00", T},
		{"%H:%M:%S", "10:00:00", T},
		{"%d %b %H:%M", "27 Nov 10:00", T},
		{"%s", "1795773600", T},
		{"%s.%f", "1795773600.25", T + SEC / 4},
		{"%Q", "1795773600123", T + 123000000},
		{"epoch", "1795773600.5", T + SEC / 2},
		{"epoch_ms", "1795773600123", T + 123000000},
		{"epoch_us", "1795773600123456", T + 123456000},
		{"epoch_ns", "1795773600123456789", T + 123456789},
		{"epoch", "99999999", 99999999 * SEC},
		{"%d.%m.%Y", "27.11.2026", T - 36000 * SEC},
		{"%d.%m.%Y", "27.11.2026 10:00", 0},
		{"%d.%m.%Y", "31.02.2026", 0},
		{"%Y %j", "2026 366", 0},
		{"epoch", "x", 0},
		{"%H:%M", "25:00", 0},
	};
	stamp_set_zone("UTC");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ns = 0;
		ck_assert_ptr_null(times_check_format(cases[i].format));
		bool found = times_read_by(cases[i].format, cases[i].text, strlen(cases[i].text),
					   NOW + 36000 * SEC, &ns);
		ck_assert_msg(agrees(found, ns, cases[i].want_ns), "\"%s\" by \"%s\": %d, %lld",
			      cases[i].text, cases[i].format, found, (long long)ns);
	}
	static const char *const bad[] = {"", "plain", "%", "%Y %", "%Y %i", "100%%"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(times_check_format(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(zones_across_daylight_saving)
{
	static const struct {
		const char *zone, *text, *utc;
	} cases[] = {
		{"Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29T00:59:59Z"},
		{"Europe/Berlin", "2026-03-29 03:00:00", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-10-25 01:59:59", "2026-10-24T23:59:59Z"},
		/* Twice on the clock: the first. */
		{"Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z"},
		{"Europe/Berlin", "2026-10-25 02:30:00 CET", "2026-10-25T01:30:00Z"},
		{"Europe/Berlin", "2026-10-25 02:30:00 CEST", "2026-10-25T00:30:00Z"},
		{"Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25T02:00:00Z"},
		{"America/New_York", "2026-11-01 01:30:00", "2026-11-01T05:30:00Z"},
		{"Asia/Kolkata", "2026-11-27 15:30:00", "2026-11-27T10:00:00Z"},
		{"Asia/Kolkata", "2026-11-27 15:30:00 IST", "2026-11-27T10:00:00Z"},
		{"Asia/Shanghai", "2026-11-27 18:00:00 CST", "2026-11-27T10:00:00Z"},
		{"Asia/Shanghai", "2026-11-27 11:00:00 Europe/Berlin", "2026-11-27T10:00:00Z"},
		{"Asia/Shanghai", "2026-11-27 18:00:00", "2026-11-27T10:00:00Z"},
		{"+02:00", "2026-11-27 12:00:00", "2026-11-27T10:00:00Z"},
		{"-0330", "2026-11-27 06:30:00", "2026-11-27T10:00:00Z"},
		{"+5", "2026-11-27 15:00:00", "2026-11-27T10:00:00Z"},
		{"+2", "2026-07-27 12:00:00", "2026-07-27T10:00:00Z"},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-27 12:00:00", "2026-07-27T10:00:00Z"},
	};
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			int64_t got = 0, want = 0;
			ck_assert_msg(stamp_set_zone(cases[i].zone) == 0, "%s", cases[i].zone);
			ck_assert(times_read(cases[i].utc, strlen(cases[i].utc), NOW, &want));
			ck_assert_msg(times_read(cases[i].text, strlen(cases[i].text), NOW, &got) &&
					      got == want,
				      "%s in %s: %lld, not %lld", cases[i].text, cases[i].zone,
				      (long long)(got / SEC), (long long)(want / SEC));
		}
	static const char *const bad[] = {"",   "Europe/Nowhere", "../etc/passwd",
					  "99", "+25:00",         "+1:2"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(stamp_set_zone(bad[i]), "%s", bad[i]);
}
END_TEST

UNIT_MAIN("lines", times_that_programs_write, times_are_read_within_their_text, times_by_a_format,
	  zones_across_daylight_saving)

/* SPDX-License-Identifier: MIT
 *
 * The forms of lines: times, the logs of web servers, traces.
 */
#include "unit.h"

#include "../../plugins/common/stamp.h"
#include "../../plugins/common/times.h"
#include "../../plugins/common/traces.h"
#include "../../plugins/common/weblog.h"

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
		/* In another unit it would be a time. */
		{"epoch_ms", "1795773600", 0},
		{"epoch_ns", "1795773600", 0},
		{"%s", "12", 0},
		{"epoch", "7258118400", 0},
		/* Beyond what nanoseconds have room for. */
		{"%s.%f", "9223372036.9", 0},
		{"%s", "99999999999999999999", 0},
		{"%Q", "9223372036854775807", 0},
		{"epoch", "9223372037", 0},
		{"epoch_ms", "9223372036854.9", 0},
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
		/* By half an hour only. */
		{"Australia/Lord_Howe", "2026-04-05 02:00:00", "2026-04-04T15:30:00Z"},
		{"Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T14:45:00Z"},
		{"Australia/Lord_Howe", "2026-04-05 02:10:00", "2026-04-04T15:40:00Z"},
		{"Australia/Lord_Howe", "2026-04-05 01:29:00", "2026-04-04T14:29:00Z"},
		/* Never on the clock: as if it had not been set forward yet. */
		{"Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29T01:30:00Z"},
		{"Europe/Berlin", "2026-01-29 02:30:00", "2026-01-29T01:30:00Z"},
		{"Europe/Berlin", "2026-03-29 02:31:00", "2026-03-29T01:31:00Z"},
		{"Europe/Berlin", "2026-06-29 02:30:00", "2026-06-29T00:30:00Z"},
		{"Europe/Berlin", "2026-03-29 02:50:00", "2026-03-29T01:50:00Z"},
		{"America/New_York", "2026-03-08 02:30:00", "2026-03-08T07:30:00Z"},
		{"Australia/Lord_Howe", "2026-10-04 02:15:00", "2026-10-03T15:45:00Z"},
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
	/* A day of 23 hours has just ended. */
	int64_t now = 0, got = 0, want = 0;
	ck_assert(stamp_set_zone("Europe/Berlin") == 0);
	ck_assert(times_read("2026-03-29T22:30:00Z", 20, NOW, &now) &&
		  times_read("2026-03-29T21:59:00Z", 20, NOW, &want) &&
		  times_read_by("%H:%M:%S", "23:59:00", 8, now, &got));
	ck_assert_msg(got == want, "%lld", (long long)(got / SEC));
	static const char *const bad[] = {"",   "Europe/Nowhere", "../etc/passwd",
					  "99", "+25:00",         "+1:2"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(stamp_set_zone(bad[i]), "%s", bad[i]);
}
END_TEST

/* ---- logs of web servers --------------------------------------------------------------- */

static const struct {
	bool (*parse)(const char *p, size_t n, int64_t now_ns, struct weblog *ret,
		      struct fields *f);
	const char *line;
	int severity;
	const char *message; /* NULL: the line */
	const char *fields;
} webs[] = {
	{weblog_access, "203.0.113.7 - - [27/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 5", 6,
	 NULL, "client=203.0.113.7 method=GET path=/ protocol=HTTP/1.1 status=200 bytes=5 "},
	{weblog_access,
	 "example.com:443 203.0.113.7, 10.0.0.1 - bob smith [27/Nov/2026:10:00:00 +0000] "
	 "\"GET /a b HTTP/1.1\" 503 12 \"-\" \"Mozilla/5.0 (X11)\" \"198.51.100.1\"",
	 3, NULL,
	 "vhost=example.com port=443 client=203.0.113.7 forwarded_for=203.0.113.7, 10.0.0.1 "
	 "user=bob smith method=GET path=/a b protocol=HTTP/1.1 status=503 bytes=12 "
	 "agent=Mozilla/5.0 (X11) forwarded_for=198.51.100.1 "},
	{weblog_access, "203.0.113.7 - - [27/Nov/2026:10:00:00 +0000] \"-\" 000 -", 4, NULL,
	 "client=203.0.113.7 status=0 bytes=0 "},
	{weblog_access, "203.0.113.7 - - [27/Nov/2026:10:00:00 +0000] \"-\" - -", 4, NULL,
	 "client=203.0.113.7 bytes=0 "},
	{weblog_access, "- - - [27/Nov/2026:10:00:00 +0000] \"OPTIONS *\" 400 0", 4, NULL,
	 "method=OPTIONS path=* status=400 bytes=0 "},
	{weblog_access,
	 "::1 - - [27/Nov/2026:10:00:00 +0000] \"\\x16\\x03 abc def\" 400 226 \"-\" \"-\"", 4, NULL,
	 "client=::1 request=\\x16\\x03 abc def status=400 bytes=226 "},
	{weblog_access,
	 "203.0.113.7,10.0.0.1 - [x] [27/Nov/2026:10:00:00.123 +0000] \"GET /x\"y HTTP/1.0\" 200 5",
	 6, NULL,
	 "client=203.0.113.7 forwarded_for=203.0.113.7,10.0.0.1 user=[x] method=GET path=/x\"y "
	 "protocol=HTTP/1.0 status=200 bytes=5 "},
	{weblog_access,
	 "[2001:db8::1]:80 2001:db8::7 - - [2026-11-27T10:00:00+00:00] \"GET / HTTP/2.0\" 200 5 "
	 "\"http://r/\"",
	 6, NULL,
	 "vhost=2001:db8::1 port=80 client=2001:db8::7 method=GET path=/ protocol=HTTP/2.0 "
	 "status=200 "
	 "bytes=5 referer=http://r/ "},
	{weblog_access,
	 "203.0.113.7:5555 - - [27/Nov/2026:10:00:00 +0000] \"GET / HTTP/2.0\" 200 5", 6, NULL,
	 "client=203.0.113.7:5555 method=GET path=/ protocol=HTTP/2.0 status=200 bytes=5 "},
	{weblog_access, "203.0.113.7 - - [soon] \"GET / HTTP/2.0\" 200 5", 0, NULL, NULL},
	{weblog_access, "203.0.113.7 - - [27/Nov/2026:10:00:00 +0000] \"GET / HTTP/2.0\" 20 5", 0,
	 NULL, NULL},
	{weblog_access, "", 0, NULL, NULL},
	{weblog_nginx,
	 "2026/11/27 10:00:00 [error] 12#34: *56 open() \"/srv/x, client: 192.0.2.6\" failed "
	 "(2: No such file or directory), client: 203.0.113.7, server: example.com, request: "
	 "\"GET /x, client: 192.0.2.1 HTTP/1.1\", upstream: \"http://127.0.0.1:80/x\", host: "
	 "\"example.com\", referrer: \"http://r/\"",
	 3,
	 "open() \"/srv/x, client: 192.0.2.6\" failed (2: No such file or directory), client: "
	 "203.0.113.7, server: example.com, request: \"GET /x, client: 192.0.2.1 HTTP/1.1\", "
	 "upstream: \"http://127.0.0.1:80/x\", host: \"example.com\", referrer: \"http://r/\"",
	 "level=error pid=12 tid=34 connection=56 client=203.0.113.7 server=example.com method=GET "
	 "path=/x, client: 192.0.2.1 protocol=HTTP/1.1 upstream=http://127.0.0.1:80/x "
	 "host=example.com referer=http://r/ "},
	{weblog_nginx, "2026/11/27 10:00:00 [notice] 1#1: signal process started", 5,
	 "signal process started", "level=notice pid=1 tid=1 "},
	{weblog_nginx, "203.0.113.7 - - [27/Nov/2026:10:00:00 +0000] \"GET / HTTP/2.0\" 499 0", 4,
	 NULL, "client=203.0.113.7 method=GET path=/ protocol=HTTP/2.0 status=499 bytes=0 "},
	{weblog_nginx, "2026/11/27 10:00:00 plain", 0, NULL, NULL},
	{weblog_apache_error,
	 "[Fri Nov 27 10:00:00.123456 2026] [core:error] [pid 12:tid 34] [client 203.0.113.7:5555] "
	 "AH00128: File does not exist: /var/www/x, referer: http://r/",
	 3, "AH00128: File does not exist: /var/www/x, referer: http://r/",
	 "module=core level=error tid=34 pid=12 client=203.0.113.7 client_port=5555 code=AH00128 "
	 "referer=http://r/ "},
	{weblog_apache_error,
	 "[Fri Nov 27 10:00:00 2026] [error] [client 2001:db8::7] File does not exist: /x", 3,
	 "File does not exist: /x", "level=error client=2001:db8::7 "},
	{weblog_apache_error,
	 "[Fri Nov 27 10:00:00.123456 2026] [proxy:warn] [pid 12] (111)Connection refused: "
	 "AH00957: x",
	 4, "(111)Connection refused: AH00957: x", "module=proxy level=warn pid=12 code=AH00957 "},
	{weblog_apache_error,
	 "[Fri Nov 27 10:00:00.250000 2026] [core:error] [pid 12:tid 34] (13)Permission denied: "
	 "[client 203.0.113.7:5555] AH00132: file permissions deny server access",
	 3,
	 "(13)Permission denied: [client 203.0.113.7:5555] AH00132: file permissions deny server "
	 "access",
	 "module=core level=error tid=34 pid=12 client=203.0.113.7 client_port=5555 code=AH00132 "},
	{weblog_apache_error,
	 "[Fri Nov 27 10:00:00.123456 2026] [ssl:trace3] [pid 12] [client 2001:db8::7:80] [abc] x",
	 7, "[abc] x", "module=ssl level=trace3 pid=12 client=2001:db8::7 client_port=80 "},
	{weblog_apache_error, "[soon] [error] x", 0, NULL, NULL},
	{weblog_haproxy,
	 "Nov 27 10:00:00 lb haproxy[12]: 203.0.113.7:5555 [27/Nov/2026:10:00:00.655] http-in~ "
	 "static/srv1 10/0/30/69/+109 200 +2750 - - ---- 1/1/1/1/+2 0/3 {example.com|x} {} "
	 "\"GET /index.html HTTP/1.1\"",
	 6,
	 "203.0.113.7:5555 [27/Nov/2026:10:00:00.655] http-in~ static/srv1 10/0/30/69/+109 200 "
	 "+2750 "
	 "- - ---- 1/1/1/1/+2 0/3 {example.com|x} {} \"GET /index.html HTTP/1.1\"",
	 "client=203.0.113.7 client_port=5555 frontend=http-in tls=1 backend=static server=srv1 "
	 "request_ms=10 queue_ms=0 connect_ms=30 response_ms=69 total_ms=109 status=200 bytes=2750 "
	 "termination=---- connections=1 retries=2 server_queue=0 backend_queue=3 "
	 "request_headers=example.com|x method=GET path=/index.html protocol=HTTP/1.1 host=lb "
	 "app=haproxy pid=12 "},
	{weblog_haproxy,
	 "203.0.113.7:5555 [27/Nov/2026:10:00:00.443] fnt bck/srv1 0/0/5007 212 -- "
	 "0/0/0/0/3 0/0",
	 -1, NULL,
	 "client=203.0.113.7 client_port=5555 frontend=fnt backend=bck server=srv1 queue_ms=0 "
	 "connect_ms=0 total_ms=5007 bytes=212 termination=-- connections=0 retries=3 "
	 "server_queue=0 "
	 "backend_queue=0 "},
	{weblog_haproxy,
	 "<134>Nov 27 10:00:00 haproxy[12]: 203.0.113.7:5555 [27/Nov/2026:10:00:00.655] a "
	 "a/<NOSRV> "
	 "-1/-1/-1/-1/5001 408 212 - - cR-- 1/1/0/0/0 0/0 \"<BADREQ>\"",
	 4,
	 "203.0.113.7:5555 [27/Nov/2026:10:00:00.655] a a/<NOSRV> -1/-1/-1/-1/5001 408 212 - - "
	 "cR-- "
	 "1/1/0/0/0 0/0 \"<BADREQ>\"",
	 "client=203.0.113.7 client_port=5555 frontend=a backend=a server=<NOSRV> total_ms=5001 "
	 "status=408 bytes=212 termination=cR-- connections=1 retries=0 server_queue=0 "
	 "backend_queue=0 request=<BADREQ> app=haproxy pid=12 "},
	{weblog_haproxy, "Nov 27 10:00:00 lb haproxy[12]: Server bck/srv1 is DOWN", -1,
	 "Server bck/srv1 is DOWN", "host=lb app=haproxy pid=12 "},
	{weblog_haproxy,
	 "Nov 27 10:00:00 lb haproxy[12]: 203.0.113.7:5 [27/Nov/2026:10:00:00.655] https/1: SSL "
	 "handshake failure",
	 -1, "203.0.113.7:5 [27/Nov/2026:10:00:00.655] https/1: SSL handshake failure",
	 "client=203.0.113.7 client_port=5 host=lb app=haproxy pid=12 "},
	{weblog_haproxy, "plain", 0, NULL, NULL},
};

static void put_fields(struct buf *out, const struct fields *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct sluice_value *v = &f->all[i];
		if (v->type == SLUICE_STRING)
			buf_printf(out, "%s=%.*s ", v->name, (int)v->string_len, v->string);
		else
			buf_printf(out, "%s=%lld ", v->name, (long long)v->integer);
	}
}

START_TEST(logs_of_web_servers)
{
	static struct fields f;
	stamp_set_zone("UTC");
	for (size_t i = 0; i < sizeof(webs) / sizeof(webs[0]); i++) {
		struct weblog w = {.severity = SLUICE_NO_SEVERITY};
		struct buf got = {0};
		const char *line = webs[i].line, *message = webs[i].message;
		fields_reset(&f);
		bool parsed = webs[i].parse(line, strlen(line), NOW, &w, &f);
		ck_assert_msg(parsed == (webs[i].fields != NULL), "%s", line);
		if (!parsed)
			continue;
		put_fields(&got, &f);
		ck_assert_str_eq(buf_text(&got), webs[i].fields);
		ck_assert_msg(w.severity == webs[i].severity && w.time_ns / SEC == T / SEC,
			      "%s: %d, %lld", line, w.severity, (long long)w.time_ns);
		message = message ? message : line;
		ck_assert_msg(w.message_len == strlen(message) &&
				      memcmp(w.message, message, w.message_len) == 0,
			      "%.*s", (int)w.message_len, w.message);
		buf_fini(&got);
	}
}
END_TEST

/* No byte behind the line is looked at. */
START_TEST(cut_lines_of_web_servers)
{
	static struct fields f;
	for (size_t i = 0; i < sizeof(webs) / sizeof(webs[0]); i++)
		for (size_t n = 0; n < strlen(webs[i].line); n++) {
			struct weblog w = {0};
			char *copy = malloc(n ? n : 1);
			memcpy(copy, webs[i].line, n);
			fields_reset(&f);
			webs[i].parse(copy, n, NOW, &w, &f);
			free(copy);
		}
}
END_TEST

/* With a cost that grew by the square of the length, one line would take minutes. */
START_TEST(long_lines_of_web_servers)
{
	enum { SIZE = 256 * 1024 };
	static const char *const begins[] = {
		"", "192.0.2.1 - - [27/Nov/2026:10:00:00 +0000] \"", "[Fri Nov 27 10:00:00 2026] ",
		"2026/11/27 10:00:00 [error] 1#1: ",
		"haproxy[1]: 192.0.2.1:1 [27/Nov/2026:10:00:00.123] f b/s 1/2/3/4/5 200 1 - - "};
	static const char *const units = "[\"{(,:/- ";
	static struct fields f;
	char *line = malloc(SIZE);
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		for (const char *unit = units; *unit; unit++) {
			memset(line, *unit, SIZE);
			memcpy(line, begins[i], strlen(begins[i]));
			line[SIZE - 1] = ']';
			struct weblog w = {0};
			fields_reset(&f);
			weblog_access(line, SIZE, NOW, &w, &f);
			weblog_nginx(line, SIZE, NOW, &w, &f);
			weblog_apache_error(line, SIZE, NOW, &w, &f);
			weblog_haproxy(line, SIZE, NOW, &w, &f);
		}
	free(line);
}
END_TEST

/* ---- traces: each string is an event --------------------------------------------------- */

static const struct {
	enum trace_preset preset;
	const char *events[8];
} traces[] = {
	{TRACE_TIME,
	 {"2026-11-27 10:00:00 ERROR it broke\njava.lang.IllegalStateException: boom\n\tat "
	  "a.B.c(B.java:3)\nplain",
	  "[27/Nov/2026:10:00:01 +0000] next", "Nov 27 10:00:02 host app: x\n\n  y",
	  "INFO 2026-11-27 10:00:03 level first", "[WARN] [2026/11/27 10:00:04] brackets",
	  "E, [2026-11-27T10:00:05.123456 #42] ERROR -- : ruby's",
	  "E1127 10:00:06.123456 42 klog's"}},
	{TRACE_JAVA,
	 {"2026-11-27 10:00:00.123 INFO  [main] c.e.App - started",
	  "2026-11-27 10:00:01.123 ERROR [http-1] c.e.Api - request failed\n"
	  "java.lang.IllegalStateException: cannot load order 7\n"
	  "\tat com.example.Orders.load(Orders.java:42)\n"
	  "\tat com.example.Orders$$Lambda$12/0x0000000800c8.apply(Unknown Source)\n"
	  "\tat java.base/java.lang.Thread.run(Thread.java:840)\n"
	  "\tSuppressed: java.io.IOException: close failed\n"
	  "\t\tat com.example.Pool.close(Pool.java:9)\n"
	  "\t\t... 2 more\n"
	  "Caused by: org.postgresql.util.PSQLException: ERROR: syntax error at or near \"x\"\n"
	  "  Position: 15\n"
	  "\tat "
	  "org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:"
	  "2676)\n"
	  "\t... 35 common frames omitted",
	  "2026-11-27 10:00:02.123 INFO  [main] c.e.App - going on"}},
	{TRACE_JAVA,
	 {"starting up",
	  "Exception in thread \"main\" java.lang.ExceptionInInitializerError\n"
	  "\tat com.example.Main.main(Main.java:5)\n"
	  "Caused by: java.lang.NullPointerException: Cannot invoke \"String.length()\" because "
	  "\"s\" is null\n"
	  "\tat com.example.Config.<clinit>(Config.java:3)\n"
	  "\t... 1 more",
	  "java.util.concurrent.CompletionException: java.lang.RuntimeException: first line\n"
	  "second line of the message\n"
	  "\n"
	  "\tat "
	  "java.base/"
	  "java.util.concurrent.CompletableFuture.encodeThrowable(CompletableFuture.java:315)",
	  "java.lang.StackOverflowError\n\tat com.example.A.a(A.java:1)\n\tat "
	  "com.example.A.a(A.java:1)",
	  "bye"}},
	{TRACE_PYTHON,
	 {"INFO:root:started",
	  "ERROR:root:request failed\n"
	  "Traceback (most recent call last):\n"
	  "  File \"/srv/app.py\", line 12, in handle\n"
	  "    return 1 / n\n"
	  "           ~~^~~\n"
	  "ZeroDivisionError: division by zero\n"
	  "\n"
	  "During handling of the above exception, another exception occurred:\n"
	  "\n"
	  "Traceback (most recent call last):\n"
	  "  File \"/srv/app.py\", line 15, in <module>\n"
	  "    handle(0)\n"
	  "app.errors.RequestError: no result",
	  "INFO:root:going on",
	  "Traceback (most recent call last):\n"
	  "  File \"<string>\", line 1, in <module>\n"
	  "KeyboardInterrupt",
	  "after"}},
	{TRACE_PYTHON,
	 {"before",
	  "  + Exception Group Traceback (most recent call last):\n"
	  "  |   File \"/srv/x.py\", line 3, in <module>\n"
	  "  |     raise ExceptionGroup(\"both\", [ValueError(1), TypeError(2)])\n"
	  "  | ExceptionGroup: both (2 sub-exceptions)\n"
	  "  +-+---------------- 1 ----------------\n"
	  "    | ValueError: 1\n"
	  "    +---------------- 2 ----------------\n"
	  "    | TypeError: 2\n"
	  "    +------------------------------------",
	  "2026-11-27 10:00:00,123 ERROR it broke\n"
	  "Traceback (most recent call last):\n"
	  "  File \"/srv/x.py\", line 3\n"
	  "    foo(\n"
	  "       ^\n"
	  "SyntaxError: '(' was never closed",
	  "2026-11-27 10:00:01,123 INFO going on"}},
	{TRACE_GO,
	 {"2026/11/27 10:00:00 listening",
	  "panic: runtime error: index out of range [5] with length 3 [recovered]\n"
	  "\tpanic: again\n"
	  "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48f0a5]\n"
	  "\n"
	  "goroutine 1 [running]:\n"
	  "main.(*T).get(0xc00001c0a8, {0x4b2f10, 0x5})\n"
	  "\t/srv/x.go:8 +0x1d\n"
	  "main.main()\n"
	  "\t/srv/x.go:12 +0x85\n"
	  "\n"
	  "goroutine 18 [chan receive, 2 minutes]:\n"
	  "net/http.(*Server).Serve.func1(...)\n"
	  "\t/usr/local/go/src/net/http/server.go:3210\n"
	  "created by net/http.(*Server).Serve in goroutine 1\n"
	  "\t/usr/local/go/src/net/http/server.go:3285 +0x4b4\n"
	  "exit status 2",
	  "2026/11/27 10:00:01 http: panic serving 203.0.113.7:5555: boom\n"
	  "goroutine 19 [running]:\n"
	  "net/http.(*conn).serve.func1()\n"
	  "\t/usr/local/go/src/net/http/server.go:1898 +0xbe\n"
	  "panic({0x6a1f20?, 0x75e0a0?})\n"
	  "\t/usr/local/go/src/runtime/panic.go:770 +0x132",
	  "2026/11/27 10:00:02 going on",
	  "fatal error: all goroutines are asleep - deadlock!\n"
	  "\n"
	  "goroutine 1 [select (no cases)]:\n"
	  "main.main()\n"
	  "\t/srv/x.go:4 +0x17",
	  "2026/11/27 10:00:03 again"}},
	{TRACE_GO,
	 {"==================\n"
	  "WARNING: DATA RACE\n"
	  "Write at 0x00c00001c0a8 by goroutine 7:\n"
	  "  main.main.func1()\n"
	  "      /srv/x.go:9 +0x3c\n"
	  "\n"
	  "Previous write at 0x00c00001c0a8 by main goroutine:\n"
	  "  main.main()\n"
	  "      /srv/x.go:12 +0x8b\n"
	  "\n"
	  "Goroutine 7 (running) created at:\n"
	  "  main.main()\n"
	  "      /srv/x.go:8 +0x7a\n"
	  "==================",
	  "after"}},
	{TRACE_RUBY,
	 {"I, [2026-11-27T10:00:00.123456 #42]  INFO -- : started",
	  "E, [2026-11-27T10:00:01.123456 #42] ERROR -- : boom (RuntimeError)\n"
	  "app.rb:3:in `load'\n"
	  "app.rb:7:in `block (2 levels) in <main>'",
	  "I, [2026-11-27T10:00:02.123456 #42]  INFO -- : going on",
	  "app.rb:4:in `rescue in load': outer (RuntimeError)\n"
	  "\tfrom app.rb:1:in `load'\n"
	  "\tfrom app.rb:7:in `<main>'\n"
	  "app.rb:2:in `load': undefined local variable or method `x' for main:Object (NameError)\n"
	  "\n"
	  "  x + 1\n"
	  "  ^\n"
	  "\tfrom app.rb:7:in `<main>'",
	  "after"}},
	{TRACE_RUBY,
	 {"app.rb:2:in 'Integer#/': divided by 0 (ZeroDivisionError)\n"
	  "\tfrom app.rb:2:in 'Object#div'\n"
	  "\tfrom app.rb:5:in '<main>'",
	  "Started GET \"/orders/7\" for 203.0.113.7",
	  "ActiveRecord::RecordNotFound (Couldn't find Order with 'id'=7):\n"
	  "  \n"
	  "app/controllers/orders_controller.rb:5:in `show'\n"
	  "actionpack (7.0.4) lib/action_controller/metal.rb:188:in `dispatch'",
	  "Started GET \"/\" for 203.0.113.7"}},
	{TRACE_PHP,
	 {"[27-Nov-2026 10:00:00 UTC] PHP Notice:  Undefined variable $x in /srv/x.php on line 3",
	  "[27-Nov-2026 10:00:01 UTC] PHP Fatal error:  Uncaught RuntimeException: inner in "
	  "/srv/x.php:5\n"
	  "Stack trace:\n"
	  "#0 /srv/x.php(9): load('7')\n"
	  "#1 {main}\n"
	  "\n"
	  "Next LogicException: outer in /srv/x.php:7\n"
	  "Stack trace:\n"
	  "#0 {main}\n"
	  "  thrown in /srv/x.php on line 7",
	  "[27-Nov-2026 10:00:02 UTC] PHP Warning:  Division by zero in /srv/x.php on line 3\n"
	  "[27-Nov-2026 10:00:02 UTC] PHP Stack trace:\n"
	  "[27-Nov-2026 10:00:02 UTC] PHP   1. {main}() /srv/x.php:0\n"
	  "[27-Nov-2026 10:00:02 UTC] PHP   2. div() /srv/x.php:9",
	  "[2026-11-27 10:00:03] production.ERROR: boom {\"exception\":\"[object] "
	  "(RuntimeException(code: 0): boom at "
	  "/srv/x.php:3)\n"
	  "[stacktrace]\n"
	  "#0 /srv/vendor/laravel/framework/src/Illuminate/Routing/Router.php(721): run()\n"
	  "#1 {main}\n"
	  "\"} ",
	  "[2026-11-27 10:00:04] production.INFO: going on"}},
	{TRACE_DOTNET,
	 {"Unhandled exception. System.InvalidOperationException: outer\n"
	  " ---> System.IO.IOException: inner\n"
	  "   at App.Store.Load(Int32 id) in /src/Store.cs:line 10\n"
	  "   --- End of inner exception stack trace ---\n"
	  "   at App.Program.Main(String[] args) in /src/Program.cs:line 5\n"
	  "--- End of stack trace from previous location ---\n"
	  "   at App.Program.<Main>(String[] args)",
	  "info: Microsoft.Hosting.Lifetime[14]\n      Now listening on: http://localhost:5000",
	  "fail: Microsoft.AspNetCore.Server.Kestrel[13]\n"
	  "      Connection id \"0HM\", Request id \"0HM:1\": An unhandled exception was thrown.\n"
	  "      System.NullReferenceException: Object reference not set to an instance of an "
	  "object.\n"
	  "         at App.Api.Get() in /src/Api.cs:line 3",
	  "2026-11-27 10:00:00.123 +00:00 [ERR] request failed\n"
	  "System.AggregateException: One or more errors occurred. (boom)\n"
	  " ---> System.Exception: boom\n"
	  "   at App.X.Y()\n"
	  " ---> (Inner Exception #1) System.Exception: two\n"
	  "<---",
	  "2026-11-27 10:00:01.123 +00:00 [INF] going on"}},
	{TRACE_NODE,
	 {"listening on 3000",
	  "/srv/app.js:3\n"
	  "    throw new Error('boom');\n"
	  "    ^\n"
	  "\n"
	  "Error: boom\n"
	  "    at load (/srv/app.js:3:11)\n"
	  "    at Object.<anonymous> (/srv/app.js:7:1) {\n"
	  "  code: 'E_BOOM',\n"
	  "  [cause]: TypeError: Cannot read properties of undefined (reading 'x')\n"
	  "      at load (/srv/app.js:2:9)\n"
	  "}\n"
	  "\n"
	  "Node.js v18.19.0",
	  "node:internal/process/promises:288\n"
	  "            triggerUncaughtException(err, true /* fromPromise */);\n"
	  "            ^\n"
	  "\n"
	  "[UnhandledPromiseRejection: This error originated either by throwing inside of an async "
	  "function]{\n"
	  "  code: 'ERR_UNHANDLED_REJECTION'\n"
	  "}",
	  "TypeError [ERR_INVALID_ARG_TYPE]: The \"path\" argument must be of type string\n"
	  "    at new NodeError (node:internal/errors:405:5)",
	  "2026-11-27T10:00:00.000Z error: request failed\n"
	  "Error: connect ECONNREFUSED 127.0.0.1:5432\n"
	  "    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1555:16)",
	  "2026-11-27T10:00:01.000Z info: going on"}},
};

static void feed(struct traces *t, const char *const *events, size_t preset)
{
	enum trace_state state = TRACE_LINE;
	for (size_t i = 0; events[i]; i++) {
		const char *event = events[i];
		for (const char *line = event; line;) {
			const char *lf = strchr(line, '\n');
			size_t n = lf ? (size_t)(lf - line) : strlen(line);
			const char *so_far = line > event ? event : i ? events[i - 1] : NULL;
			size_t len = line > event ? (size_t)(line - event) - 1
				     : so_far     ? strlen(so_far)
						  : 0;
			bool begins = traces_begins(t, &state, so_far, len, line, n);
			ck_assert_msg(begins == (line == event) || !so_far,
				      "%s: \"%.*s\" %s an event", traces_names[preset], (int)n,
				      line, begins ? "begins" : "does not begin");
			line = lf ? lf + 1 : NULL;
		}
	}
}

START_TEST(a_trace_is_one_event)
{
	stamp_set_zone("UTC");
	for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
		struct traces *t = traces_new(traces[i].preset);
		feed(t, traces[i].events, traces[i].preset);
		traces_free(t);
	}
}
END_TEST

UNIT_MAIN("lines", times_that_programs_write, times_are_read_within_their_text, times_by_a_format,
	  zones_across_daylight_saving, logs_of_web_servers, cut_lines_of_web_servers,
	  long_lines_of_web_servers, a_trace_is_one_event)

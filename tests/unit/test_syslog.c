/* SPDX-License-Identifier: MIT
 *
 * Syslog messages in the forms that devices and programs send.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

#include "../../plugins/common/stamp.h"
#include "../../plugins/common/syslogmsg.h"
#include "../../plugins/syslog/proxy.h"

#define SEC 1000000000LL

enum { NOW = 1795687200 }; /* 2026-11-26T10:00:00Z */

static const char *text_of(char *out, struct syslog_text t)
{
	snprintf(out, 400, "%.*s", (int)t.n, t.n ? t.p : "");
	return out;
}

/* "" of a time: none. */
static const char *time_of(char *out, const struct syslog_message *m)
{
	time_t seconds = (time_t)(m->time_ns / SEC);
	struct tm tm;
	*out = 0;
	if (!m->has_time)
		return out;
	gmtime_r(&seconds, &tm);
	size_t n = strftime(out, 100, "%FT%T", &tm);
	if (m->time_ns % SEC)
		snprintf(out + n, 100 - n, ".%03d", (int)(m->time_ns % SEC / 1000000));
	return out;
}

static const struct {
	const char *line, *time, *host, *app, *pid, *message;
} headers[] = {
	/* RFC 3164 as it is meant */
	{"<13>Nov 26 09:00:00 web1 app[12]: text", "2026-11-26T09:00:00", "web1", "app", "12",
	 "text"},
	{"<13>Nov  6 09:00:00 app: text", "2026-11-06T09:00:00", "", "app", "", "text"},
	{"<13>Nov 6 09:00:00 web1 app: text", "2026-11-06T09:00:00", "web1", "app", "", "text"},
	{"<13>2026-11-26T09:00:00.5+01:00 web1 app: text", "2026-11-26T08:00:00.500", "web1", "app",
	 "", "text"},
	{"<13>Nov 26 09:00:00 web1 no tag here", "2026-11-26T09:00:00", "web1", "", "",
	 "no tag here"},
	{"<78>Nov 26 09:00:00 CRON: text", "2026-11-26T09:00:00", "", "CRON", "", "text"},
	{"<13>Nov 26 09:00:00", "2026-11-26T09:00:00", "", "", "", ""},
	/* the host as an address */
	{"<13>Nov 26 09:00:00 2001:db8::1 app[12]: text", "2026-11-26T09:00:00", "2001:db8::1",
	 "app", "12", "text"},
	{"<13>2026-11-26T09:00:00Z fe80::1%eth0 app: text", "2026-11-26T09:00:00", "fe80::1%eth0",
	 "app", "", "text"},
	{"<13>Nov 26 09:00:00 [2001:db8::1] app: text", "2026-11-26T09:00:00", "2001:db8::1", "app",
	 "", "text"},
	{"<13>Nov 26 09:00:00 ::ffff:192.0.2.1 text", "2026-11-26T09:00:00", "::ffff:192.0.2.1", "",
	 "", "text"},
	{"<13>Nov 26 09:00:00 :: app: text", "2026-11-26T09:00:00", "::", "app", "", "text"},
	{"<13>Nov 26 09:00:00 192.0.2.1 app: text", "2026-11-26T09:00:00", "192.0.2.1", "app", "",
	 "text"},
	{"<13>Nov 26 09:00:00 dead: text", "2026-11-26T09:00:00", "", "dead", "", "text"},
	/* the host as a number; rsyslog reads it so, syslog-ng takes it for a year */
	{"<13>Nov 26 09:00:00 4711 app: text", "2026-11-26T09:00:00", "4711", "app", "", "text"},
	{"<13>Nov 26 09:00:00 1999 app[1]: text", "2026-11-26T09:00:00", "1999", "app", "1",
	 "text"},
	{"<13>Nov 26 09:00:00 2026 app: text", "2026-11-26T09:00:00", "2026", "app", "", "text"},
	{"<13>2026-11-26T09:00:00Z 2026 host: text", "2026-11-26T09:00:00", "2026", "host", "",
	 "text"},
	/* Cisco ASA, FTD */
	{"<166>Nov 26 2025 09:00:00: %ASA-6-302013: Built outbound TCP connection",
	 "2025-11-26T09:00:00", "", "%ASA-6-302013", "", "Built outbound TCP connection"},
	{"<166>Nov 26 2025 09:00:00 fw1 : %ASA-6-302013: Built", "2025-11-26T09:00:00", "fw1",
	 "%ASA-6-302013", "", "Built"},
	{"<166>Nov 26 2025 09:00:00 fw1: %ASA-6-302013: Built", "2025-11-26T09:00:00", "fw1",
	 "%ASA-6-302013", "", "Built"},
	{"<166>Nov 26 2025 09:00:00 10.1.1.1: %ASA-6-302013: Built", "2025-11-26T09:00:00",
	 "10.1.1.1", "%ASA-6-302013", "", "Built"},
	{"<166>:Nov 26 09:00:00 UTC: %ASA-session-6-302013: Built", "2026-11-26T09:00:00", "",
	 "%ASA-session-6-302013", "", "Built"},
	{"<166>%ASA-6-302013: Built", "", "", "%ASA-6-302013", "", "Built"},
	{"<113>2026-11-26T09:00:00Z firepower : %FTD-1-430003: EventPriority: Low",
	 "2026-11-26T09:00:00", "firepower", "%FTD-1-430003", "", "EventPriority: Low"},
	{"<166>2026-11-26T09:00:00Z: %ASA-6-110002: Failed", "2026-11-26T09:00:00", "",
	 "%ASA-6-110002", "", "Failed"},
	/* Cisco IOS, NX-OS */
	{"<189>123: *Nov 26 09:00:00.123: %SYS-5-CONFIG_I: Configured", "2026-11-26T09:00:00.123",
	 "", "%SYS-5-CONFIG_I", "", "Configured"},
	{"<189>123: sw1: .Nov 26 09:00:00.123 UTC: %SYS-5-CONFIG_I: Configured",
	 "2026-11-26T09:00:00.123", "sw1", "%SYS-5-CONFIG_I", "", "Configured"},
	{"<189>123: 000456: Nov 26 2025 09:00:00 CET: %SYS-5-CONFIG_I: Configured",
	 "2025-11-26T09:00:00", "", "%SYS-5-CONFIG_I", "", "Configured"},
	{"<189>29: %SYS-5-RESTART: restarted", "", "", "%SYS-5-RESTART", "", "restarted"},
	{"<187>: 2025 Nov 26 09:00:00 UTC: %ETHPORT-5-IF_UP: Interface Ethernet1/1 is up",
	 "2025-11-26T09:00:00", "", "%ETHPORT-5-IF_UP", "", "Interface Ethernet1/1 is up"},
	{"<190>Nov 26 09:00:00 xr1 %MGBL-SYS-5-CONFIG_I : Configured", "2026-11-26T09:00:00", "xr1",
	 "%MGBL-SYS-5-CONFIG_I", "", "Configured"},
	/* Huawei, H3C, Aruba: the year behind the day, or the time */
	{"<190>Nov 26 2025 09:00:00 HUAWEI %%01SHELL/5/CMDRECORD(l): Recorded command",
	 "2025-11-26T09:00:00", "HUAWEI", "%%01SHELL/5/CMDRECORD(l)", "", "Recorded command"},
	{"<188>Nov 26 2025 09:00:00+01:00 HUAWEI DS/4/DATASYNC_CFGCHANGE: OID 1.3",
	 "2025-11-26T08:00:00", "HUAWEI", "DS/4/DATASYNC_CFGCHANGE", "", "OID 1.3"},
	{"<188>2025-11-26 09:00:00+01:00 DST HUAWEI %%01X/4/Y: text", "2025-11-26T08:00:00",
	 "HUAWEI", "%%01X/4/Y", "", "text"},
	{"<189>Nov 26 09:00:00 2025 H3C %%10SHELL/5/SHELL_LOGIN: VTY logged in",
	 "2025-11-26T09:00:00", "H3C", "%%10SHELL/5/SHELL_LOGIN", "", "VTY logged in"},
	{"<189>Nov 26 09:00:00.123 2025 H3C %%10SHELL/5/SHELL_LOGIN: VTY",
	 "2025-11-26T09:00:00.123", "H3C", "%%10SHELL/5/SHELL_LOGIN", "", "VTY"},
	{"<189>Jan  1 00:00:10 2013 H3C %%10SHELL/5/SHELL_LOGIN: VTY", "2013-01-01T00:00:10", "H3C",
	 "%%10SHELL/5/SHELL_LOGIN", "", "VTY"},
	{"<141>Nov 26 09:00:00 2026 aruba-1 <10.1.1.1> authmgr[3573]: text", "2026-11-26T09:00:00",
	 "aruba-1", "", "", "<10.1.1.1> authmgr[3573]: text"},
	{"<166>Nov 26 09:00:00 2025: %ASA-6-302013: Built", "2025-11-26T09:00:00", "",
	 "%ASA-6-302013", "", "Built"},
	/* a clock that was never set, and one that runs ahead */
	{"<13>Jan  1 00:00:12 cam1 app: text", "2026-01-01T00:00:12", "cam1", "app", "", "text"},
	{"<13>Nov 27 12:00:00 cam1 app: text", "2026-11-27T12:00:00", "cam1", "app", "", "text"},
	{"<13>Nov 30 12:00:00 cam1 app: text", "2025-11-30T12:00:00", "cam1", "app", "", "text"},
	{"<13>Dec 31 23:59:59 cam1 app: text", "2025-12-31T23:59:59", "cam1", "app", "", "text"},
	{"<13>Feb 29 12:00:00 cam1 app: text", "2024-02-29T12:00:00", "cam1", "app", "", "text"},
	{"<13>Feb 30 12:00:00 cam1 app: text", "", "", "", "", "Feb 30 12:00:00 cam1 app: text"},
	/* relays */
	{"<13>Nov 26 09:00:00 Message forwarded from aix1: sshd[12]: text", "2026-11-26T09:00:00",
	 "aix1", "sshd", "12", "text"},
	{"<13>Nov 26 09:00:00 last message repeated 2 times", "2026-11-26T09:00:00", "", "", "",
	 "last message repeated 2 times"},
	/* without a time */
	{"<14>app[12]: text", "", "", "app", "12", "text"},
	{"<14>app[12]:text", "", "", "app", "12", "text"},
	{"<14>my.app[12]: a: b", "", "", "my.app", "12", "a: b"},
	{"<14>list[x]: text", "", "", "", "", "list[x]: text"},
	{"<14>Error: disk full", "", "", "", "", "Error: disk full"},
	{"<14>%d%: text", "", "", "", "", "%d%: text"},
	{"<14>12: text", "", "", "", "", "12: text"},
	{"<13>Nov 1 25:00:00 bad time", "", "", "", "", "Nov 1 25:00:00 bad time"},
	/* what must not be taken for more than it is */
	{"<14>Nov 26 09:00:00PM text", "", "", "", "", "Nov 26 09:00:00PM text"},
	{"<189>date=2026-11-26 time=09:00:00 devname=\"FGT\"", "", "", "", "",
	 "date=2026-11-26 time=09:00:00 devname=\"FGT\""},
	{"<14>Nov 26 09:00:00 PA-VM 1,2026/11/26 09:00:00,0123,TRAFFIC", "2026-11-26T09:00:00",
	 "PA-VM", "", "", "1,2026/11/26 09:00:00,0123,TRAFFIC"},
	/* RFC 5424, and headers of which only a part is good */
	{"<34>1 2026-11-26T09:00:00Z h a 1 m - text", "2026-11-26T09:00:00", "h", "a", "1", "text"},
	{"<34>1 2026-11-26T09:00:00Z h a 1 m text without data", "2026-11-26T09:00:00", "h", "a",
	 "1", "text without data"},
	{"<34>1 2026-11-26T09:00:00Z h a 1 m [x y=\"z] text", "2026-11-26T09:00:00", "h", "a", "1",
	 "[x y=\"z] text"},
	{"<34>1 garbage", "", "", "", "", "1 garbage"},
};

START_TEST(headers_of_real_devices)
{
	static struct fields f;
	char time[100], host[400], app[400], pid[400], message[400];
	stamp_set_zone("UTC");
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct syslog_message m;
		const char *line = headers[i].line;
		fields_reset(&f);
		syslog_parse(line, strlen(line), SYSLOG_AUTO, NOW * SEC, &m, &f);
		ck_assert_msg(strcmp(time_of(time, &m), headers[i].time) == 0, "%s: time %s", line,
			      time);
		ck_assert_msg(strcmp(text_of(host, m.host), headers[i].host) == 0, "%s: host %s",
			      line, host);
		ck_assert_msg(strcmp(text_of(app, m.app), headers[i].app) == 0, "%s: app %s", line,
			      app);
		ck_assert_msg(strcmp(text_of(pid, m.pid), headers[i].pid) == 0, "%s: pid %s", line,
			      pid);
		ck_assert_msg(strcmp(text_of(message, m.message), headers[i].message) == 0,
			      "%s: message %s", line, message);
	}
	fields_free(&f);
}
END_TEST

/* A copy of its own size each, so that a sanitizer sees a byte too many. */
START_TEST(a_header_that_ends_anywhere_is_read_to_its_end)
{
	static struct fields f;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		size_t all = strlen(headers[i].line);
		for (size_t n = 0; n <= all; n++) {
			struct syslog_message m;
			char *p = malloc(n ? n : 1);
			memcpy(p, headers[i].line, n);
			fields_reset(&f);
			syslog_parse(p, n, SYSLOG_AUTO, NOW * SEC, &m, &f);
			ck_assert(m.message.n <= n);
			syslog_parse_line(p, n, NOW * SEC, &m, &f);
			ck_assert(m.message.n <= n);
			free(p);
		}
	}
	fields_free(&f);
}
END_TEST

static const char *field(const struct fields *f, const char *name)
{
	static char out[400];
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->all[i].name, name) == 0)
			return text_of(
				out, (struct syslog_text){f->all[i].string, f->all[i].string_len});
	return "(none)";
}

START_TEST(structured_data_of_check_point)
{
	static struct fields f;
	struct syslog_message m;
	static const char line[] =
		"<134>1 2026-11-26T09:00:00Z gw1 CheckPoint 12345 - [action:\"Accept\"; "
		"flags:\"411908\"; ifname:\"eth0\"; loguid:\"{0x0,0x1}\"; "
		"__policy_id_tag:\"product=VPN-1[db_tag={A};policy_name=Standard\\]\"; "
		"dst:\"192.0.2.1\"; empty:\"\"; ]";
	syslog_parse(line, sizeof(line) - 1, SYSLOG_AUTO, NOW * SEC, &m, &f);
	ck_assert(m.has_time && !m.is_damaged);
	ck_assert_uint_eq(m.message.n, 0);
	ck_assert_uint_eq(f.n, 7);
	ck_assert_str_eq(field(&f, "sd.action"), "Accept");
	ck_assert_str_eq(field(&f, "sd.dst"), "192.0.2.1");
	ck_assert_str_eq(field(&f, "sd.empty"), "");
	ck_assert_str_eq(field(&f, "sd.__policy_id_tag"),
			 "product=VPN-1[db_tag={A};policy_name=Standard]");
	fields_free(&f);
}
END_TEST

START_TEST(ciscos_sequence_numbers_are_kept)
{
	static struct fields f;
	struct syslog_message m;
	static const char line[] = "<189>123: 000456: Nov 26 09:00:00: %SYS-5-CONFIG_I: text";
	syslog_parse(line, sizeof(line) - 1, SYSLOG_AUTO, NOW * SEC, &m, &f);
	ck_assert_str_eq(field(&f, "sd.meta.sequenceId"), "123: 000456");
	fields_free(&f);
}
END_TEST

START_TEST(times_of_another_zone)
{
	static const struct {
		const char *zone, *line, *time;
	} all[] = {
		{"America/New_York", "<13>Nov 26 09:00:00 h a: t", "2026-11-26T14:00:00"},
		{"America/New_York", "<13>Jul  1 09:00:00 h a: t", "2026-07-01T13:00:00"},
		{"Asia/Kolkata", "<13>Nov 26 2025 09:00:00: %A-6-1: t", "2025-11-26T03:30:00"},
		{"+02:00", "<13>2026-11-26 09:00:00 h a: t", "2026-11-26T07:00:00"},
		{"Asia/Tokyo", "<13>2026-11-26T09:00:00Z h a: t", "2026-11-26T09:00:00"},
		{NULL, "<13>Nov 26 09:00:00 h a: t", "2026-11-26T08:00:00"},
		{NULL, "<13>Jul  1 09:00:00 h a: t", "2026-07-01T07:00:00"},
	};
	static struct fields f;
	char time[100];
	stamp_set_zone("Europe/Berlin");
	ck_assert_ptr_null(stamp_zone_new("Europe/Bayreuth"));
	ck_assert_ptr_null(stamp_zone_new(""));
	/* Twice: what is remembered of a zone is of that zone alone. */
	for (size_t i = 0; i < 2 * sizeof(all) / sizeof(all[0]); i++) {
		size_t k = i % (sizeof(all) / sizeof(all[0]));
		struct stamp_zone *z = all[k].zone ? stamp_zone_new(all[k].zone) : NULL;
		struct syslog_message m;
		ck_assert(!all[k].zone || z);
		stamp_use_zone(z);
		fields_reset(&f);
		syslog_parse(all[k].line, strlen(all[k].line), SYSLOG_AUTO, NOW * SEC, &m, &f);
		ck_assert_msg(strcmp(time_of(time, &m), all[k].time) == 0, "%s: %s", all[k].line,
			      time);
		stamp_zone_free(z);
	}
	fields_free(&f);
	stamp_set_zone("UTC");
}
END_TEST

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static const struct {
	const char *bytes;
	size_t n;
	const char *from; /* "": the proxy itself; NULL: no good */
} proxied[] = {
#define HEADER(text) text, sizeof(text) - 1
	{HEADER("PROXY TCP4 192.0.2.1 192.0.2.9 1234 514\r\n"), "192.0.2.1 1234"},
	{HEADER("PROXY TCP6 2001:db8::1 2001:db8::9 1234 514\r\n"), "2001:db8::1 1234"},
	{HEADER("PROXY UNKNOWN\r\n"), ""},
	{HEADER("PROXY UNKNOWN ffff:: ffff:: 1 2\r\n"), ""},
	{HEADER(V2 "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\x09\x04\xd2\2\2"), "192.0.2.1 1234"},
	{HEADER(V2 "\x21\x11\0\x10\xc0\0\2\1\xc0\0\2\x09\x04\xd2\2\2\4\0\1x"), "192.0.2.1 1234"},
	{HEADER(V2
		"\x21\x21\0\x2a \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1 \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\x09"
		"\x04\xd2\2\2\4\0\3xyz"),
	 "2001:db8::1 1234"},
	{HEADER(V2 "\x20\0\0\0"), ""},
	{HEADER(V2 "\x21\0\0\3xyz"), ""},
	{HEADER("PROXY TCP4 192.0.2.1 192.0.2.9 1234\r\n"), NULL},
	{HEADER("PROXY TCP4 192.0.2.1 192.0.2.9 1234 514 1\r\n"), NULL},
	{HEADER("PROXY TCP4 192.0.2.1 192.0.2.9 1234 99999\r\n"), NULL},
	{HEADER("PROXY TCP4 2001:db8::1 2001:db8::9 1234 514\r\n"), NULL},
	{HEADER("PROXY TCP4 192.0.2.1 192.0.2.9 1234 514\n"), NULL},
	{HEADER("PROXY TCP5 192.0.2.1 192.0.2.9 1234 514\r\n"), NULL},
	{HEADER("PROXY TCP4 192.0.2.1\0 192.0.2.9 1234 514\r\n"), NULL},
	{HEADER("PROXY \r\n"), NULL},
	{HEADER("PROXY aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	 NULL},
	{HEADER("<13>no header\n"), NULL},
	{HEADER("PROXX"), NULL},
	{HEADER(V2 "\x11\x11\0\x0c\xc0\0\2\1\xc0\0\2\x09\x04\xd2\2\2"), NULL},
	{HEADER(V2 "\x22\x11\0\x0c\xc0\0\2\1\xc0\0\2\x09\x04\xd2\2\2"), NULL},
	{HEADER(V2 "\x21\x11\0\4\xc0\0\2\1"), NULL},
	{HEADER(V2 "\x21\x11\xff\xff"), NULL},
#undef HEADER
};

static const char *who(const struct sockaddr_storage *from)
{
	static char text[100];
	char host[INET6_ADDRSTRLEN];
	const struct sockaddr_in *in = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
	bool is_v4 = from->ss_family == AF_INET;
	if (from->ss_family == AF_UNSPEC)
		return "";
	inet_ntop(from->ss_family,
		  is_v4 ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr, host,
		  sizeof(host));
	snprintf(text, sizeof(text), "%s %d", host, ntohs(is_v4 ? in->sin_port : in6->sin6_port));
	return text;
}

START_TEST(proxy_headers_however_they_are_cut)
{
	for (size_t i = 0; i < sizeof(proxied) / sizeof(proxied[0]); i++) {
		for (size_t step = 1; step <= proxied[i].n + 5; step++) {
			struct proxy h = {0};
			struct sockaddr_storage from;
			char all[400];
			size_t n = proxied[i].n, at = 0, used;
			enum proxy_result r = PROXY_MORE;
			memcpy(all, proxied[i].bytes, n);
			memcpy(all + n, "<13>x", 5); /* no byte of which may be taken */
			while (r == PROXY_MORE && at < n + 5) {
				size_t left = n + 5 - at;
				char *piece = malloc(step);
				memcpy(piece, all + at, left < step ? left : step);
				r = proxy_take(&h, piece, left < step ? left : step, &used, &from);
				free(piece);
				at += used;
			}
			ck_assert_msg((r == PROXY_DONE) == (proxied[i].from != NULL),
				      "header %zu in pieces of %zu: %d", i, step, (int)r);
			if (r == PROXY_DONE) {
				ck_assert_uint_eq(at, n);
				ck_assert_str_eq(who(&from), proxied[i].from);
			}
		}
	}
}
END_TEST

UNIT_MAIN("syslog", headers_of_real_devices, a_header_that_ends_anywhere_is_read_to_its_end,
	  structured_data_of_check_point, ciscos_sequence_numbers_are_kept, times_of_another_zone,
	  proxy_headers_however_they_are_cut)

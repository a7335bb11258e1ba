/* SPDX-License-Identifier: MIT
 *
 * Pure parts of sources: what they parse, pack and cut.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../plugins/common/stamp.h"
#include "../../plugins/syslog/framing.h"
#include "access/forwarded.h"
#include "base/address.h"
#include "base/json.h"
#include "base/unit.h"
#include "host/needs.h"
#include "host/plugin.h"

#define SEC 1000000000LL

START_TEST(json_is_checked_as_rfc_8259_says)
{
	static const char *const good[] = {
		"1",
		"-0.5e+10",
		"\"\"",
		"\"\\u00e4\\n\"",
		"[]",
		"{}",
		"[1,[2,[]],{\"a\":null}]",
		" { \"a\" : [ true , false ] } ",
		"\"a\\\\\"",
		"0",
	};
	static const char *const bad[] = {
		"",        "[1,]",  "{\"a\"}", "{\"a\":1,}", "01",   "1.",          "\"",
		"\"\\x\"", "[1 2]", "nul",     "{a:1}",      "[1]]", "{\"a\":1}x",  "\"\n\"",
		"[\n1]",   "'a'",   "+1",      "--1",        ".5",   "\"\\u12g4\"",
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(json_check(str_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!json_check(str_of(bad[i])), "%s", bad[i]);
	char deep[200];
	memset(deep, '[', 100);
	memset(deep + 100, ']', 100);
	ck_assert(!json_check((struct str){deep, 200}));
	ck_assert(json_check((struct str){deep + 40, 120}));
}
END_TEST

START_TEST(addresses_are_refused_with_a_sentence)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{"udp:127.0.0.1:514", true},
		{"tcp:[::1]:601", true},
		{"tls:host:6514", true},
		{"unix:/run/x.sock", true},
		{"unix-dgram:/x", true},
		{"tcp:::1:601", false},
		{"tcp:127.0.0.1", false},
		{"tcp:127.0.0.1:0", false},
		{"tcp:127.0.0.1:65536", false},
		{"unix:relative", false},
		{"http:x:1", false},
		{"", false},
		{"udp:127.0.0.1:00000000000000000000000514", false},
		{"udp::514", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address a;
		char *why = NULL;
		ck_assert_msg((address_parse(cases[i].text, &a, &why) == 0) == cases[i].good, "%s",
			      cases[i].text);
		ck_assert((why == NULL) == cases[i].good);
		free(why);
	}
}
END_TEST

START_TEST(ranges_of_durations)
{
	int64_t low, high;
	ck_assert(unit_parse_range("1s..60s", &low, &high) == 0 && low == SEC && high == 60 * SEC);
	ck_assert(unit_parse_range("5ms", &low, &high) == 0 && low == 5000000 && high == low);
	ck_assert_int_ne(unit_parse_range("2s..1s", &low, &high), 0);
	ck_assert_int_ne(unit_parse_range("..", &low, &high), 0);
	ck_assert_int_ne(unit_parse_range("1s..x", &low, &high), 0);
}
END_TEST

START_TEST(times_as_logs_write_them)
{
	int64_t ns = 0, now = 1795240800 * SEC; /* 2026-11-21 */
	stamp_set_zone("UTC");
	ck_assert_uint_eq(stamp_iso("2026-11-21T06:00:00.5Z x", 24, &ns), 22);
	ck_assert_int_eq(ns, 1795240800 * SEC + SEC / 2);
	ck_assert_uint_eq(stamp_iso("2026-11-21 07:00:00+01:00", 25, &ns), 25);
	ck_assert_int_eq(ns, 1795240800 * SEC);
	ck_assert_uint_eq(stamp_bsd("Nov 21 06:00:00 h", 17, now, &ns), 15);
	ck_assert_int_eq(ns, 1795240800 * SEC);
	/* December is last year's in January. */
	ck_assert_uint_eq(stamp_bsd("Dec 31 23:59:59", 15, 1767225600 * SEC, &ns), 15);
	ck_assert_int_eq(ns, 1767225599 * SEC);
	ck_assert_uint_eq(stamp_clf("21/Nov/2026:06:00:00 +0000", 26, &ns), 26);
	ck_assert_int_eq(ns, 1795240800 * SEC);
	static const char *const bad[] = {"2026-02-30T00:00:00Z",
					  "2026-11-21T24:00:00Z",
					  "2026-11-21",
					  "Nov 31 00:00:00",
					  "Foo  1 00:00:00",
					  "",
					  "Nov"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!stamp_iso(bad[i], strlen(bad[i]), &ns) &&
				      !stamp_bsd(bad[i], strlen(bad[i]), now, &ns) &&
				      !stamp_clf(bad[i], strlen(bad[i]), &ns),
			      "%s", bad[i]);
}
END_TEST

/* All frames of a stream that comes in pieces of `step` bytes, each in brackets. */
static void frames_of(const char *data, size_t n, size_t step, enum framing_mode mode, size_t max,
		      char *out)
{
	struct framing f = {0};
	char buffer[4096];
	size_t len = 0;
	*out = 0;
	for (size_t at = 0; at <= n; at += step) {
		size_t take = n - at < step ? n - at : step;
		bool at_end = at + take == n;
		memcpy(buffer + len, data + at, take);
		len += take;
		for (;;) {
			struct frame fr;
			size_t used;
			enum framing_result r =
				framing_next(&f, mode, max, buffer, len, at_end, &used, &fr);
			if (r == FRAMING_FRAME)
				sprintf(out + strlen(out), "[%.*s/%d]", (int)fr.n, fr.p,
					(int)fr.size);
			memmove(buffer, buffer + used, len - used);
			len -= used;
			if (r == FRAMING_BROKEN) {
				strcat(out, "!");
				return;
			}
			if (r == FRAMING_MORE)
				break;
		}
		if (f.is_inside && len > max) {
			framing_forget(&f, len - max, true);
			len = max;
		}
		if (at_end)
			return;
	}
}

START_TEST(a_stream_has_the_same_frames_however_it_is_cut)
{
	static const char data[] =
		"<13>one\n9 <13>two\nx<14>three\n123abc\n1 <2 <3>30 <15>aaaaaaaaaaaaaaaa"
		"aaaaaaaaaa<16>zzzzzzzzzzzzzzzzzzzzzzzzzzz\nend";
	char whole[1000], cut[1000];
	frames_of(data, sizeof(data) - 1, sizeof(data), FRAMING_AUTO, 20, whole);
	ck_assert_str_eq(whole, "[<13>one/7][<13>two\nx/9][<14>three/9][123abc/6][</1][<3/2][>30 "
				"<15>aaaaaaaaaaaa/65]"
				"[end/3]");
	for (size_t step = 1; step < sizeof(data); step++) {
		frames_of(data, sizeof(data) - 1, step, FRAMING_AUTO, 20, cut);
		ck_assert_msg(strcmp(whole, cut) == 0, "in pieces of %zu: %s", step, cut);
	}
	/* Python's SysLogHandler; a NUL inside a line is none that ends it. */
	static const char nuls[] = "<13>one\0<14>two\0\0<15>three\n8 <13>a\0bc<14>four\0";
	frames_of(nuls, sizeof(nuls) - 1, sizeof(nuls), FRAMING_AUTO, 20, whole);
	ck_assert_str_eq(whole, "[<13>one/7][<14>two/7][/0][<15>three/9][<13>a/8][<14>four/8]");
	for (size_t step = 1; step < sizeof(nuls); step++) {
		frames_of(nuls, sizeof(nuls) - 1, step, FRAMING_AUTO, 20, cut);
		ck_assert_msg(strcmp(whole, cut) == 0, "in pieces of %zu: %s", step, cut);
	}
	frames_of("<13>a\0b\n", 8, 8, FRAMING_AUTO, 20, cut);
	ck_assert_str_eq(cut, "[<13>a/7]");
	frames_of("<13>a\0<b\n", 9, 9, FRAMING_LF, 20, cut);
	ck_assert_str_eq(cut, "[<13>a/8]");
	frames_of("12x", 3, 1, FRAMING_OCTET, 20, cut);
	ck_assert_str_eq(cut, "!");
	frames_of("9999999 <13>", 12, 1, FRAMING_AUTO, 20, cut);
	ck_assert_str_eq(cut, "!");
}
END_TEST

START_TEST(a_proxy_is_believed_as_far_as_it_is_listed)
{
	char *listed[] = {(char[]){"10.0.0.0/8"}, (char[]){"2001:db8::/32"}, (char[]){"unix:"}};
	static const struct {
		const char *peer, *list, *field; /* X-Forwarded-For, Forwarded */
		const char *address;             /* in front of it "?": whose it is nobody knows */
	} all[] = {
		{"192.0.2.9", "", "", "192.0.2.9"},
		{"192.0.2.9", "10.9.9.9", "", "192.0.2.9"},
		{"10.0.0.1", "", "", "10.0.0.1"},
		{"10.0.0.1", "192.0.2.9", "", "192.0.2.9"},
		{"10.0.0.1", "10.9.9.9, 192.0.2.9", "", "192.0.2.9"},
		{"10.0.0.1", "192.0.2.9,10.0.0.2 ,\t10.0.0.3", "", "192.0.2.9"},
		{"10.0.0.1", "10.0.0.3, 10.0.0.2", "", "10.0.0.3"},
		{"10.0.0.1", "evil, 192.0.2.9", "", "192.0.2.9"},
		{"10.0.0.1", "192.0.2.9, unknown", "", "?10.0.0.1"},
		{"10.0.0.1", "192.0.2.9, unknown, 10.0.0.2", "", "?10.0.0.2"},
		{"10.0.0.1", "192.0.2.9 10.0.0.2", "", "?10.0.0.1"},
		{"10.0.0.1", "192.0.2.9, 1.2.3", "", "?10.0.0.1"},
		{"10.0.0.1", "192.0.2.9, 10.0.0.300", "", "?10.0.0.1"},
		{"10.0.0.1", "192.0.2.9, 10.0.0.0/8", "", "?10.0.0.1"},
		{"10.0.0.1", "192.0.2.9, [2001:db8::1", "", "?10.0.0.1"},
		{"10.0.0.1", "192.0.2.9, [2001:db8::1]x", "", "?10.0.0.1"},
		{"10.0.0.1", "192.0.2.9, \"10.0.0.2", "", "?10.0.0.1"},
		{"10.0.0.1", "192.0.2.9,,10.0.0.2,", "", "192.0.2.9"},
		{"10.0.0.1", "192.0.2.9:4711", "", "192.0.2.9"},
		{"10.0.0.1", "[2001:db9::1]:4711, [2001:db8::7]", "", "2001:db9::1"},
		{"10.0.0.1", "2001:db9::1, 2001:DB8:0::7", "", "2001:db9::1"},
		{"::ffff:10.0.0.1", "::ffff:192.0.2.9", "", "::ffff:192.0.2.9"},
		{"", "192.0.2.9", "", "192.0.2.9"},
		{"unix:", "192.0.2.9", "", "192.0.2.9"},
		{"/run/x.sock", "192.0.2.9", "", "192.0.2.9"},
		{"10.0.0.1", "192.0.2.9, unix:", "", "192.0.2.9"},
		{"10.0.0.1", "", "for=192.0.2.9", "192.0.2.9"},
		{"10.0.0.1", "", "FOR=192.0.2.9;proto=http;by=10.0.0.1", "192.0.2.9"},
		{"10.0.0.1", "", "proto=http ; For=\"192.0.2.9:80\"", "192.0.2.9"},
		{"10.0.0.1", "", "for=10.9.9.9, for=192.0.2.9, for=10.0.0.2", "192.0.2.9"},
		{"10.0.0.1", "", "for=\"[2001:db9::1]:4711\", for=\"[2001:db8::7]\"",
		 "2001:db9::1"},
		{"10.0.0.1", "", "for=192.0.2.9;x=\"a, for=10.9.9.9\"", "192.0.2.9"},
		{"10.0.0.1", "", "for=unknown", "?10.0.0.1"},
		{"10.0.0.1", "", "for=\"_hidden\", for=10.0.0.2", "?10.0.0.2"},
		{"10.0.0.1", "", "by=192.0.2.9", "?10.0.0.1"},
		{"10.0.0.1", "", "for=10.9.9.9;for=192.0.2.9", "?10.0.0.1"},
		{"10.0.0.1", "", "for=192.0.2.9 for=10.0.0.2", "?10.0.0.1"},
		{"10.0.0.1", "", "for=", "?10.0.0.1"},
		{"10.0.0.1", "", "192.0.2.9", "?10.0.0.1"},
		/* An open quotation mark of a client swallows nothing that a proxy has added. */
		{"10.0.0.1", "", "for=10.9.9.9;x=\", for=192.0.2.9", "?10.0.0.1"},
		{"10.0.0.1", "", "for=10.9.9.9;x=\", for=\"[2001:db9::1]:1\"", "?10.0.0.1"},
		{"10.0.0.1", "", "for=10.9.9.9;x=\"\\\", for=\"[2001:db9::1]:1\"", "?10.0.0.1"},
		{"10.0.0.1", "", "garbage~~, for=192.0.2.9", "192.0.2.9"},
		/* Both, of which one is what the client has made up. */
		{"10.0.0.1", "192.0.2.9", "for=192.0.2.9", "192.0.2.9"},
		{"10.0.0.1", "192.0.2.9", "for=10.9.9.9", "?10.0.0.1"},
		{"10.0.0.1", "10.9.9.9", "for=192.0.2.9", "?10.0.0.1"},
		{"192.0.2.9", "10.9.9.9", "for=10.9.9.8", "192.0.2.9"},
	};
	struct access_settings s = {
		.trusted_proxies = listed, .n_trusted_proxies = 3, .lists_proxies = true};
	for (size_t i = 0; i < array_size(all); i++) {
		struct handoff_request r = {.address = str_of(all[i].peer),
					 .forwarded_for = str_of(all[i].list),
					 .forwarded = str_of(all[i].field)};
		struct forwarded f = forwarded_read(&s, &r);
		bool known = all[i].address[0] != '?';
		struct str want = str_of(all[i].address + !known);
		ck_assert_msg(str_eq(f.address, want) && f.is_client == known,
			      "%s, \"%s\", \"%s\": %.*s, %s", all[i].peer, all[i].list,
			      all[i].field, (int)f.address.len, f.address.data,
			      f.is_client ? "known" : "unknown");
	}
	/* More hops than there are: those nearest to us count. */
	struct buf many = {0};
	for (int i = 0; i < 100; i++)
		buf_puts(&many, "10.9.9.9, ");
	buf_puts(&many, "192.0.2.9, 10.0.0.2");
	struct forwarded f =
		forwarded_read(&s, &(struct handoff_request){.address = STR("10.0.0.1"),
							  .forwarded_for = buf_str(&many)});
	ck_str_is(f.address, "192.0.2.9");
	buf_fini(&many);
}
END_TEST

START_TEST(who_passes_requests_on_unlisted_gets_no_right_by_its_address)
{
	static const struct {
		const char *peer, *list, *field, *real_ip;
		bool is_client, is_unlisted;
	} all[] = {
		{"127.0.0.1", "", "", "", true, false},
		{"127.0.0.1", "192.0.2.9", "", "", false, true},
		{"127.0.0.1", "", "for=192.0.2.9", "", false, true},
		{"127.0.0.1", "", "", "192.0.2.9", false, true},
		{"127.0.0.1", "unknown", "", "", false, true},
		{"127.0.0.1", "127.0.0.1", "", "", true, true},
		{"192.0.2.9", "192.0.2.9", "", "192.0.2.9", true, false},
		{"192.0.2.9", "10.0.0.1, 192.0.2.9", "", "", false, true},
	};
	struct access_settings none = {.lists_proxies = true}, silent = {0};
	for (size_t i = 0; i < array_size(all); i++) {
		struct handoff_request r = {.address = str_of(all[i].peer),
					 .forwarded_for = str_of(all[i].list),
					 .forwarded = str_of(all[i].field),
					 .real_ip = str_of(all[i].real_ip)};
		struct forwarded f = forwarded_read(&silent, &r);
		ck_assert_msg(f.is_client == all[i].is_client &&
				      f.is_unlisted == all[i].is_unlisted,
			      "%zu: %d %d", i, f.is_client, f.is_unlisted);
		ck_str_is(f.address, all[i].peer);
		/* Where there are no proxies, whoever connects is the client. */
		f = forwarded_read(&none, &r);
		ck_assert(f.is_client);
		ck_str_is(f.address, all[i].peer);
	}
}
END_TEST

static void append_sentence(void *ctx, const char *sentence)
{
	buf_printf(ctx, "%s\n", sentence);
}

START_TEST(an_option_that_has_no_effect_is_told)
{
	static const char *const forms[] = {"none", "docker", "cri", NULL};
	static const struct sluice_option table[] = {
		{.name = "parse", .type = SLUICE_ENUM, .choices = forms, .fallback = "none"},
		{.name = "include", .type = SLUICE_STRING, .flags = SLUICE_LIST},
		{.name = "wait",
		 .type = SLUICE_DURATION,
		 .fallback = "30s",
		 .needs = "parse=docker parse=cri"},
		{.name = "zone", .type = SLUICE_STRING, .fallback = "", .needs = "parse"},
		{.name = "links", .type = SLUICE_BOOL, .fallback = "false", .needs = "include~**"},
		{.name = "disk", .type = SLUICE_STRING, .needs = "!include include=disk"},
		{0},
	};
	static const struct {
		const char *set[6]; /* name, value, ... */
		const char *want;
	} cases[] = {
		{{"wait", "30s"},
		 "wait has no effect without parse: docker or parse: cri (set that, or remove "
		 "wait)\n"},
		{{"wait", "30s", "parse", "cri"}, ""},
		{{"wait", "1s", "parse", "none"},
		 "wait has no effect without parse: docker or parse: cri (set that, or remove "
		 "wait)\n"},
		{{"zone", "UTC"}, "zone has no effect without parse (set that, or remove zone)\n"},
		{{"zone", "UTC", "parse", "none"},
		 "zone has no effect without parse (set that, or remove zone)\n"},
		{{"zone", "UTC", "parse", "docker"}, ""},
		{{"zone", ""}, ""},
		{{"links", "false"}, ""},
		{{"links", "true", "include", "/a/*"},
		 "links has no effect without \"**\" in include (set that, or remove links)\n"},
		{{"links", "true", "include", "/a/*", "include", "/b/**/c"}, ""},
		{{"disk", "sd*"}, ""},
		{{"disk", "sd*", "include", "cpu"},
		 "disk has no effect without include: disk (set that, or remove disk)\n"},
		{{"disk", "sd*", "include", "disk"}, ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct option_values set = {0};
		struct buf told = {0};
		for (size_t k = 0; k < 6 && cases[i].set[k]; k += 2)
			option_add(&set, option_lookup(table, cases[i].set[k]), cases[i].set[k + 1],
				   (struct place){0});
		needs_check(table, &set, append_sentence, &told);
		ck_assert_str_eq(buf_text(&told), cases[i].want);
		buf_fini(&told);
		option_values_fini(&set);
	}
}
END_TEST

START_TEST(a_plugin_that_is_gone_is_reported_so)
{
	char *why = NULL;
	ck_assert_int_eq(plugin_check_file("/usr/no-such-plugin.so", &why), -EINVAL);
	ck_assert_str_eq(why, "/usr/no-such-plugin.so: No such file or directory");
	free(why);
}
END_TEST

UNIT_MAIN("parts", an_option_that_has_no_effect_is_told, a_plugin_that_is_gone_is_reported_so,
	  json_is_checked_as_rfc_8259_says, addresses_are_refused_with_a_sentence,
	  ranges_of_durations, times_as_logs_write_them,
	  a_stream_has_the_same_frames_however_it_is_cut,
	  a_proxy_is_believed_as_far_as_it_is_listed,
	  who_passes_requests_on_unlisted_gets_no_right_by_its_address)

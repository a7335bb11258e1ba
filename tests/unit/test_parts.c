/* SPDX-License-Identifier: MIT
 *
 * Pure parts of sources: what they parse, pack and cut.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../plugins/common/stamp.h"
#include "../../plugins/syslog/framing.h"
#include "base/address.h"
#include "base/json.h"
#include "base/unit.h"
#include "conf/packed.h"

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
	frames_of("12x", 3, 1, FRAMING_OCTET, 20, cut);
	ck_assert_str_eq(cut, "!");
	frames_of("9999999 <13>", 12, 1, FRAMING_AUTO, 20, cut);
	ck_assert_str_eq(cut, "!");
}
END_TEST

START_TEST(settings_survive_packing_and_nothing_else_does)
{
	struct settings s = {.file = (char[]){"f"}};
	struct source_settings src;
	struct buf packed = {0};
	source_settings_init(&src, "name", "file");
	src.channel = strdup("c");
	src.plugin = strdup("/x.so");
	option_add(&src.options,
		   &(struct sluice_option){
			   .name = "include", .type = SLUICE_GLOB, .flags = SLUICE_READ},
		   "/a/*.log", (struct place){0});
	s.sources = &src;
	s.n_sources = 1;
	s.hub.state_dir = (char[]){"/s"};
	s.hub.prefix = (char[]){""};
	s.access.certificate = (char[]){""};
	s.access.admin = &(struct who){.items = (char *[]){(char[]){"user:root"}}, .n = 1};
	src.redact = calloc(1, sizeof(src.redact[0]));
	src.redact[src.n_redact++] =
		(struct redact_rule){.field = strdup("message"), .how = REDACT_HASH};
	packed_put(&packed, &s);
	struct settings *back = packed_get(buf_str(&packed));
	ck_assert_ptr_nonnull(back);
	ck_assert_str_eq(back->sources[0].options.all[0].items[0], "/a/*.log");
	ck_assert_int_eq(back->sources[0].limits.memory, src.limits.memory);
	ck_assert_str_eq(back->access.admin->items[0], "user:root");
	ck_assert_str_eq(back->sources[0].redact[0].field, "message");
	ck_assert_int_eq(back->sources[0].redact[0].how, REDACT_HASH);
	settings_free(back);
	for (size_t cut = 0; cut < packed.len; cut++)
		ck_assert_ptr_null(packed_get((struct str){packed.data, cut}));
	for (size_t i = 0; i < packed.len; i++) {
		char was = packed.data[i];
		packed.data[i] = (char)~was;
		settings_free(packed_get(buf_str(&packed))); /* whatever it is, nothing breaks */
		packed.data[i] = was;
	}
	buf_fini(&packed);
	source_settings_fini(&src);
}
END_TEST

UNIT_MAIN("parts", json_is_checked_as_rfc_8259_says, addresses_are_refused_with_a_sentence,
	  ranges_of_durations, times_as_logs_write_them,
	  a_stream_has_the_same_frames_however_it_is_cut,
	  settings_survive_packing_and_nothing_else_does)

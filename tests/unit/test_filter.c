/* SPDX-License-Identifier: MIT
 *
 * Filters: what they select, what they are called, how they are refused.
 */
#include "unit.h"

#include <stdio.h>

#include "base/timestamp.h"
#include "filter/filter.h"
#include "filter/regex_set.h"

static struct regex_pool pool;
static struct filter_run run;
static struct buf fields;

static void setup(void)
{
	regex_pool_init(&pool);
	filter_run_init(&run);
	fields = (struct buf){0};
	field_put(&fields,
		  &(struct field){.name = STR("status"), .type = FIELD_INT, .integer = 503});
	field_put(&fields,
		  &(struct field){.name = STR("time_ms"), .type = FIELD_DOUBLE, .number = 12.5});
	field_put(&fields,
		  &(struct field){.name = STR("user"), .type = FIELD_STRING, .string = STR("bob")});
	field_put(
		&fields,
		&(struct field){.name = STR("size"), .type = FIELD_STRING, .string = STR("2048")});
	field_put(&fields,
		  &(struct field){.name = STR("secure"), .type = FIELD_BOOL, .integer = 1});
	field_put(&fields, &(struct field){.name = STR("referer"), .type = FIELD_NULL});
	field_put(&fields,
		  &(struct field){.name = STR("req"),
				  .type = FIELD_JSON,
				  .string = STR("{\"tags\":[\"slow\",\"b\\u00e4d\"],\"by\":{"
						"\"name\":\"al\\\"ice\",\"n\":7}}")});
	field_put(&fields,
		  &(struct field){.name = STR("odd name"), .type = FIELD_INT, .integer = 1});
}

static void teardown(void)
{
	filter_run_fini(&run);
	ck_assert_uint_eq(pool.n, 0);
	regex_pool_fini(&pool);
	buf_fini(&fields);
}

static int decide(struct filter *f, const char *message)
{
	struct event ev = {.id = 1,
			   .time_ns = 1763700000LL * 1000000000,
			   .severity = 3,
			   .type = STR("log"),
			   .source = STR("nginx"),
			   .message = str_of(message),
			   .fields = buf_str(&fields)};
	filter_run_event(&run, &ev, STR("web"));
	return filter_match(f, &run);
}

static struct filter *parsed(const char *text)
{
	struct buf why = {0};
	struct filter *f = filter_parse(&pool, str_of(text), &why);
	ck_assert_msg(f != NULL, "%s: %s", text, buf_text(&why));
	buf_fini(&why);
	return f;
}

static const char line[] = "GET /index.html from 10.0.0.1 timed out";

static const struct {
	const char *filter;
	int want;
} table[] = {
	{"severity <= warning", 1},
	{"severity < error", 0},
	{"severity == err", 1},
	{"severity in (error, \"CRIT\")", 1},
	{"severity >= 4", 0},
	{"severity != debug", 1},
	{"source == \"nginx\"", 1},
	{"source == nginx", 1},
	{"source startswith \"ng\" and channel endswith \"eb\"", 1},
	{"type in (log, gap)", 1},
	{"type not in (log, gap)", 0},
	{"message contains \"timed out\"", 1},
	{"message contains \"Timed\"", 0},
	{"message icontains \"TIMED OUT\"", 1},
	{"message not contains x", 0},
	{"message ~ /time[ds] out$/", 1},
	{"message ~ /TIMED/", 0},
	{"message ~ /TIMED/i", 1},
	{"message ~ /^get\\/x/i or message ~ /\\/index/", 1},
	{"message !~ /^GET/", 0},
	{"message ~ \"^G.T\"", 1},
	{"fields.status >= 500", 1},
	{"fields.status == 503.0", 1},
	{"fields.status == \"503\"", 1},
	{"fields.status ~ /^5/", 1},
	{"fields.status contains 50", 1},
	{"fields.size > 1024", 1},
	{"fields.size == 2048", 1},
	{"fields.size < \"3\"", 1}, /* both are strings: by bytes */
	{"fields.user > 5", 0},
	{"fields.time_ms < 12.6", 1},
	{"fields.secure == true", 1},
	{"fields.secure == false", 0},
	{"fields.referer == null", 1},
	{"exists(fields.referer)", 1},
	{"exists fields.nothing", 0},
	{"fields.nothing == 1", 0},
	{"fields.nothing != 1", 1}, /* it is not 1 */
	{"fields.nothing < 1 or fields.nothing >= 1", 0},
	{"fields.nothing !~ /x/", 1},
	{"fields.req.by.n == 7", 1},
	{"fields.req.by.name == 'al\"ice'", 1},
	{"fields.req.tags.0 == slow", 1},
	{"fields.req.tags contains \"b\xc3\xa4"
	 "d\"",
	 1},
	{"fields.req.tags contains \"b\"", 0},
	{"exists(fields.req.by)", 1},
	{"exists(fields.req.by.nobody)", 0},
	{"fields[\"odd name\"] == 1", 1},
	{"time >= \"2025-11-21T04:40:00Z\"", 1},
	{"time > \"2025-11-21T06:40:00+02:00\"", 0},
	{"time < 1763700001", 1},
	{"exists(severity)", 1},
	{"not not severity == err", 1},
	{"!(severity == err) || source == nginx && type == log", 1},
	{"NOT severity == err OR source == apache", 0},
	{"message ~ /[^]]timed/", 1},
	{"message ~ /a{0}/ and message ~ /(?i)get/", 1},
};

START_TEST(each_expression_selects_what_it_says)
{
	setup();
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct filter *f = parsed(table[i].filter);
		ck_assert_msg(decide(f, line) == table[i].want, "%s", table[i].filter);
		/* Its canonical text is the same filter under the same name. */
		char *text = strndup(filter_text(f).data, filter_text(f).len);
		struct filter *again = parsed(text);
		ck_assert_msg(str_is(filter_text(again), text), "%s: %s", table[i].filter, text);
		ck_assert_msg(decide(again, line) == table[i].want, "%s: %s", table[i].filter,
			      text);
		filter_unref(again);
		filter_unref(f);
		free(text);
	}
	teardown();
}
END_TEST

START_TEST(what_differs_in_form_alone_is_one_filter)
{
	setup();
	static const char *const same[][2] = {
		{"a == 1", NULL},
		{"type == a and source == b", "source==\"b\"  &&  type=='a'"},
		{"type in (b, a, b)", "type in ('a', \"b\")"},
		{"type in (a)", "type == a"},
		{"type != a", "not type == a"},
		{"message !~ /x/mi", "not (message ~ /x/im)"},
		{"type == a or (type == b or type == c)", "(type == c or type == b) or type == a"},
		{"type == a and type == a", "type == a"},
		{"not not type == a", "type == a"},
		{"severity <= 4", "severity <= WARN"},
		{"fields.a == 1", "fields[\"a\"] == 1"},
	};
	for (size_t i = 1; i < sizeof(same) / sizeof(same[0]); i++) {
		struct filter *a = parsed(same[i][0]), *b = parsed(same[i][1]);
		ck_assert_msg(str_eq(filter_text(a), filter_text(b)), "%s | %s", same[i][0],
			      same[i][1]);
		filter_unref(a);
		filter_unref(b);
	}
	struct filter *a = parsed("fields.a == 1"), *b = parsed("fields.a == \"1\"");
	ck_assert(!str_eq(filter_text(a), filter_text(b)));
	filter_unref(a);
	filter_unref(b);
	teardown();
}
END_TEST

START_TEST(a_wrong_filter_is_refused_with_its_place)
{
	setup();
	static const struct {
		const char *text, *at, *says;
	} wrong[] = {
		{"", "character 1:", "ends where a comparison"},
		{"severity = warning", "character 10:", "written =="},
		{"severity <= wrong", "character 13:", "no severity"},
		{"severity ~ /x/", "character 10:", "compared with =="},
		{"messsage ~ /x/", "character 1:", "did you mean message?"},
		{"status >= 500", "character 1:", "fields.status"},
		{"fields >= 500", "character 8:", "fields.NAME"},
		{"message ~ /a(/", "character 14:", "parenthesis"},
		{"message ~ /a", "character 11:", "has no end"},
		{"message ~ /a/q", "character 14:", "flags"},
		{"message == \"a", "character 12:", "has no end"},
		{"message contains", "character 17:", "value is missing"},
		{"(type == a", "character 1:", "never closed"},
		{"type == a)", "character 10:", "\"and\" or \"or\""},
		{"type == a type == b", "character 11:", "\"and\" or \"or\""},
		{"type in a", "character 9:", "needs a list"},
		{"type in (a", "character 11:", "missing in this list"},
		{"type", "character 5:", "operator is expected"},
		{"type not == a", "character 10:", "operator is expected"},
		{"type == /a/", "character 9:", "compared with ~"},
		{"time > tomorrow", "character 8:", "no time"},
		{"type == \xc3\xa4 ; x", "character 11:", "means nothing"},
		{"exists()", "character 8:", "name is expected"},
		{"type == a and", "character 14:", "ends where"},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct buf why = {0};
		struct filter *f = filter_parse(&pool, str_of(wrong[i].text), &why);
		ck_assert_msg(!f, "%s is taken", wrong[i].text);
		ck_assert_msg(strstr(buf_text(&why), wrong[i].at) &&
				      strstr(buf_text(&why), wrong[i].says),
			      "%s: %s", wrong[i].text, buf_text(&why));
		buf_fini(&why);
	}
	teardown();
}
END_TEST

START_TEST(a_filter_has_bounds)
{
	setup();
	struct buf text = {0}, why = {0};
	for (int i = 0; i < 40; i++)
		buf_putc(&text, '(');
	buf_puts(&text, "type == a");
	ck_assert(!filter_parse(&pool, buf_str(&text), &why));
	ck_assert(strstr(buf_text(&why), "nested"));
	text.len = why.len = 0;
	for (int i = 0; i < 40; i++)
		buf_printf(&text, "%smessage ~ /%d/", i ? " or " : "", i);
	ck_assert(!filter_parse(&pool, buf_str(&text), &why));
	ck_assert(strstr(buf_text(&why), "more than 32 regexes"));
	text.len = why.len = 0;
	for (int i = 0; i < 500; i++)
		buf_puts(&text, "type == abc or ");
	ck_assert(!filter_parse(&pool, buf_str(&text), &why));
	ck_assert(strstr(buf_text(&why), "longer than"));
	buf_fini(&text);
	buf_fini(&why);
	teardown();
}
END_TEST

START_TEST(a_regex_without_end_is_given_up)
{
	setup();
	static const char *const bad[] = {
		"(a+)+$",         "(a|aa)+$", "(a*)*\\d", "([a-z]+)*\\d", "(x+x+)+\\d|(a+)+\\d",
		"(*NO_JIT)(a+)+$"};
	char s[4096];
	memset(s, 'a', sizeof(s) - 2);
	strcpy(s + sizeof(s) - 2, "!");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf text = {0};
		buf_printf(&text, "message ~ /%s/", bad[i]);
		struct filter *f = parsed(buf_text(&text));
		ck_assert_msg(decide(f, s) == -ELIMIT, "%s", bad[i]);
		filter_unref(f);
		/* Where something else decides, it does not matter. */
		buf_puts(&text, " or source == nginx");
		f = parsed(buf_text(&text));
		ck_assert_int_eq(decide(f, s), 1);
		filter_unref(f);
		buf_fini(&text);
	}
	teardown();
}
END_TEST

START_TEST(a_long_line_is_searched_to_its_end_and_no_longer)
{
	setup();
	size_t n = 256 * 1024;
	char *s = malloc(n + 1);
	for (size_t i = 0; i < n; i++)
		s[i] = "ab\xc3\xa4 "[i % 5]; /* pieces end anywhere, also inside a character */
	memcpy(s + n - 8, "the end.", 8);
	s[n] = 0;
	struct filter *f =
		parsed("message ~ /(?<=e end)\\.$/ and message ~ /d\\.$/ and not message ~ /x.*y/");
	ck_assert_int_eq(decide(f, s), 1);
	filter_unref(f);
	/* Each start is within its limit, and there are very many. */
	memset(s, 'a', n);
	f = parsed("message ~ /a+a+[bc]/");
	ck_assert_int_eq(decide(f, s), -ELIMIT);
	filter_unref(f);
	free(s);
	teardown();
}
END_TEST

START_TEST(a_long_array_is_looked_through_once)
{
	setup();
	struct buf json = {0}, more = {0};
	buf_puts(&json, "[0");
	for (int i = 1; i < 20000; i++)
		buf_printf(&json, ",%d", i);
	buf_puts(&json, "]");
	field_put(&more,
		  &(struct field){.name = STR("a"), .type = FIELD_JSON, .string = buf_str(&json)});
	buf_fini(&fields);
	fields = more;
	struct filter *f = parsed("fields.a contains 19999 and not fields.a contains 20000 and "
				  "fields.a.19998 == 19998");
	ck_assert_int_eq(decide(f, line), 1);
	filter_unref(f);
	buf_fini(&json);
	teardown();
}
END_TEST

START_TEST(a_literal_is_found_only_where_it_is_certain)
{
	setup();
	static const struct {
		const char *pattern, *literal;
	} cases[] = {
		{"timed out", "timed out"},
		{"a.b.cde", "cde"},
		{"abcd?", "abc"},
		{"abc|def", NULL},
		{"(abc|def)ghi", "ghi"},
		{"(?i)abcdef", NULL},
		{"abc{0,3}de", NULL},
		{"\\d+ms\\.x", "ms.x"},
		{"foo\\.bar+", "foo.ba"},
		{"[abc]defg", "defg"},
		{"[]abc]def", NULL},
		{"\\x41bcd", NULL},
		{"ab", NULL},
		{"(abc)?", NULL},
		{"abc(d|e)*fgh", "abc"},
		{"[^]]foo", NULL},
		{"[^a]foo", "foo"},
		{"a{,3}bcd", "bcd"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct regex *r;
		size_t at;
		struct buf why = {0};
		ck_assert_int_eq(regex_get(NULL, str_of(cases[i].pattern), "", &r, &at, &why), 0);
		const char *got = r->literal ? r->literal : "(none)";
		const char *want = cases[i].literal ? cases[i].literal : "(none)";
		ck_assert_msg(strcmp(got, want) == 0, "%s: %s, not %s", cases[i].pattern, got,
			      want);
		regex_unref(r);
	}
	teardown();
}
END_TEST

START_TEST(a_set_of_regexes_changes_no_result)
{
	setup();
	static const char *const patterns[] = {
		"timed out",
		"^GET",
		"(\\w+)\\s\\1",
		"out$",
		"a{3,5}b",
		"\\bfrom\\b",
		"[0-9]{1,3}(\\.[0-9]{1,3}){3}",
		"(?<=from )10",
		"x?",
		"\xc3\xa4+",
		".html",
		"^$",
		"(a|b)*c",
		"[^ ]+ [^ ]+ [^ ]+",
		"\\Aaaa",
		"e\\z",
		"GET(?! /a)",
		"(?:ab)+",
		"\\d{4}-\\d\\d",
		"$",
	};
	static const char *const messages[] = {
		line,           "",        "aaaab", "the the cat", "\xc3\xa4\xc3\xa4",
		"2026-11-21 x", "ababc\n", "a\nb",  "GET /a",      "one two three",
	};
	struct filter *filters[20];
	for (size_t i = 0; i < 20; i++) {
		struct buf text = {0};
		buf_puts(&text, "message ~ ");
		filter_put_string(&text, str_of(patterns[i]));
		filters[i] = parsed(buf_text(&text));
		buf_fini(&text);
	}
	int alone[10][20];
	for (size_t m = 0; m < 10; m++)
		for (size_t i = 0; i < 20; i++)
			alone[m][i] = decide(filters[i], messages[m]);
	struct regex_set *set = regex_set_new(&pool);
	regex_set_compile(set);
	regex_set_adopt(set);
	ck_assert(!regex_set_is_there() || regex_set_size(set) >= 15);
	run.set = set;
	for (size_t m = 0; m < 10; m++)
		for (size_t i = 0; i < 20; i++)
			ck_assert_msg(decide(filters[i], messages[m]) == alone[m][i],
				      "%s on \"%s\"", patterns[i], messages[m]);
	run.set = NULL;
	regex_set_free(set);
	for (size_t i = 0; i < 20; i++)
		filter_unref(filters[i]);
	teardown();
}
END_TEST

START_TEST(shorthands_become_the_language)
{
	setup();
	static const struct {
		const char *grep, *want;
	} greps[] = {
		{"error", "message icontains \"error\""},
		{"Error", "message contains \"Error\""},
		{"/a.b/i", "message ~ /a.b/i"},
		{"a\"b", "message icontains \"a\\\"b\""},
		{"/etc/passwd", "message icontains \"/etc/passwd\""},
		{"/", "message icontains \"/\""},
		{"//", "message icontains \"//\""},
		{"/usr/bin/", "message icontains \"/usr/bin/\""},
		{"/usr/bin/x", "message icontains \"/usr/bin/x\""},
		{"/usr/bin/i", "message icontains \"/usr/bin/i\""},
		{"/usr/", "message icontains \"/usr/\""},
		{"/usr/s", "message icontains \"/usr/s\""},
		{"/etc/nginx.conf/", "message icontains \"/etc/nginx.conf/\""},
		{"/timed out/i", "message ~ /timed out/i"},
		{"/^a/", "message ~ /^a/"},
		{"/api/v[0-9]+/users/", "message ~ /api\\/v[0-9]+\\/users/"},
		{"/api\\/v[0-9]+\\/x/s", "message ~ /api\\/v[0-9]+\\/x/s"},
		{"/c:\\dir\\/", "message icontains \"/c:\\\\dir\\\\/\""},
		{"/a\\\\/", "message ~ /a\\\\/"},
		{"one\r\n", "message icontains \"one\""},
		{"one\r\ntwo\n", "message icontains \"one\\ntwo\""},
		{" one ", "message icontains \" one \""},
	};
	struct buf out = {0};
	for (size_t i = 0; i < sizeof(greps) / sizeof(greps[0]); i++) {
		out.len = 0;
		filter_put_grep(&out, str_of(greps[i].grep));
		ck_assert_str_eq(buf_text(&out), greps[i].want);
		filter_unref(parsed(buf_text(&out)));
	}
	out.len = 0;
	filter_put_one_of(&out, "type", STR("a,b\"c"));
	ck_assert_str_eq(buf_text(&out), "type in (\"a\", \"b\\\"c\")");
	buf_fini(&out);
	teardown();
}
END_TEST

START_TEST(times_are_read_as_people_write_them)
{
	setup();
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
	teardown();
}
END_TEST

UNIT_MAIN("filter", a_long_line_is_searched_to_its_end_and_no_longer,
	  a_long_array_is_looked_through_once, each_expression_selects_what_it_says,
	  what_differs_in_form_alone_is_one_filter, a_wrong_filter_is_refused_with_its_place,
	  a_filter_has_bounds, a_regex_without_end_is_given_up,
	  a_literal_is_found_only_where_it_is_certain, a_set_of_regexes_changes_no_result,
	  shorthands_become_the_language, times_are_read_as_people_write_them)

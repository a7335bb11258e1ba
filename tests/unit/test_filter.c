/* SPDX-License-Identifier: MIT
 *
 * Filters: what they select, what they are called, how they are refused.
 */
#include "unit.h"

#include <stdio.h>

#include "filter/filter.h"
#include "filter/fold.h"
#include "filter/regex_set.h"
#include "filter/scan.h"

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

/* Its places, in order. */
static void put_places(struct buf *out, uint32_t severities)
{
	out->len = 0;
	for (int i = 0; i < SEVERITIES; i++)
		if (severities & 1u << i)
			buf_putc(out, (char)('0' + i));
}

START_TEST(a_severity_decides_where_all_else_makes_no_difference)
{
	setup();
	static const struct {
		const char *filter, *always, *never;
	} cases[] = {
		{"severity <= error", "0123", "45678"},
		{"severity > error", "4567", "01238"},
		{"not severity <= error", "45678", "0123"},
		{"severity == error or message contains \"x\"", "3", ""},
		{"severity == error and message ~ /x/", "", "01245678"},
		{"not (severity == error and source == \"x\")", "01245678", ""},
		{"severity <= error and severity != alert", "023", "145678"},
		{"channel == \"web\" and severity < 2", "01", "2345678"},
		{"channel ~ /^w/ or severity < 2", "012345678", ""},
		{"channel == \"other\" and message contains \"x\"", "", "012345678"},
		{"message contains \"x\"", "", ""},
		{"time > \"2026-01-01\"", "", ""},
		{"exists(severity)", "01234567", "8"},
	};
	struct buf text = {0};
	for (size_t i = 0; i < array_size(cases); i++) {
		struct filter *f = parsed(cases[i].filter);
		uint32_t always, never;
		filter_by_severity(f, STR("web"), &always, &never);
		put_places(&text, always);
		ck_assert_msg(str_is(buf_str(&text), cases[i].always), "%s: always %s",
			      cases[i].filter, buf_text(&text));
		put_places(&text, never);
		ck_assert_msg(str_is(buf_str(&text), cases[i].never), "%s: never %s",
			      cases[i].filter, buf_text(&text));
		filter_unref(f);
	}
	buf_fini(&text);
	teardown();
}
END_TEST

START_TEST(a_scan_stops_at_each_place_and_at_no_other)
{
	setup();
	static const char letters[] = "aAbB-@`";
	for (int round = 0; round < 3000; round++) {
		char what[24], text[400], filter[64];
		size_t len = (size_t)random() % 20 + 2, n = (size_t)random() % sizeof(text);
		bool is_any_case = random() % 2;
		for (size_t i = 0; i < len; i++)
			what[i] = letters[random() % (random() % 2 ? 2 : 7)];
		for (size_t i = 0; i < n; i++)
			text[i] = letters[random() % 7];
		for (int i = 0; n > len && i < 3; i++)
			memcpy(text + (size_t)random() % (n - len + 1), what, len);
		snprintf(filter, sizeof(filter), "message %s \"%.*s\"",
			 is_any_case ? "icontains" : "contains", (int)len, what);
		struct filter *f = parsed(filter);
		struct filter_scan scan;
		struct scan_place place = {0};
		filter_scan_init(&scan, f, STR("web"));
		ck_assert_uint_eq(scan.literals[0].len, len);
		for (const char *p = text;; p++) {
			const char *want = p;
			while (want < text + n && ((size_t)(text + n - want) < len ||
						   (is_any_case ? strncasecmp(want, what, len)
								: memcmp(want, what, len))))
				want++;
			p = filter_scan_next(&scan, &place, p, text + n);
			ck_assert_msg(p == want, "%s in %.*s: at %td, not %td", filter, (int)n,
				      text, p - text, want - text);
			if (p == text + n)
				break;
		}
		filter_unref(f);
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

static void put_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80)
		buf_putc(out, (char)c);
	else if (c < 0x800)
		buf_printf(out, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 63));
	else if (c < 0x10000)
		buf_printf(out, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 63), 0x80 | (c & 63));
	else
		buf_printf(out, "%c%c%c%c", 0xf0 | c >> 18, 0x80 | (c >> 12 & 63),
			   0x80 | (c >> 6 & 63), 0x80 | (c & 63));
}

static bool is_changed(pcre2_code *any, const char *replacement, struct str s)
{
	char out[16];
	PCRE2_SIZE n = sizeof(out);
	int got = pcre2_substitute(any, (PCRE2_SPTR)s.data, s.len, 0, PCRE2_SUBSTITUTE_EXTENDED,
				   NULL, NULL, (PCRE2_SPTR)replacement, strlen(replacement),
				   (PCRE2_UCHAR *)out, &n);
	ck_assert_int_eq(got, 1);
	return n != s.len || memcmp(out, s.data, n) != 0;
}

/* For every character that may have a case: icontains and the flag i mean the same. */
enum { CASES_END = 0x20000 };

START_TEST(folding_is_what_pcre2_means_by_either_case)
{
	int code;
	PCRE2_SIZE at;
	pcre2_code *same =
		pcre2_compile((PCRE2_SPTR) "^(.)\\1$", PCRE2_ZERO_TERMINATED,
			      PCRE2_UTF | PCRE2_CASELESS | PCRE2_DOTALL, &code, &at, NULL);
	pcre2_code *any = pcre2_compile((PCRE2_SPTR) "^.", PCRE2_ZERO_TERMINATED,
					PCRE2_UTF | PCRE2_DOTALL, &code, &at, NULL);
	pcre2_jit_compile(same, PCRE2_JIT_COMPLETE);
	pcre2_match_data *data = pcre2_match_data_create(2, NULL);
	unsigned char *is_target = calloc(CASES_END / 8, 1);
	size_t n_folded = 0;
	struct buf c = {0}, f = {0};
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 1; i < CASES_END; i++) {
			if (i >= 0xd800 && i < 0xe000)
				continue;
			c.len = f.len = 0;
			put_utf8(&c, i);
			fold_put(&f, buf_str(&c));
			bool folds = !str_eq(buf_str(&c), buf_str(&f));
			if (folds && !round) {
				struct buf both = {0};
				buf_put_str(&both, buf_str(&c));
				buf_put_str(&both, buf_str(&f));
				ck_assert_msg(pcre2_match(same, (PCRE2_SPTR)both.data, both.len, 0,
							  0, data, NULL) > 0,
					      "U+%04X", i);
				n_folded++;
				both.len = 0;
				fold_put(&both, buf_str(&f)); /* once is enough */
				ck_assert(str_eq(buf_str(&both), buf_str(&f)));
				buf_fini(&both);
				uint32_t t = 0; /* what it folds to */
				for (size_t k = 0; k < f.len; k++)
					t = t << 6 | ((unsigned char)f.data[k] &
						      (k            ? 63u
						       : f.len == 1 ? 127u
								    : 0xffu >> (f.len + 1)));
				is_target[t / 8] |= (unsigned char)(1u << t % 8);
			}
			if (round && !folds && !(is_target[i / 8] & 1u << i % 8))
				ck_assert_msg(!is_changed(any, "\\U$0", buf_str(&c)) &&
						      !is_changed(any, "\\L$0", buf_str(&c)),
					      "U+%04X has another case", i);
		}
	}
	ck_assert_uint_ge(n_folded, 1400);
	free(is_target);
	buf_fini(&c);
	buf_fini(&f);
	pcre2_match_data_free(data);
	pcre2_code_free(same);
	pcre2_code_free(any);
}
END_TEST

START_TEST(either_case_is_the_case_of_any_letter)
{
	static const struct {
		const char *message, *what;
		bool is;
	} cases[] = {
		{"Der \u00c4RGER ist gro\u00df", "\u00e4rger", true},
		{"\u00e4rger", "\u00c4RGER", true},
		{"\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3",
		 "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", true},
		{"\u041e\u0428\u0418\u0411\u041a\u0410 \u0434\u0438\u0441\u043a\u0430",
		 "\u043e\u0448\u0438\u0431\u043a\u0430", true},
		{"5 \u212a", "5 k", true},           /* the sign of kelvin */
		{"Congre\u017fs", "CONGRESS", true}, /* the long s */
		{"5 k", "\u212a", true},
		{"\u24b6", "\u24d0", true},
		{"STRASSE", "stra\u00dfe", false}, /* one character for one */
		{"STRA\u1e9eE", "stra\u00dfe", true},
		{"\u0130stanbul", "istanbul", false}, /* nor by the rules of one language */
		{"\u65e5\u672c\u8a9e", "\u672c", true},
		{"\u65e5\u672c\u8a9e", "\u6771", false},
		{"plain ASCII", "ascii", true},
		{"plain", "plains", false},
		{"\u023a", "\u2c65", true}, /* which is longer */
		{"k\u023a", "\u2c65x", false},
	};
	setup();
	struct buf text = {0};
	for (size_t i = 0; i < array_size(cases); i++) {
		for (int by_regex = 0; by_regex < 2; by_regex++) {
			text.len = 0;
			buf_printf(&text, by_regex ? "message ~ /%s/i" : "message icontains \"%s\"",
				   cases[i].what);
			struct filter *f = parsed(buf_text(&text));
			ck_assert_msg(decide(f, cases[i].message) == cases[i].is, "%s in %s",
				      buf_text(&text), cases[i].message);
			filter_unref(f);
		}
		/* and in a field, which is no message */
		fields.len = 0;
		field_put(&fields, &(struct field){.name = STR("text"),
						   .type = FIELD_STRING,
						   .string = str_of(cases[i].message)});
		text.len = 0;
		buf_printf(&text, "fields.text icontains \"%s\"", cases[i].what);
		struct filter *f = parsed(buf_text(&text));
		ck_assert(decide(f, "other") == cases[i].is);
		filter_unref(f);
	}
	/* What is no UTF-8 stands for itself, and is not read beyond. */
	static const char *const broken[] = {"\xc3", "\xe2\x84", "\xff\xfe", "\xf0\x9f\x98",
					     "\xed\xa0\x80"};
	for (size_t i = 0; i < array_size(broken); i++) {
		char *copy = malloc(strlen(broken[i])); /* so that a sanitizer sees a step beyond */
		memcpy(copy, broken[i], strlen(broken[i]));
		struct str s = {copy, strlen(broken[i])};
		text.len = 0;
		fold_put(&text, s);
		ck_assert(str_eq(buf_str(&text), s));
		ck_assert(!fold_has_capital(s));
		free(copy);
	}
	ck_assert(fold_has_capital(STR("\u00c4")) && fold_has_capital(STR("a\u0416")) &&
		  fold_has_capital(STR("xY")) &&
		  !fold_has_capital(STR("\u00e4 \u00df \u00b5 \u017f \u03c2 1")));
	buf_fini(&text);
	teardown();
}
END_TEST

/* Whether a regex can match is asked of the set first, which has an engine of its own. */
START_TEST(a_set_of_regexes_knows_the_case_of_any_letter)
{
	static const char *const patterns[] = {
		"kelvin",
		"\u00e4rger",
		"\u00c4RGER",
		"[a-z]elvin",
		"congress",
		"stra\u00dfe",
		"\u03c3\u03c5\u03c2",
		"[^k]\u00e4",
		"\u24d0+",
		"\\x{e4}r",
		"\\x6belvin",
		"[[:lower:]]elvin",
		"\u2c65$",
		"^\u10d0",
		"(k|x)e",
		"\\bs\\b",
		"\u0131",
		"istanbul",
		"\ua726.",
		"\u1c90",
		"\u13a0",
		"\uab70",
		"[\u00e0-\u00fc]rger",
		"\\N{U+e4}rger",
	};
	static const char *const messages[] = {
		"\u212aelvin",
		"Kelvin",
		"\u00c4rger",
		"\u00e4RGER",
		"congre\u017fs",
		"STRA\u1e9eE",
		"\u03a3\u03a5\u03a3",
		"x\u00c4",
		"k\u00c4",
		"\u24b6\u24d0",
		"\u023a",
		"\u1c90",
		"a \u017f b",
		"\u0130stanbul",
		"\ua727x",
		"\u10d0",
		"\uab70",
		"\u13a0",
	};
	enum { PATTERNS = array_size(patterns), MESSAGES = array_size(messages) };
	struct filter *filters[PATTERNS];
	int alone[MESSAGES][PATTERNS];
	setup();
	for (size_t i = 0; i < PATTERNS; i++) {
		struct buf text = {0};
		buf_printf(&text, "message ~ /%s/i", patterns[i]);
		filters[i] = parsed(buf_text(&text));
		buf_fini(&text);
	}
	for (size_t m = 0; m < MESSAGES; m++)
		for (size_t i = 0; i < PATTERNS; i++)
			alone[m][i] = decide(filters[i], messages[m]);
	struct regex_set *set = regex_set_new(&pool);
	regex_set_compile(set);
	regex_set_adopt(set);
	run.set = regex_set_size(set) ? set : NULL;
	for (size_t m = 0; m < MESSAGES; m++)
		for (size_t i = 0; i < PATTERNS; i++)
			ck_assert_msg(decide(filters[i], messages[m]) == alone[m][i],
				      "%s on \"%s\"", patterns[i], messages[m]);
	run.set = NULL;
	regex_set_free(set);
	for (size_t i = 0; i < PATTERNS; i++)
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
		{"\u00e4rger", "message icontains \"\u00e4rger\""},
		{"\u00c4rger", "message contains \"\u00c4rger\""},
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

UNIT_MAIN("filter", a_long_line_is_searched_to_its_end_and_no_longer,
	  a_long_array_is_looked_through_once, each_expression_selects_what_it_says,
	  what_differs_in_form_alone_is_one_filter, a_wrong_filter_is_refused_with_its_place,
	  a_severity_decides_where_all_else_makes_no_difference,
	  a_scan_stops_at_each_place_and_at_no_other, a_filter_has_bounds,
	  a_regex_without_end_is_given_up, a_literal_is_found_only_where_it_is_certain,
	  a_set_of_regexes_changes_no_result, a_set_of_regexes_knows_the_case_of_any_letter,
	  folding_is_what_pcre2_means_by_either_case, either_case_is_the_case_of_any_letter,
	  shorthands_become_the_language)

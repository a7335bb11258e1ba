/* SPDX-License-Identifier: MIT
 *
 * Lines as programs write them, and the events that they become.
 */
#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../plugins/common/container.h"
#include "../../plugins/common/jsonline.h"
#include "../../plugins/common/jsontext.h"
#include "../../plugins/common/logfmt.h"
#include "base/json.h"

/* The fields as text: NAME=VALUE, separated by blanks; strings in quotes. */
static const char *show(const struct fields *f, struct buf *out)
{
	out->len = 0;
	for (size_t i = 0; i < f->n; i++) {
		const struct sluice_value *v = &f->all[i];
		buf_printf(out, "%s%s=", i ? " " : "", v->name);
		if (v->type == SLUICE_STRING)
			buf_printf(out, "\"%.*s\"", (int)v->string_len, v->string);
		else if (v->type == SLUICE_JSON)
			buf_put(out, v->string, v->string_len);
		else if (v->type == SLUICE_INT)
			buf_printf(out, "%lld", (long long)v->integer);
		else if (v->type == SLUICE_DOUBLE)
			buf_printf(out, "%g", v->number);
		else if (v->type == SLUICE_BOOL)
			buf_printf(out, "%s", v->integer ? "true" : "false");
		else
			buf_puts(out, "null");
	}
	return buf_text(out);
}

START_TEST(one_bad_value_does_not_spoil_a_json_line)
{
	static const struct {
		const char *line, *want; /* NULL: no object */
	} cases[] = {
		{"{}", ""},
		{" { \"a\" : 1 , \"b\" : [ 1 , { \"c\" : null } ] } ", "a=1 b=[1,{\"c\":null}]"},
		{"{\"a\":{\"b\":{\"c\":true},\"d\":\"x\"}}", "a.b.c=true a.d=\"x\""},
		{"{\"a\":{},\"b\":[]}", "a={} b=[]"},
		{"{\"a\":-9223372036854775808,\"b\":9223372036854775807,\"c\":-0,\"d\":1E2}",
		 "a=-9223372036854775808 b=9223372036854775807 c=0 d=100"},
		{"{\"n\":18446744073709551615,\"a\":1}",
		 "n=\"18446744073709551615\" a=1 log.parse.problems=\"n: number beyond 64 bits\""},
		{"{\"n\":-9223372036854775809,\"a\":1}",
		 "n=\"-9223372036854775809\" a=1 log.parse.problems=\"n: number beyond 64 bits\""},
		{"{\"n\":1e400,\"m\":1e-400,\"a\":1}",
		 "n=\"1e400\" m=\"1e-400\" a=1 "
		 "log.parse.problems=\"n: number out of range; m: number out of range\""},
		{"{\"n\":NaN,\"a\":1}", "n=\"NaN\" a=1 log.parse.problems=\"n: not a JSON value\""},
		{"{\"n\":-Infinity }",
		 "n=\"-Infinity\" log.parse.problems=\"n: not a JSON value\""},
		{"{\"n\":+1,\"m\":01,\"o\":.5,\"p\":1.}",
		 "n=\"+1\" m=\"01\" o=\".5\" p=\"1.\" log.parse.problems=\"n: not a JSON value; "
		 "m: not a JSON value; o: not a JSON value; p: not a JSON value\""},
		{"{\"n\":,\"a\":1}", "n=\"\" a=1 log.parse.problems=\"n: not a JSON value\""},
		{"{\"n\":undefined,\"t\":True}",
		 "n=\"undefined\" t=\"True\" log.parse.problems=\"n: not a JSON value; t: not a "
		 "JSON "
		 "value\""},
		{"{\"a\":[1,NaN,18446744073709551615,\"x\"]}",
		 "a=[1,\"NaN\",\"18446744073709551615\",\"x\"] "
		 "log.parse.problems=\"a: not a JSON value\""},
		{"{\"a\":[1,2,],\"b\":2}",
		 "a=[1,2] b=2 log.parse.problems=\"a: not a JSON value\""},
		{"{\"a\":[1 2}],\"b\":2}", NULL},
		{"{\"a\":[1,{\"x\" 2}],\"b\":2}",
		 "a=\"[1,{\"x\" 2}]\" b=2 log.parse.problems=\"a: not JSON\""},
		{"{\"a\":{\"x\" 2},\"b\":2}",
		 "a=\"{\"x\" 2}\" b=2 log.parse.problems=\"a: not JSON\""},
		{"{\"a\":1,}", "a=1"},
		{"{\"a\":1,\"a\":2}", "a=1 a=2"},
		{"{\"\":1,\"b\":{\"\":2}}", "_=1 b._=2"},
		{"{\"a\":\"tab\there\"}", "a=\"tab\there\""},
		{"{\"a\":[\"tab\there\"]}", "a=[\"tab\\u0009here\"]"},
		{"{\"a\":\"\\n\\\"\\\\\\/\\u00e4\\ud83d\\ude00\"}",
		 "a=\"\n\"\\/\xc3\xa4\xf0\x9f\x98\x80\""},
		{"{\"a\":\"\\x41\",\"b\":1}",
		 "a=\"\\x41\" b=1 log.parse.problems=\"a: bad escape\""},
		{"{\"a\":\"\\ud800 \\u12\",\"b\":1}",
		 "a=\"\\ud800 \\u12\" b=1 log.parse.problems=\"a: bad escape\""},
		{"{\"a\":[\"\\x41\"]}",
		 "a=[\"\\\\x41\"] log.parse.problems=\"a: not a JSON value\""},
		{"{\"a\":\"\xff\xfe\",\"b\":1}", "a=\"\xff\xfe\" b=1"},
		{"{\"a\":1", NULL},
		{"{\"a\":1}x", NULL},
		{"{\"a\" 1}", NULL},
		{"{\"a\":\"b", NULL},
		{"{'a':1}", NULL},
		{"[1]", NULL},
		{"", NULL},
	};
	struct buf text = {0};
	static struct fields f;
	struct jsonline j;
	for (size_t i = 0; i < array_size(cases); i++) {
		fields_reset(&f);
		bool is = jsonline_parse(cases[i].line, strlen(cases[i].line), &j, &f);
		ck_assert_msg(is == (cases[i].want != NULL), "%s", cases[i].line);
		if (is)
			ck_assert_msg(strcmp(show(&f, &text), cases[i].want) == 0, "%s: %s",
				      cases[i].line, buf_text(&text));
		for (size_t k = 0; is && k < f.n; k++)
			if (f.all[k].type == SLUICE_JSON)
				ck_assert(json_check(
					(struct str){f.all[k].string, f.all[k].string_len}));
		/* Cut anywhere it is no object, and nothing is read beyond. */
		for (size_t n = 0; n < strlen(cases[i].line); n++) {
			char *cut = memcpy(malloc(n + 1), cases[i].line, n);
			fields_reset(&f);
			bool cut_is = jsonline_parse(cut, n, &j, &f);
			ck_assert(!cut_is || cases[i].line[n] == ' ' || cases[i].line[n] == 'x');
			free(cut);
		}
	}
	buf_fini(&text);
	fields_free(&f);
}
END_TEST

START_TEST(a_duration_is_no_time)
{
	static const struct {
		const char *line;
		int64_t time_ns;
	} cases[] = {
		{"{\"time\":0.25}", 0},
		{"{\"time\":12}", 0},
		{"{\"ts\":86400.5}", 0},
		{"{\"ts\":-1}", 0},
		{"{\"ts\":1e300}", 0},
		{"{\"ts\":1795773600}", 1795773600000000000LL},
		{"{\"ts\":1795773600.25}", 1795773600250000000LL},
		{"{\"ts\":1.79577360025e9}", 1795773600250000000LL},
		{"{\"ts\":1.795773600250e12}", 1795773600250000000LL},
	};
	static struct fields f;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jsonline j;
		const char *line = cases[i].line;
		fields_reset(&f);
		ck_assert(jsonline_parse(line, strlen(line), &j, &f));
		int64_t off = j.time_ns - cases[i].time_ns;
		ck_assert_msg(off > -1000 && off < 1000, "%s: %lld", line, (long long)j.time_ns);
		ck_assert_msg(j.has_bad_time == !cases[i].time_ns, "%s", line);
	}
}
END_TEST

START_TEST(a_json_line_says_when_how_bad_and_what)
{
	static const char line[] =
		"{\"time\":\"2026-01-02T03:04:05Z\",\"level\":40,\"msg\":\"a\\tb\","
		"\"message\":\"later\",\"type\":\"x.y\",\"n\":1e999}";
	static struct fields f;
	struct jsonline j;
	struct buf text = {0};
	ck_assert(jsonline_parse(line, sizeof(line) - 1, &j, &f));
	ck_assert_int_eq(j.time_ns, 1767323045000000000LL);
	ck_assert_int_eq(j.severity, 4);
	ck_str_is(((struct str){j.message, j.message_len}), "a\tb");
	ck_assert_str_eq(j.type, "x.y");
	ck_assert_str_eq(show(&f, &text), "level=40 message=\"later\" type=\"x.y\" n=\"1e999\" "
					  "log.parse.problems=\"n: number out of range\"");
	buf_fini(&text);
	fields_free(&f);
}
END_TEST

START_TEST(a_json_line_is_read_as_its_program_meant_it)
{
	static const struct {
		const char *line, *message;
		int severity;
		bool has_time;
		const char *fields;
	} cases[] = {
		{"{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"gone\",\"timestamp\":"
		 "1795773600.25,"
		 "\"level\":3}",
		 "gone", 3, true, "version=\"1.1\" host=\"h\" level=3"},
		{"{\"@t\":\"2026-01-02T03:04:05.1Z\",\"@mt\":\"{User} "
		 "left\",\"@l\":\"Warning\",\"User\":\"x\"}",
		 "{User} left", 4, true, "@mt=\"{User} left\" @l=\"Warning\" User=\"x\""},
		{"{\"@t\":\"2026-01-02T03:04:05Z\",\"@mt\":\"{User} left\",\"@m\":\"x left\"}",
		 "x left", SLUICE_NO_SEVERITY, true, "@mt=\"{User} left\""},
		{"{\"Timestamp\":\"2026-01-02T03:04:05Z\",\"Level\":\"Information\",\"Message\":"
		 "\"hi\"}",
		 "hi", 6, true, "Level=\"Information\""},
		{"{\"Level\":\"Verbose\",\"MessageTemplate\":\"t {x}\",\"RenderedMessage\":\"t "
		 "1\"}",
		 "t 1", 7, false, "Level=\"Verbose\" MessageTemplate=\"t {x}\""},
		{"{\"t\":\"2026-01-02T03:04:05Z\",\"lvl\":\"E\",\"msg\":\"m\"}", "m", 3, true,
		 "t=\"2026-01-02T03:04:05Z\" lvl=\"E\""},
		{"{\"t\":\"12:00:00\",\"msg\":\"m\",\"timestamp\":\"2026-01-02T03:04:05Z\"}", "m",
		 SLUICE_NO_SEVERITY, true, "t=\"12:00:00\""},
		{"{\"t\":12,\"msg\":\"m\"}", "m", SLUICE_NO_SEVERITY, false, "t=12"},
		{"{\"t\":\"tea\",\"msg\":\"m\"}", "m", SLUICE_NO_SEVERITY, false, "t=\"tea\""},
	};
	static struct fields f;
	struct buf text = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jsonline j;
		const char *line = cases[i].line;
		text.len = 0;
		fields_reset(&f);
		ck_assert(jsonline_parse(line, strlen(line), &j, &f));
		ck_str_is(((struct str){j.message, j.message_len}), cases[i].message);
		ck_assert_msg(j.severity == cases[i].severity, "%s: %d", line, j.severity);
		ck_assert_msg((j.time_ns != 0) == cases[i].has_time && !j.has_bad_time, "%s", line);
		ck_assert_str_eq(show(&f, &text), cases[i].fields);
	}
	buf_fini(&text);
	fields_free(&f);
}
END_TEST

/* Whatever the depth and the number of problems: the rest arrives, and the stack holds. */
START_TEST(deep_nesting_and_many_problems_cost_only_themselves)
{
	static struct fields f;
	struct jsonline j;
	struct buf line = {0}, text = {0};
	static const struct {
		char open, close;
		size_t depth;
		enum sluice_type want;
	} cases[] = {{'[', ']', 50, SLUICE_JSON},
		     {'[', ']', 100, SLUICE_STRING},
		     {'[', ']', 200000, SLUICE_STRING},
		     {'{', '}', 200000, SLUICE_STRING}};
	for (size_t i = 0; i < array_size(cases); i++) {
		line.len = 0;
		buf_puts(&line, "{\"deep\":");
		for (size_t k = 0; k < cases[i].depth; k++)
			buf_puts(&line, cases[i].open == '{' ? "{\"a\":" : "[");
		buf_puts(&line, "1");
		for (size_t k = 0; k < cases[i].depth; k++)
			buf_putc(&line, cases[i].close);
		buf_puts(&line, ",\"b\":2}");
		fields_reset(&f);
		ck_assert(jsonline_parse(line.data, line.len, &j, &f));
		ck_assert_int_eq(f.all[0].type, cases[i].want);
		ck_assert_str_eq(f.all[1].name, "b");
		ck_assert(f.n == 2 || strstr(f.all[2].string, "nested too deeply"));
	}
	line.len = 0;
	buf_puts(&line, "{\"a\":0");
	for (int k = 0; k < 100; k++)
		buf_printf(&line, ",\"n%d\":NaN", k);
	buf_puts(&line, "}");
	fields_reset(&f);
	ck_assert(jsonline_parse(line.data, line.len, &j, &f));
	ck_assert(f.n == 102 && j.n_problems == 100);
	ck_assert_msg(strstr(show(&f, &text), "; and 8"), "%s", buf_text(&text));
	buf_fini(&line);
	buf_fini(&text);
	fields_free(&f);
}
END_TEST

START_TEST(logfmt_as_its_users_write_it)
{
	static const struct {
		const char *line, *want; /* KEY=[VALUE] */
	} cases[] = {
		{"a=1 b=\"two words\" c", "a=[1] b=[two words] c"},
		{"m=\"a\\nb\\tc \\\"q\\\" \\\\ \\u00e4 \\ud83d\\ude00 \\x1b\\U0001f600\\'\"",
		 "m=[a\nb\tc \"q\" \\ \xc3\xa4 \xf0\x9f\x98\x80 \x1b\xf0\x9f\x98\x80']"},
		{"m=\"C:\\dir\\ \\uzz\"", "m=[C:\\dir\\ \\uzz]"},
		{"a= b=\"\" c=x", "a=[] b=[] c=[x]"},
		{"  a=1 \t b=2\r\n c=3  ", "a=[1] b=[2] c=[3]"},
		{"a = 1 b= c =2", "a=[1] b=[] c=[2]"},
		{"a=\"x\"b=1", "a=[x] b=[1]"},
		{"a=\"open b=1", "a=[open b=1]!"},
		{"a='b c' d=it's e", "a=[b c] d=[it's] e"},
		{"\"a b\"=1 =2", "a b=[1] =[2]"},
		{"url=http://x/?a=b&c=d n==", "url=[http://x/?a=b&c=d] n=[=]"},
		{"\xc3\xa4=\xc3\xb6", "\xc3\xa4=[\xc3\xb6]"},
		{"a=b\"c d\"", "a=[b\"c] d !"},
		{"", ""},
	};
	static struct fields f;
	struct logfmt_pair pair;
	struct buf text = {0};
	for (size_t i = 0; i < array_size(cases); i++) {
		size_t n = strlen(cases[i].line);
		/* A copy of its own size, so that a byte too many is noticed. */
		char *copy = memcpy(malloc(n + !n), cases[i].line, n);
		const char *p = copy;
		text.len = 0;
		fields_reset(&f);
		while (logfmt_next(&p, copy + n, &f, &pair)) {
			buf_puts(&text, text.len ? " " : "");
			buf_put(&text, pair.key, pair.key_len);
			if (pair.has_value)
				buf_printf(&text, "=[%.*s]", (int)pair.value_len, pair.value);
			buf_puts(&text, pair.is_open ? "!" : "");
		}
		ck_assert_msg(strcmp(buf_text(&text), cases[i].want) == 0, "%s: %s", cases[i].line,
			      buf_text(&text));
		free(copy);
	}
	buf_fini(&text);
	fields_free(&f);
}
END_TEST

START_TEST(lines_of_containers)
{
	static const struct {
		enum container_format format;
		const char *line, *want; /* STREAM[+] TEXT; NULL: not of the form */
	} cases[] = {
		{CONTAINER_CRI, "2026-01-02T03:04:05.123456789Z stdout F hello  you ",
		 "stdout hello  you "},
		{CONTAINER_CRI, "2026-01-02T04:04:05.123456789+01:00 stderr P half",
		 "stderr+ half"},
		{CONTAINER_CRI, "2026-01-02T03:04:05.123456789Z stdout F:tag=1 x", "stdout x"},
		{CONTAINER_CRI, "2026-01-02T03:04:05.123456789Z stdout F ", "stdout "},
		{CONTAINER_CRI, "2026-01-02T03:04:05.123456789Z stdout F", "stdout "},
		{CONTAINER_CRI, "2026-01-02T03:04:05.123456789Z stdout X a", NULL},
		{CONTAINER_CRI, "2026-01-02T03:04:05.123456789Z stdout Full a", NULL},
		{CONTAINER_CRI, "2026-01-02T03:04:05.123456789Z stdin F a", NULL},
		{CONTAINER_CRI, "2026-01-02T03:04:05.123456789Z", NULL},
		{CONTAINER_CRI, "stdout F a", NULL},
		{CONTAINER_CRI, "", NULL},
		{CONTAINER_DOCKER,
		 "{\"log\":\"a "
		 "\\\"b\\\"\\u003c\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05."
		 "123456789Z\"}",
		 "stdout a \"b\"<"},
		{CONTAINER_DOCKER,
		 "{\"log\":\"half\",\"stream\":\"stderr\",\"attrs\":{\"tag\":\"x\"},\"time\":"
		 "\"2026-01-02T03:04:05.123456789Z\"}",
		 "stderr+ half {\"tag\":\"x\"}"},
		{CONTAINER_DOCKER, "{\"log\":\"a\\n\"}", NULL},
		{CONTAINER_DOCKER, "{\"log\":1,\"stream\":\"stdout\"}", NULL},
		{CONTAINER_DOCKER, "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"never\"}",
		 NULL},
		{CONTAINER_DOCKER, "plain", NULL},
	};
	static struct fields f;
	struct container_line l;
	struct buf text = {0};
	for (size_t i = 0; i < array_size(cases); i++) {
		size_t n = strlen(cases[i].line);
		for (size_t cut = 0; cut <= n; cut++) {
			char *copy = memcpy(malloc(cut + !cut), cases[i].line, cut);
			fields_reset(&f);
			bool is = container_read(cases[i].format, copy, cut, &f, &l);
			if (cut == n)
				ck_assert_msg(is == (cases[i].want != NULL), "%s", cases[i].line);
			text.len = 0;
			if (is)
				buf_printf(&text, "%s%s %.*s", container_stream_name(l.stream),
					   l.is_partial ? "+" : "", (int)l.len, l.text);
			if (is && l.attrs)
				buf_printf(&text, " %.*s", (int)l.attrs_len, l.attrs);
			if (cut == n && is) {
				ck_assert_str_eq(buf_text(&text), cases[i].want);
				ck_assert_int_eq(l.time_ns, 1767323045123456789LL);
			}
			free(copy);
		}
	}
	buf_fini(&text);
	fields_free(&f);
}
END_TEST

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void put_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	fputs(text, out);
	fclose(out);
}

static void names_are(const char *path, const char *want)
{
	static struct fields f;
	struct container c = {0};
	struct buf text = {0};
	container_learn(&c, path);
	fields_reset(&f);
	container_put(&c, &f);
	ck_assert_msg(strcmp(show(&f, &text), want) == 0, "%s: %s", path, buf_text(&text));
	container_fini(&c);
	buf_fini(&text);
	fields_free(&f);
}

START_TEST(a_container_is_known_by_the_names_of_its_log)
{
	static const char k8s[] = "k8s.namespace.name=\"web\" k8s.pod.name=\"shop-7d4-x\" ";
	char dir[] = "/tmp/sluice-container-XXXXXX", path[400], target[400], want[600];
	snprintf(want, sizeof(want),
		 "%sk8s.pod.uid=\"u-1\" k8s.container.name=\"app\" "
		 "k8s.container.restart_count=3",
		 k8s);
	names_are("/var/log/pods/web_shop-7d4-x_u-1/app/3.log", want);
	names_are("/var/log/pods/web_shop-7d4-x_u-1/app/3.log.20261128-150000", want);
	snprintf(want, sizeof(want), "%sk8s.container.name=\"my-app\" container.id=\"" ID "\"",
		 k8s);
	names_are("/var/log/containers/shop-7d4-x_web_my-app-" ID ".log", want);
	names_are("/var/lib/containers/" ID "/userdata/ctr.log", "container.id=\"" ID "\"");
	names_are("/var/log/app_a_b.log", "");
	names_are("x", "");

	/* Along its links, and from docker's own file. */
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/" ID, dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/" ID "/config.v2.json", dir);
	put_file(path,
		 "{\"ID\":\"x\",\"State\":{\"Name\":\"no\"},\"Config\":{\"Image\":\"nginx:1\","
		 "\"Labels\":{\"io.kubernetes.pod.name\":\"p\"}},\"Name\":\"/web\"}");
	snprintf(target, sizeof(target), "%s/" ID "/" ID "-json.log", dir);
	put_file(target, "");
	names_are(target, "k8s.pod.name=\"p\" container.id=\"" ID "\" container.name=\"web\" "
			  "container.image.name=\"nginx:1\"");
	snprintf(path, sizeof(path), "%s/shop-7d4-x_web_app-" ID ".log", dir);
	ck_assert_int_eq(symlink(ID "/" ID "-json.log", path), 0);
	names_are(path, "k8s.namespace.name=\"web\" k8s.pod.name=\"p\" k8s.container.name=\"app\" "
			"container.id=\"" ID "\" container.name=\"web\" "
			"container.image.name=\"nginx:1\"");
	unlink(path);
	unlink(target);
	snprintf(path, sizeof(path), "%s/" ID "/config.v2.json", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/" ID, dir);
	rmdir(path);
	rmdir(dir);
}
END_TEST

UNIT_MAIN("parsers", a_duration_is_no_time, lines_of_containers,
	  a_container_is_known_by_the_names_of_its_log, logfmt_as_its_users_write_it,
	  one_bad_value_does_not_spoil_a_json_line, a_json_line_says_when_how_bad_and_what,
	  a_json_line_is_read_as_its_program_meant_it,
	  deep_nesting_and_many_problems_cost_only_themselves)

/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <zlib.h>

#include "wire/fcgi.h"
#include "wire/format.h"
#include "wire/frame.h"
#include "wire/gzip.h"
#include "wire/handoff.h"
#include "wire/origin.h"
#include "wire/query.h"
#include "wire/sse.h"

/* ---- id --------------------------------------------------------------------- */

START_TEST(an_id_survives_its_text)
{
	char text[ID_TEXT_MAX];
	event_id id = id_make(1763689264123, 42), back;
	struct str epoch, s = {text, id_put(text, STR("k3f9"), id)};
	ck_str_is(s, "k3f9.1763689264123-42");
	ck_assert_int_eq(id_parse(s, &epoch, &back), 0);
	ck_assert(back == id && str_is(epoch, "k3f9"));
	s.len = id_put(text, STR("0123456789abcdef"), UINT64_MAX);
	ck_assert_uint_le(s.len, ID_TEXT_MAX);
	ck_assert_int_eq(id_parse(s, &epoch, &back), 0);
	ck_assert(back == UINT64_MAX);
}
END_TEST

START_TEST(what_is_no_id_is_refused)
{
	static const char *const bad[] = {"",
					  ".",
					  "a",
					  "a.",
					  "a.1",
					  "a.1-",
					  "a.-1",
					  "a.1-1048576",
					  "a.1-1x",
					  " a.1-1",
					  "a.99999999999999-0",
					  "a b.1-1",
					  "01234567890123456.1-1",
					  "a.1-1\n"};
	for (size_t i = 0; i < array_size(bad); i++) {
		struct str epoch;
		event_id id;
		ck_assert_msg(id_parse(str_of(bad[i]), &epoch, &id) != 0, "\"%s\" was taken",
			      bad[i]);
	}
}
END_TEST

/* ---- records and frames -------------------------------------------------------- */

static void put_sample(struct buf *out)
{
	struct buf fields = {0};
	field_put(&fields,
		  &(struct field){.name = STR("status"), .type = FIELD_INT, .integer = -500});
	field_put(&fields,
		  &(struct field){.name = STR("path"), .type = FIELD_STRING, .string = STR("/x")});
	field_put(&fields,
		  &(struct field){.name = STR("ratio"), .type = FIELD_DOUBLE, .number = 0.5});
	field_put(&fields, &(struct field){.name = STR("ok"), .type = FIELD_BOOL, .integer = 1});
	field_put(&fields, &(struct field){.name = STR("none"), .type = FIELD_NULL});
	record_put_event(out, &(struct event){.id = 7,
					      .time_ns = 1763689264123456789,
					      .severity = 3,
					      .flags = EVENT_TRUNCATED,
					      .type = STR("line"),
					      .source = STR("src"),
					      .message = STR("hello"),
					      .fields = buf_str(&fields)});
	record_put_cursor(out, &(struct cursor){STR("src"), STR("key"), STR("value")});
	buf_fini(&fields);
}

START_TEST(records_survive_their_bytes)
{
	struct buf b = {0};
	struct record r;
	struct field f;
	put_sample(&b);
	struct str rest = buf_str(&b);
	ck_assert_int_eq(record_next(&rest, &r), 1);
	ck_assert(r.kind == RECORD_EVENT && r.event.id == 7 && r.event.severity == 3 &&
		  r.event.flags == EVENT_TRUNCATED);
	ck_str_is(r.event.message, "hello");
	ck_str_is(r.event.type, "line");
	int n = 0;
	while (field_next(&r.event.fields, &f) == 1)
		n++;
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(record_next(&rest, &r), 1);
	ck_str_is(r.cursor.value, "value");
	ck_assert_int_eq(record_next(&rest, &r), 0);
	buf_fini(&b);
}
END_TEST

/* "NAME TYPE" by "NAME TYPE", as cleaned. */
static void names_become(const char *const *in, const char *const *want)
{
	struct buf fields = {0}, scratch = {0};
	struct str clean;
	struct field f;
	for (int64_t i = 0; in[i]; i++)
		field_put(&fields,
			  &(struct field){.name = str_of(in[i]), .type = FIELD_INT, .integer = i});
	ck_assert_int_eq(fields_clean(buf_str(&fields), &scratch, &clean), 0);
	for (int64_t i = 0; want[i]; i++) {
		ck_assert_int_eq(field_next(&clean, &f), 1);
		ck_str_is(f.name, want[i]);
		ck_assert_int_eq(f.integer, i);
	}
	ck_assert_int_eq(field_next(&clean, &f), 0);
	buf_fini(&fields);
	buf_fini(&scratch);
}

START_TEST(a_field_name_occurs_once_in_an_event)
{
	static const struct {
		const char *in[8], *want[8];
	} cases[] = {
		{{"path", "path"}, {"path", "path_2"}},
		{{"a", "b", "a", "a", "b"}, {"a", "b", "a_2", "a_3", "b_2"}},
		{{"a", "a_2", "a"}, {"a", "a_2", "a_3"}},
		{{"a", "a", "a_2", "a_2"}, {"a", "a_2", "a_2_2", "a_2_3"}},
		{{"a.b", "a", "a.b"}, {"a.b", "a", "a.b_2"}},
		/* What is no UTF-8 may become the same. */
		{{"x\xff", "x\xfe"}, {"x\xef\xbf\xbd", "x\xef\xbf\xbd_2"}},
		{{"a", "A"}, {"a", "A"}},
	};
	for (size_t i = 0; i < array_size(cases); i++)
		names_become(cases[i].in, cases[i].want);
	const char *many[FIELDS_MAX + 1] = {NULL}, *want[FIELDS_MAX + 1] = {NULL};
	char text[FIELDS_MAX][8];
	for (int i = 0; i < FIELDS_MAX; i++) {
		snprintf(text[i], sizeof(text[i]), i ? "n_%d" : "n", i + 1);
		many[i] = "n";
		want[i] = text[i];
	}
	names_become(many, want);
	names_become(want, want);
}
END_TEST

START_TEST(records_cut_at_every_byte_are_refused_without_reading_beyond)
{
	struct buf b = {0};
	put_sample(&b);
	for (size_t n = 1; n < b.len; n++) {
		char *copy = malloc(n); /* so that a sanitizer sees a step beyond */
		memcpy(copy, b.data, n);
		struct str rest = {copy, n};
		struct record r;
		int got;
		while ((got = record_next(&rest, &r)) == 1) {
			struct field f;
			while (field_next(&r.event.fields, &f) == 1)
				continue;
		}
		ck_assert_int_le(got, 0);
		free(copy);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(frames_arrive_byte_by_byte_and_too_long_ones_are_refused)
{
	struct buf b = {0};
	size_t begun = frame_begin(&b, FRAME_EVENTS);
	buf_puts(&b, "body");
	frame_end(&b, begun);
	struct frame f;
	for (size_t n = 0; n < b.len; n++) {
		struct str part = {b.data, n};
		ck_assert_int_eq(frame_next(&part, 100, &f), 0);
	}
	struct str whole = buf_str(&b);
	ck_assert_int_eq(frame_next(&whole, 100, &f), 1);
	ck_str_is(f.body, "body");
	ck_assert_uint_eq(whole.len, 0);
	whole = buf_str(&b);
	ck_assert_int_eq(frame_next(&whole, 3, &f), -EMSGSIZE);
	buf_fini(&b);
}
END_TEST

/* ---- fastcgi ---------------------------------------------------------------------- */

static void put_record(struct buf *out, enum fcgi_type type, uint16_t id, const char *content,
		       size_t n)
{
	fcgi_put_header(buf_reserve(out, FCGI_HEADER), type, id, n);
	out->len += FCGI_HEADER;
	buf_put(out, content, n);
}

static void put_head(struct buf *out)
{
	put_record(out, FCGI_TYPE_BEGIN, 1, "\0\1\0\0\0\0\0\0", 8);
	put_record(out, FCGI_TYPE_PARAMS, 1, "\1\1ab\2\0cd", 8);
	put_record(out, FCGI_TYPE_PARAMS, 1, "", 0);
	put_record(out, FCGI_TYPE_STDIN, 1, "", 0);
}

START_TEST(a_head_is_whole_only_at_its_last_byte)
{
	struct buf b = {0};
	struct fcgi_request r;
	put_head(&b);
	for (size_t n = 0; n < b.len; n++) {
		ck_assert_int_eq(fcgi_check_head((struct str){b.data, n}, &r),
				 FCGI_HEAD_INCOMPLETE);
		buf_fini(&r.params);
	}
	buf_puts(&b, "more");
	ck_assert_int_eq(fcgi_check_head(buf_str(&b), &r), FCGI_HEAD_WHOLE);
	ck_assert_uint_eq(r.len, b.len - 4);
	/* And what is written again is read again as the same. */
	struct buf again = {0};
	struct fcgi_request same;
	fcgi_put_request(&again, &r);
	ck_assert_int_eq(fcgi_check_head(buf_str(&again), &same), FCGI_HEAD_WHOLE);
	ck_assert(same.id == r.id && str_eq(buf_str(&same.params), buf_str(&r.params)));
	buf_fini(&again);
	buf_fini(&same.params);
	buf_fini(&r.params);
	buf_fini(&b);
}
END_TEST

START_TEST(hostile_heads_are_refused)
{
	static const struct {
		enum fcgi_type type;
		uint16_t id;
		const char *content;
		size_t n;
	} second[] = {
		{FCGI_TYPE_BEGIN, 1, "\0\1\0\0\0\0\0\0", 8}, /* a second BEGIN */
		{FCGI_TYPE_PARAMS, 2, "", 0},                /* another id */
		{FCGI_TYPE_STDIN, 1, "", 0},                 /* before PARAMS has ended */
		{9, 1, "\17\0FCGI_MAX_CONNS", 16},           /* GET_VALUES */
	};
	struct fcgi_request r;
	for (size_t i = 0; i < array_size(second); i++) {
		struct buf b = {0};
		put_record(&b, FCGI_TYPE_BEGIN, 1, "\0\1\0\0\0\0\0\0", 8);
		put_record(&b, second[i].type, second[i].id, second[i].content, second[i].n);
		ck_assert_int_eq(fcgi_check_head(buf_str(&b), &r), FCGI_HEAD_BAD);
		buf_fini(&r.params);
		ck_assert_ptr_nonnull(r.why);
		buf_fini(&b);
	}
	static const char *const params[] = {"\xff\xff\xff\xff\1",
					     "\1\x7f"
					     "ab",
					     "\x80", "\0\1a", "\1"};
	static const size_t lengths[] = {5, 4, 1, 3, 1};
	for (size_t i = 0; i < array_size(params); i++) {
		struct buf b = {0};
		put_record(&b, FCGI_TYPE_BEGIN, 1, "\0\1\0\0\0\0\0\0", 8);
		put_record(&b, FCGI_TYPE_PARAMS, 1, params[i], lengths[i]);
		put_record(&b, FCGI_TYPE_PARAMS, 1, "", 0);
		ck_assert_int_eq(fcgi_check_head(buf_str(&b), &r), FCGI_HEAD_BAD);
		buf_fini(&r.params);
		buf_fini(&b);
	}
	struct buf filter = {0};
	put_record(&filter, FCGI_TYPE_BEGIN, 1, "\0\3\0\0\0\0\0\0", 8);
	ck_assert_int_eq(fcgi_check_head(buf_str(&filter), &r), FCGI_HEAD_BAD);
	buf_fini(&r.params);
	buf_fini(&filter);
}
END_TEST

/* What the application library of FastCGI's authors answers, but for the number. */
static const char values_answer[] = "\1\12\0\0\0\46\0\0"
				    "\16\4FCGI_MAX_CONNS1024"
				    "\17\1FCGI_MPXS_CONNS0";

START_TEST(a_front_server_may_ask_about_the_connection_at_any_place)
{
	static const char asked[] = "\17\0FCGI_MPXS_CONNS\1\3xabc\16\0FCGI_MAX_CONNS";
	struct buf whole = {0};
	size_t ends[8], n_ends = 0;
	put_record(&whole, FCGI_TYPE_GET_VALUES, 0, asked, sizeof(asked) - 1);
	ends[n_ends++] = whole.len;
	put_record(&whole, FCGI_TYPE_BEGIN, 1, "\0\1\0\0\0\0\0\0", 8);
	put_record(&whole, 200, 0, "any", 3);
	ends[n_ends++] = whole.len;
	put_record(&whole, FCGI_TYPE_PARAMS, 1, "\1\1ab\2\0cd", 8);
	put_record(&whole, FCGI_TYPE_PARAMS, 1, "", 0);
	put_record(&whole, FCGI_TYPE_STDIN, 1, "", 0);
	/* However it is cut: the same answers, and the same request. */
	for (size_t step = 1; step <= whole.len; step++) {
		struct buf in = {0}, answer = {0};
		struct fcgi_request r;
		enum fcgi_head is = FCGI_HEAD_INCOMPLETE;
		for (size_t at = 0; at < whole.len; at += step) {
			ck_assert_int_eq(is, FCGI_HEAD_INCOMPLETE);
			buf_put(&in, whole.data + at, MIN(step, whole.len - at));
			ck_assert_int_eq(fcgi_take_management(&in, 1024, &answer), 0);
			is = fcgi_check_head(buf_str(&in), &r);
			buf_fini(&r.params);
			if (at + step >= ends[0])
				ck_assert_uint_ge(answer.len, sizeof(values_answer) - 1);
		}
		ck_assert_int_eq(is, FCGI_HEAD_WHOLE);
		ck_assert_uint_eq(answer.len, sizeof(values_answer) - 1 + 16);
		ck_assert_mem_eq(answer.data, values_answer, sizeof(values_answer) - 1);
		ck_assert_mem_eq(answer.data + sizeof(values_answer) - 1,
				 "\1\13\0\0\0\10\0\0\310\0\0\0\0\0\0", 16);
		buf_fini(&in);
		buf_fini(&answer);
	}
	buf_fini(&whole);
}
END_TEST

START_TEST(what_is_asked_about_the_connection_may_be_nothing_or_nonsense)
{
	static const struct {
		enum fcgi_type type;
		const char *content;
		size_t n, want;
		int r;
	} cases[] = {
		{FCGI_TYPE_GET_VALUES, "", 0, 8, 0},
		{FCGI_TYPE_GET_VALUES, "\1\0x", 3, 8, 0},
		{FCGI_TYPE_GET_VALUES, "\15\0FCGI_MAX_REQS\15\0FCGI_MAX_REQS", 30, 27, 0},
		{FCGI_TYPE_UNKNOWN, "\11\0\0\0\0\0\0\0", 8, 0, 0}, /* an answer needs none */
		{FCGI_TYPE_GET_VALUES, "\17\0FCGI", 6, 0, -EBADMSG},
		{FCGI_TYPE_GET_VALUES, "\377\377\377\377\0x", 6, 0, -EBADMSG},
	};
	for (size_t i = 0; i < array_size(cases); i++) {
		struct buf in = {0}, answer = {0};
		put_record(&in, cases[i].type, 0, cases[i].content, cases[i].n);
		ck_assert_int_eq(fcgi_take_management(&in, 1024, &answer), cases[i].r);
		ck_assert_msg(cases[i].r || (answer.len == cases[i].want && !in.len),
			      "case %zu: %zu bytes", i, answer.len);
		buf_fini(&in);
		buf_fini(&answer);
	}
}
END_TEST

/* The content of STDOUT records, checked on the way. */
static void unframe(struct str s, uint16_t id, struct buf *out)
{
	while (s.len) {
		const unsigned char *h = (const unsigned char *)s.data;
		ck_assert_uint_ge(s.len, FCGI_HEADER);
		ck_assert_uint_eq(h[0], 1);
		ck_assert_uint_eq(h[1], FCGI_TYPE_STDOUT);
		ck_assert_uint_eq((unsigned)h[2] << 8 | h[3], id);
		size_t n = (size_t)h[4] << 8 | h[5];
		ck_assert_uint_le(n, s.len - FCGI_HEADER);
		buf_put(out, s.data + FCGI_HEADER, n);
		s.data += FCGI_HEADER + n;
		s.len -= FCGI_HEADER + n;
	}
}

START_TEST(framing_in_place_keeps_every_byte_whatever_the_size)
{
	static const size_t sizes[] = {0, 1, 65527, 65528, 65529, 131056, 131057, 300000};
	for (size_t i = 0; i < array_size(sizes); i++) {
		struct buf b = {0}, want = {0}, got = {0};
		buf_puts(&b, "before");
		buf_put(&b, "12345678", FCGI_HEADER);
		for (size_t k = 0; k < sizes[i]; k++)
			buf_putc(&want, (char)(k * 7));
		buf_put_str(&b, buf_str(&want));
		fcgi_frame_stdout(&b, 6, 1);
		fcgi_patch_id(b.data + 6, b.len - 6, 258);
		unframe((struct str){b.data + 6, b.len - 6}, 258, &got);
		ck_assert(str_eq(buf_str(&got), buf_str(&want)));
		buf_fini(&b);
		buf_fini(&want);
		buf_fini(&got);
	}
}
END_TEST

/* ---- sse ------------------------------------------------------------------------------ */

START_TEST(an_event_is_one_block_with_its_fields)
{
	struct buf rec = {0}, out = {0};
	struct record r;
	put_sample(&rec);
	struct str rest = buf_str(&rec);
	ck_assert_int_eq(record_next(&rest, &r), 1);
	sse_put_event(&out, STR("e"), STR("logs"), &r.event, SSE_DATA_JSON);
	ck_str_is(buf_str(&out),
		  "id: e.0-7\nevent: line\ndata: "
		  "{\"time\":\"2025-11-21T01:41:04.123456Z\",\"channel\":\"logs\","
		  "\"source\":\"src\",\"severity\":\"error\",\"truncated\":true,\"message\":"
		  "\"hello\",\"fields\":"
		  "{\"status\":-500,\"path\":\"/x\",\"ratio\":0.5,\"ok\":true,\"none\":null}}\n\n");
	buf_fini(&out);
	buf_fini(&rec);
}
END_TEST

START_TEST(a_bare_message_is_split_on_every_line_end)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{"one", "data: one\n"},
		{"a\nb", "data: a\ndata: b\n"},
		{"a\r\nb\rc\n", "data: a\ndata: b\ndata: c\ndata: \n"},
		{" lead", "data:  lead\n"},
		{"", "data: \n"},
		{"\n\r", "data: \ndata: \ndata: \n"},
	};
	for (size_t i = 0; i < array_size(cases); i++) {
		struct buf out = {0}, want = {0};
		struct event ev = {.id = 1,
				   .severity = SEVERITY_NONE,
				   .type = STR("line"),
				   .message = str_of(cases[i].in)};
		sse_put_event(&out, STR("e"), STR("c"), &ev, SSE_DATA_MESSAGE);
		buf_printf(&want, "id: e.0-1\nevent: line\n%s\n", cases[i].want);
		ck_str_is(buf_str(&out), buf_text(&want));
		buf_fini(&out);
		buf_fini(&want);
	}
}
END_TEST

START_TEST(a_heartbeat_holds_an_id_and_no_data)
{
	struct buf out = {0};
	sse_put_heartbeat(&out, STR("e"), 5, SSE_HEARTBEAT_ID);
	ck_str_is(buf_str(&out), ":\nid: e.0-5\n\n");
	out.len = 0;
	sse_put_heartbeat(&out, STR("e"), 5, SSE_HEARTBEAT_EVENT);
	ck_str_is(buf_str(&out), "id: e.0-5\nevent: ping\ndata: {}\n\n");
	out.len = 0; /* for clients that hand on every block: this is none */
	sse_put_heartbeat(&out, STR("e"), 5, SSE_HEARTBEAT_COMMENT);
	ck_str_is(buf_str(&out), ":\nid: e.0-5\n");
	buf_fini(&out);
}
END_TEST

START_TEST(a_reconnection_time_is_part_of_a_message)
{
	struct buf out = {0};
	format_retry(&out, FORMAT_SSE, 3000);
	format_control(&out, FORMAT_SSE, STR("e"), 5, "hello", STR("{}"));
	ck_str_is(buf_str(&out), "retry: 3000\nid: e.0-5\nevent: hello\ndata: {}\n\n");
	out.len = 0;
	format_retry(&out, FORMAT_SSE_UNNAMED, 7);
	format_control(&out, FORMAT_SSE_UNNAMED, STR("e"), FORMAT_NO_ID, "bye", STR("{}"));
	ck_str_is(buf_str(&out), "retry: 7\nevent: bye\ndata: {}\n\n");
	buf_fini(&out);
}
END_TEST

/* One event and one gap in a form. */
static void put_both(struct buf *out, enum format f)
{
	struct event ev = {.id = 1,
			   .severity = SEVERITY_NONE,
			   .type = STR("line"),
			   .source = STR("s"),
			   .message = STR("<b>&\n\"x'")};
	struct gap g = {.from = 1, .to = 2, .count = 3, .reason = "slow", .channel = STR("c")};
	out->len = 0;
	format_begin(out, f);
	format_event(out, f, STR("e"), STR("c"), &ev, true);
	format_gap(out, f, STR("e"), &g, false);
	format_end(out, f, STR("e"), 2);
}

START_TEST(events_and_gaps_without_a_name_say_what_they_are)
{
	static const char event[] = "{\"id\":\"e.0-1\",\"event\":\"line\","
				    "\"time\":\"1970-01-01T00:00:00.000000Z\",\"channel\":\"c\","
				    "\"source\":\"s\",\"message\":\"<b>&\\n\\\"x'\"}";
	static const char gap[] =
		"{\"id\":\"e.0-2\",\"event\":\"gap\",\"channel\":\"c\",\"from\":\"e.0-1\","
		"\"to\":\"e.0-2\",\"count\":3,\"reason\":\"slow\"}";
	struct buf out = {0}, want = {0};
	put_both(&out, FORMAT_SSE_UNNAMED);
	buf_printf(&want, "data: %s\nid: e.0-1\n\ndata: %s\nid: e.0-2\n\n", event, gap);
	ck_str_is(buf_str(&out), buf_text(&want));
	put_both(&out, FORMAT_SSE_UNNAMED_BATCH);
	want.len = 0;
	buf_printf(&want, "data: [%s,%s]\nid: e.0-2\n\n", event, gap);
	ck_str_is(buf_str(&out), buf_text(&want));
	put_both(&out, FORMAT_SSE_UNNAMED_MESSAGE);
	ck_str_is(buf_str(&out),
		  "data: <b>&\ndata: \"x'\nid: e.0-1\n\ndata: # gap c (slow): 3 events "
		  "from e.0-1 to e.0-2\nid: e.0-2\n\n");
	put_both(&out, FORMAT_SSE_UNNAMED_HTML);
	ck_str_is(buf_str(&out),
		  "data: &lt;b&gt;&amp;\ndata: &quot;x&#39;\nid: e.0-1\n\ndata: # gap c "
		  "(slow): 3 events from e.0-1 to e.0-2\nid: e.0-2\n\n");
	put_both(&out, FORMAT_SSE_HTML);
	ck_assert_ptr_nonnull(strstr(buf_text(&out),
				     "event: line\ndata: &lt;b&gt;&amp;\ndata: &quot;x&#39;\n\n"));
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "event: gap\ndata: {\"channel\""));
	ck_assert(format_unnamed(FORMAT_SSE_BATCH) == FORMAT_SSE_UNNAMED_BATCH);
	buf_fini(&out);
	buf_fini(&want);
}
END_TEST

START_TEST(a_gap_of_a_source_is_no_markup_in_html)
{
	struct event gap = {.id = 1,
			    .flags = EVENT_GAP,
			    .severity = SEVERITY_NONE,
			    .type = STR("line"),
			    .source = STR("s"),
			    .message = STR("/x/<img src=x onerror='a&b'>.log was truncated")};
	struct buf out = {0};
	format_event(&out, FORMAT_SSE_HTML, STR("e"), STR("c"), &gap, true);
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "event: gap\ndata: {"));
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "/x/\\u003cimg src=x onerror=\\u0027a"
						     "\\u0026b\\u0027\\u003e.log was truncated"));
	ck_assert_ptr_null(strpbrk(buf_text(&out), "<>&'"));
	out.len = 0;
	format_event(&out, FORMAT_SSE, STR("e"), STR("c"), &gap, true);
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "<img src=x onerror='a&b'>"));
	buf_fini(&out);
}
END_TEST

START_TEST(no_event_has_a_name_that_steers_a_client)
{
	static const char *const free_names[] = {"line", "message", "event.hello", "opened", ""};
	for (size_t i = 0; format_renamed[i]; i++) {
		struct str name = str_of(format_renamed[i] + strlen("event."));
		ck_str_is(format_type(name), format_renamed[i]);
	}
	ck_str_is(format_type(STR("open")), "event.open");
	ck_str_is(format_type(STR("error")), "event.error");
	for (size_t i = 0; i < array_size(free_names); i++)
		ck_str_is(format_type(str_of(free_names[i])), free_names[i]);
}
END_TEST

START_TEST(times_before_1970_and_on_leap_days_are_dates)
{
	static const struct {
		int64_t sec;
		const char *want;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000000Z"},
		{-1, "1969-12-31T23:59:59.000000Z"},
		{951782400, "2000-02-29T00:00:00.000000Z"},
		{1709164800, "2024-02-29T00:00:00.000000Z"},
		{1735689599, "2024-12-31T23:59:59.000000Z"},
		{4107542400, "2100-03-01T00:00:00.000000Z"},
	};
	for (size_t i = 0; i < array_size(cases); i++) {
		struct buf out = {0};
		struct event ev = {.time_ns = cases[i].sec * 1000000000,
				   .severity = SEVERITY_NONE,
				   .type = STR("x")};
		sse_put_event(&out, STR("e"), STR("c"), &ev, SSE_DATA_JSON);
		ck_assert_ptr_nonnull(strstr(buf_text(&out), cases[i].want));
		buf_fini(&out);
	}
}
END_TEST

/* ---- gzip ------------------------------------------------------------------------------- */

/* What zlib makes of `s`, given one byte at a time; checked to be all there with the last. */
static void check_inflated(z_stream *z, struct str s, const char *want)
{
	char text[4096];
	z->next_out = (Bytef *)text;
	z->avail_out = sizeof(text);
	for (size_t i = 0; i < s.len; i++) {
		z->next_in = (Bytef *)(uintptr_t)(s.data + i);
		z->avail_in = 1;
		int r = inflate(z, Z_SYNC_FLUSH);
		ck_assert_msg(r == Z_OK || r == Z_BUF_ERROR, "inflate: %d", r);
	}
	ck_str_is(((struct str){text, sizeof(text) - z->avail_out}), want);
}

START_TEST(every_piece_of_a_compressed_stream_can_be_read_when_its_last_byte_is_there)
{
	static const char marker[] = {0, 0, (char)0xff, (char)0xff};
	struct gzip *g = gzip_new();
	struct buf b = {0};
	z_stream z = {0};
	ck_assert_int_eq(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
	gzip_put_header(&b);
	check_inflated(&z, buf_str(&b), "");
	/* In the order in which a stream has them: hello, history, live, bye. */
	for (int piece = 0; piece < 6; piece++) {
		b.len = 0;
		if (piece == 0 || piece == 5)
			gzip_put_stored(&b, STR("event: hello\n\n"));
		else if (piece == 1)
			gzip_put_alone(&b, STR("event: hello\n\n"));
		else
			gzip_put(g, &b, STR("event: hello\n\n"), piece == 2);
		check_inflated(&z, buf_str(&b), "event: hello\n\n");
		/* Go's compress/flate passes on what it has when it meets this, and not before. */
		ck_assert_uint_ge(b.len, sizeof(marker));
		ck_assert_mem_eq(b.data + b.len - sizeof(marker), marker, sizeof(marker));
	}
	b.len = 0;
	gzip_put_stored(&b, STR(""));
	ck_assert_uint_eq(b.len, 0);
	inflateEnd(&z);
	gzip_free(g);
	buf_fini(&b);
}
END_TEST

/* ---- query, accept, handoff ----------------------------------------------------------------- */

START_TEST(a_query_is_decoded)
{
	struct buf k = {0}, v = {0};
	struct str rest = STR("&a=1&b+c=%41%2f%e4&empty=&flag&&x=a=b");
	static const char *const want[][2] = {
		{"a", "1"}, {"b c", "A/\xe4"}, {"empty", ""}, {"flag", ""}, {"x", "a=b"}};
	for (size_t i = 0; i < array_size(want); i++) {
		ck_assert_int_eq(query_next(&rest, &k, &v), 1);
		ck_str_is(buf_str(&k), want[i][0]);
		ck_str_is(buf_str(&v), want[i][1]);
	}
	ck_assert_int_eq(query_next(&rest, &k, &v), 0);
	static const char *const bad[] = {"a=%", "a=%4", "a=%zz", "%=1", "a=%00"};
	for (size_t i = 0; i < array_size(bad); i++) {
		rest = str_of(bad[i]);
		ck_assert_int_eq(query_next(&rest, &k, &v), -EINVAL);
	}
	buf_fini(&k);
	buf_fini(&v);
}
END_TEST

START_TEST(what_polyfills_and_caches_add_is_known)
{
	static const char *const cursors[] = {"lastEventId", "lastEventID", "Last-Event-ID",
					      "last_event_id", "evs_last_event_id"};
	static const char *const ignored[] = {"_",
					      "_dc",
					      "_t",
					      "evs_preamble",
					      "evs_buffer_size_limit",
					      "utm_source",
					      "cb",
					      "cacheBuster",
					      "cache-bust",
					      "nocache",
					      "dojo.preventCache",
					      "random",
					      "rand",
					      "org.htmx.cache-buster",
					      "ts",
					      "t",
					      "timestamp",
					      "r",
					      "nonce",
					      "zx",
					      "fbclid"};
	static const char *const ours[] = {"channel", "after", "tail",  "severity", "type",
					   "source",  "grep",  "limit", "event",    "chanel"};
	static const char *const nonces[] = {"1763689264123", "0.8273645519", "123456"};
	static const char *const no_nonces[] = {"", "12345", "0x1234567", "k3f9.1763689264123-0",
						"info"};
	for (size_t i = 0; i < array_size(cursors); i++)
		ck_assert_msg(query_is_last_event_id(str_of(cursors[i])), "%s", cursors[i]);
	for (size_t i = 0; i < array_size(ignored); i++)
		ck_assert_msg(query_is_ignored(str_of(ignored[i])), "%s", ignored[i]);
	for (size_t i = 0; i < array_size(ours); i++)
		ck_assert_msg(!query_is_ignored(str_of(ours[i])) &&
				      !query_is_last_event_id(str_of(ours[i])),
			      "%s", ours[i]);
	for (size_t i = 0; i < array_size(nonces); i++)
		ck_assert_msg(query_is_nonce(str_of(nonces[i])), "%s", nonces[i]);
	for (size_t i = 0; i < array_size(no_nonces); i++)
		ck_assert_msg(!query_is_nonce(str_of(no_nonces[i])), "%s", no_nonces[i]);
}
END_TEST

START_TEST(accept_is_weighed_by_the_most_specific_range)
{
	static const struct {
		const char *accept;
		bool want;
	} cases[] = {
		{"", true},
		{"*/*", true},
		{"text/event-stream", true},
		{"text/*", true},
		{"TEXT/Event-Stream", true},
		{"text/html, text/event-stream;q=0.5", true},
		{"application/json", false},
		{"text/html", false},
		{"text/event-stream;q=0, */*", false},
		{"*/*;q=0", false},
		{"text/event-stream; q=0.000", false},
	};
	for (size_t i = 0; i < array_size(cases); i++)
		ck_assert_msg(accept_admits(str_of(cases[i].accept), "text/event-stream") ==
				      cases[i].want,
			      "%s", cases[i].accept);
}
END_TEST

START_TEST(handoff_packets_survive_their_bytes_and_cut_ones_are_refused)
{
	struct buf b = {0};
	struct handoff_request q = {.kind = HANDOFF_TAKE,
				    .framing = HANDOFF_FCGI,
				    .serial = 9,
				    .fcgi_id = 3,
				    .method = STR("GET"),
				    .route = STR("/events"),
				    .query = STR("a=b"),
				    .accept = STR("*/*")},
			       back;
	handoff_put_request(&b, &q);
	for (size_t n = 0; n < b.len; n++)
		ck_assert_int_ne(handoff_get_request((struct str){b.data, n}, &back), 0);
	ck_assert_int_eq(handoff_get_request(buf_str(&b), &back), 0);
	ck_assert(back.serial == 9 && back.fcgi_id == 3 && str_is(back.route, "/events") &&
		  str_is(back.query, "a=b"));
	b.len = 0;
	handoff_put_answer(&b, &(struct handoff_answer){HANDOFF_STREAM, true, 9, STR("head")});
	struct handoff_answer a;
	ck_assert_int_eq(handoff_get_answer(buf_str(&b), &a), 0);
	ck_assert(a.verdict == HANDOFF_STREAM && a.more && a.serial == 9 &&
		  str_is(a.bytes, "head"));
	buf_fini(&b);
}
END_TEST

START_TEST(origins_are_compared_as_browsers_mean_them)
{
	static const struct {
		const char *a, *b;
		bool same;
	} all[] = {
		{"https://x", "https://x", true},
		{"https://x:443", "https://x", true},
		{"https://X:443", "HTTPS://x", true},
		{"http://x:80", "http://x", true},
		{"http://x:443", "http://x", false},
		{"https://x:80", "https://x", false},
		{"https://x", "http://x", false},
		{"https://x:8443", "https://x", false},
		{"https://x:4430", "https://x", false},
		{"https://[::1]:443", "https://[::1]", true},
		{"https://[::443]", "https://[:]", false},
		{"https://x.evil", "https://x", false},
		{"null", "https://x", false},
		{"", "https://x", false},
		{"https://", "https://x", false},
	};
	for (size_t i = 0; i < array_size(all); i++) {
		ck_assert_msg(origin_is_same(str_of(all[i].a), str_of(all[i].b)) == all[i].same,
			      "%s and %s", all[i].a, all[i].b);
		ck_assert(origin_is_same(str_of(all[i].b), str_of(all[i].a)) == all[i].same);
	}
	ck_assert(origin_is_of_host(STR("https://x"), STR("X:443")));
	ck_assert(origin_is_of_host(STR("http://x:80"), STR("x")));
	ck_assert(origin_is_of_host(STR("https://x:8443"), STR("x:8443")));
	ck_assert(!origin_is_of_host(STR("https://x:8443"), STR("x")));
	ck_assert(!origin_is_of_host(STR("https://x"), STR("x:80")));
	ck_assert(!origin_is_of_host(STR("null"), STR("null")));
	ck_assert(!origin_is_of_host(STR("https://x"), STR("")));
	ck_assert(!origin_is_of_host(STR(""), STR("x")));
	ck_str_is(origin_in_list(STR("https://B:443"), "https://a https://b"), "https://b");
	ck_assert(!origin_in_list(STR("https://a https://b"), "https://a https://b").data);
	ck_assert(!origin_in_list(STR(""), "").data);
}
END_TEST

UNIT_MAIN("wire", an_id_survives_its_text, what_is_no_id_is_refused, records_survive_their_bytes,
	  a_field_name_occurs_once_in_an_event,
	  records_cut_at_every_byte_are_refused_without_reading_beyond,
	  frames_arrive_byte_by_byte_and_too_long_ones_are_refused,
	  a_head_is_whole_only_at_its_last_byte, hostile_heads_are_refused,
	  a_front_server_may_ask_about_the_connection_at_any_place,
	  what_is_asked_about_the_connection_may_be_nothing_or_nonsense,
	  framing_in_place_keeps_every_byte_whatever_the_size,
	  an_event_is_one_block_with_its_fields, a_bare_message_is_split_on_every_line_end,
	  a_heartbeat_holds_an_id_and_no_data, a_reconnection_time_is_part_of_a_message,
	  events_and_gaps_without_a_name_say_what_they_are, a_gap_of_a_source_is_no_markup_in_html,
	  no_event_has_a_name_that_steers_a_client, what_polyfills_and_caches_add_is_known,
	  times_before_1970_and_on_leap_days_are_dates,
	  every_piece_of_a_compressed_stream_can_be_read_when_its_last_byte_is_there,
	  a_query_is_decoded, accept_is_weighed_by_the_most_specific_range,
	  origins_are_compared_as_browsers_mean_them,
	  handoff_packets_survive_their_bytes_and_cut_ones_are_refused)

/* SPDX-License-Identifier: MIT
 *
 * Records of a source, rendered in every format: what a client reads back by the
 * book is one event with the same text, whatever bytes it was made of.
 */
#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"
#include "wire/format.h"
#include "wire/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* The data of the one block that `s` is, as WHATWG HTML 9.2.6 says. */
static void read_block(struct str s, struct buf *out)
{
	int blocks = 0, lines = 0;
	size_t at = 0;
	while (at < s.len) {
		size_t end = at;
		while (end < s.len && s.data[end] != '\n' && s.data[end] != '\r')
			end++;
		check(end < s.len);
		struct str line = {s.data + at, end - at};
		at = end + 1;
		if (s.data[end] == '\r' && at < s.len && s.data[at] == '\n')
			at++;
		if (!line.len) {
			blocks++;
			continue;
		}
		check(!blocks);
		if (line.len >= 6 && memcmp(line.data, "data: ", 6) == 0) {
			if (lines++)
				buf_putc(out, '\n');
			buf_put(out, line.data + 6, line.len - 6);
		} else {
			check(memcmp(line.data, "id: ", 4) == 0 ||
			      memcmp(line.data, "event: ", 7) == 0);
		}
	}
	check(blocks == 1);
}

/* Line ends of every kind are one. */
static void put_plain_ends(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '\r' && i + 1 < s.len && s.data[i + 1] == '\n')
			continue;
		buf_putc(out, s.data[i] == '\r' ? '\n' : s.data[i]);
	}
}

static void render(const struct event *ev)
{
	struct buf out = {0}, read = {0}, want = {0};
	format_event(&out, FORMAT_SSE_MESSAGE, STR("e"), STR("c"), ev, true);
	read_block(buf_str(&out), &read);
	put_plain_ends(&want, ev->message);
	check((ev->flags & EVENT_GAP) || str_eq(buf_str(&read), buf_str(&want)));
	out.len = read.len = 0;
	format_event(&out, FORMAT_SSE, STR("e"), STR("c"), ev, true);
	read_block(buf_str(&out), &read);
	check(json_check(buf_str(&read)));
	out.len = read.len = 0;
	format_event(&out, FORMAT_NDJSON, STR("e"), STR("c"), ev, true);
	check(out.data[out.len - 1] == '\n' && json_check((struct str){out.data, out.len - 1}));
	out.len = 0;
	format_event(&out, FORMAT_TEXT, STR("e"), STR("c"), ev, true);
	for (size_t i = 0; i < out.len; i++)
		check((unsigned char)out.data[i] >= 0x20 || strchr("\t\n", out.data[i]));
	out.len = read.len = 0;
	gzip_put_header(&read);
	gzip_put_stored(&read, ev->message);
	gzip_put_alone(&read, ev->message);
	buf_fini(&out);
	buf_fini(&read);
	buf_fini(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size};
	struct record rec;
	struct buf message = {0}, fields = {0};
	while (record_next(&rest, &rec) == 1) {
		if (rec.kind != RECORD_EVENT || rec.event.fields.len > 100000)
			continue;
		struct event ev = rec.event;
		fields.len = message.len = 0;
		if (fields_clean(rec.event.fields, &fields, &ev.fields))
			continue;
		utf8_put(&message, rec.event.message);
		ev.message = buf_str(&message);
		ev.type = STR("log");
		ev.source = STR("s");
		render(&ev);
	}
	buf_fini(&message);
	buf_fini(&fields);
	return 0;
}

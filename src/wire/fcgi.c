/* SPDX-License-Identifier: MIT */
#include "wire/fcgi.h"

#include <errno.h>
#include <stdio.h>

void fcgi_put_header(char out[FCGI_HEADER], enum fcgi_type type, uint16_t id, size_t content)
{
	const unsigned char h[FCGI_HEADER] = {
		1,
		(unsigned char)type,
		(unsigned char)(id >> 8),
		(unsigned char)id,
		(unsigned char)(content >> 8),
		(unsigned char)content,
	};
	memcpy(out, h, FCGI_HEADER);
}

void fcgi_put_stdout(struct buf *out, uint16_t id, struct str s)
{
	while (s.len) {
		size_t n = MIN(s.len, (size_t)FCGI_CONTENT_MAX);
		fcgi_put_header(buf_reserve(out, FCGI_HEADER), FCGI_TYPE_STDOUT, id, n);
		out->len += FCGI_HEADER;
		buf_put(out, s.data, n);
		s.data += n;
		s.len -= n;
	}
}

void fcgi_put_end(struct buf *out, uint16_t id)
{
	char *p = buf_reserve(out, 3 * FCGI_HEADER);
	fcgi_put_header(p, FCGI_TYPE_STDOUT, id, 0);
	fcgi_put_header(p + FCGI_HEADER, FCGI_TYPE_END, id, 8);
	memset(p + 2 * FCGI_HEADER, 0, 8);
	out->len += 3 * FCGI_HEADER;
}

void fcgi_frame_stdout(struct buf *out, size_t begun, uint16_t id)
{
	size_t content = out->len - begun - FCGI_HEADER;
	size_t records = content ? (content + FCGI_CONTENT_MAX - 1) / FCGI_CONTENT_MAX : 1;
	/* Room for the further headers is made from the end backwards, so that
	 * each byte moves once.
	 */
	buf_reserve(out, (records - 1) * FCGI_HEADER);
	char *base = out->data + begun;
	for (size_t i = records; i-- > 0;) {
		size_t from = FCGI_HEADER + i * FCGI_CONTENT_MAX;
		size_t n = MIN(content - i * FCGI_CONTENT_MAX, (size_t)FCGI_CONTENT_MAX);
		char *to = base + i * (FCGI_HEADER + FCGI_CONTENT_MAX);
		if (i)
			memmove(to + FCGI_HEADER, base + from, n);
		fcgi_put_header(to, FCGI_TYPE_STDOUT, id, n);
	}
	out->len += (records - 1) * FCGI_HEADER;
}

void fcgi_patch_id(char *p, size_t n, uint16_t id)
{
	size_t at = 0;
	while (at + FCGI_HEADER <= n) {
		unsigned char *h = (unsigned char *)p + at;
		h[2] = (unsigned char)(id >> 8);
		h[3] = (unsigned char)id;
		at += FCGI_HEADER + (size_t)h[4] * 256 + h[5] + h[6];
	}
}

/* One length of a name-value pair: 1 byte, or 4 with the high bit set. */
static int pair_length(const unsigned char **p, const unsigned char *end, size_t *ret)
{
	size_t left = (size_t)(end - *p);
	if (!left)
		return -1;
	if ((*p)[0] < 0x80) {
		*ret = *(*p)++;
		return 0;
	}
	if (left < 4)
		return -1;
	*ret = (size_t)((*p)[0] & 0x7f) << 24 | (size_t)(*p)[1] << 16 | (size_t)(*p)[2] << 8 |
	       (*p)[3];
	*p += 4;
	return 0;
}

/* Takes the next name-value pair from `s`: 1, 0 at the end, -1 when it is broken. */
static int next_pair(struct str *s, struct str *ret_name)
{
	if (!s->len)
		return 0;
	const unsigned char *p = (const unsigned char *)s->data, *end = p + s->len;
	size_t name, value;
	if (pair_length(&p, end, &name) || pair_length(&p, end, &value))
		return -1;
	size_t left = (size_t)(end - p);
	if (!name || name > left || value > left - name)
		return -1;
	*ret_name = (struct str){(const char *)p, name};
	*s = (struct str){(const char *)p + name + value, left - name - value};
	return 1;
}

static bool pairs_are_sound(struct str s)
{
	struct str name;
	int r;
	while ((r = next_pair(&s, &name)) > 0)
		continue;
	return r == 0;
}

static void put_record(struct buf *out, enum fcgi_type type, uint16_t id, const void *p, size_t n)
{
	fcgi_put_header(buf_reserve(out, FCGI_HEADER), type, id, n);
	out->len += FCGI_HEADER;
	buf_put(out, p, n);
}

/* Answers GET_VALUES (FastCGI 1.0, 4.1): of what is asked, what there is to say. */
static int put_values(struct buf *out, struct str asked, unsigned max_requests)
{
	static const char *const known[] = {"FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"};
	bool is_asked[array_size(known)] = {false};
	struct str name;
	int r;
	while ((r = next_pair(&asked, &name)) > 0)
		for (size_t i = 0; i < array_size(known); i++)
			is_asked[i] |= str_is(name, known[i]);
	struct buf body = {0};
	for (size_t i = 0; i < array_size(known); i++) {
		char value[16];
		bool is_number = strcmp(known[i], "FCGI_MPXS_CONNS") != 0;
		if (!is_asked[i])
			continue;
		snprintf(value, sizeof(value), "%u", is_number ? max_requests : 0);
		buf_putc(&body, (char)strlen(known[i]));
		buf_putc(&body, (char)strlen(value));
		buf_puts(&body, known[i]);
		buf_puts(&body, value);
	}
	put_record(out, FCGI_TYPE_VALUES, 0, body.data, body.len);
	buf_fini(&body);
	return r;
}

static void put_unknown_type(struct buf *out, unsigned type)
{
	const char body[8] = {(char)type};
	put_record(out, FCGI_TYPE_UNKNOWN, 0, body, sizeof(body));
}

static bool is_management(unsigned type, unsigned id)
{
	return id == 0 && type >= FCGI_TYPE_GET_VALUES;
}

int fcgi_take_management(struct buf *in, unsigned max_requests, struct buf *answer)
{
	for (size_t at = 0; in->len - at >= FCGI_HEADER;) {
		const unsigned char *h = (const unsigned char *)in->data + at;
		size_t content = (size_t)h[4] << 8 | h[5], whole = FCGI_HEADER + content + h[6];
		if (h[0] != 1 || whole > in->len - at)
			return 0;
		if (!is_management(h[1], (unsigned)h[2] << 8 | h[3])) {
			at += whole;
			continue;
		}
		struct str body = {in->data + at + FCGI_HEADER, content};
		if (h[1] != FCGI_TYPE_GET_VALUES && h[1] != FCGI_TYPE_UNKNOWN)
			put_unknown_type(answer, h[1]);
		else if (h[1] == FCGI_TYPE_GET_VALUES && put_values(answer, body, max_requests))
			return -EBADMSG;
		in->len -= whole;
		memmove(in->data + at, in->data + at + whole, in->len - at);
	}
	return 0;
}

enum fcgi_head fcgi_check_head(struct str s, struct fcgi_request *ret)
{
	enum { BEGIN, PARAMS, STDIN } expect = BEGIN;
	enum fcgi_head is = FCGI_HEAD_INCOMPLETE;
	*ret = (struct fcgi_request){0};
	while (is == FCGI_HEAD_INCOMPLETE && !ret->why) {
		const unsigned char *h = (const unsigned char *)s.data + ret->len;
		size_t left = s.len - ret->len;
		if (left >= 1 && h[0] != 1)
			ret->why = "not FastCGI version 1";
		if (ret->why || left < FCGI_HEADER)
			break;
		unsigned type = h[1], id = (unsigned)h[2] << 8 | h[3];
		size_t content = (size_t)h[4] << 8 | h[5], whole = FCGI_HEADER + content + h[6];
		if (ret->len + whole > FCGI_HEAD_MAX) {
			ret->why = "the head is larger than 64 KiB";
			ret->is_too_long = true;
			break;
		}
		if (is_management(type, id))
			break; /* its rest is still to come */
		if (id == 0 || (expect != BEGIN && id != ret->id)) {
			ret->why = "another request id than its own";
			break;
		}
		if (type != (expect == BEGIN    ? FCGI_TYPE_BEGIN
			     : expect == PARAMS ? FCGI_TYPE_PARAMS
						: FCGI_TYPE_STDIN)) {
			ret->why = "a record out of its order";
			break;
		}
		if (left < whole)
			break;
		ret->len += whole;
		switch (expect) {
		case BEGIN:
			ret->id = (uint16_t)id;
			if (content != 8 || h[8] != 0 || h[9] != 1)
				ret->why = "not a request of the responder role";
			expect = PARAMS;
			break;
		case PARAMS:
			buf_put(&ret->params, h + FCGI_HEADER, content);
			if (content)
				break;
			if (!pairs_are_sound(buf_str(&ret->params)))
				ret->why = "parameters that do not lie inside their stream";
			ret->has_params = !ret->why;
			expect = STDIN;
			break;
		case STDIN:
			buf_put(&ret->body, h + FCGI_HEADER, content);
			if (!content)
				is = FCGI_HEAD_WHOLE;
			break;
		}
	}
	return ret->why ? FCGI_HEAD_BAD : is;
}

void fcgi_put_request(struct buf *out, const struct fcgi_request *r)
{
	put_record(out, FCGI_TYPE_BEGIN, r->id, "\0\1\0\0\0\0\0", 8);
	for (size_t at = 0; at < r->params.len;) {
		size_t n = MIN(r->params.len - at, (size_t)FCGI_CONTENT_MAX);
		put_record(out, FCGI_TYPE_PARAMS, r->id, r->params.data + at, n);
		at += n;
	}
	put_record(out, FCGI_TYPE_PARAMS, r->id, NULL, 0);
	put_record(out, FCGI_TYPE_STDIN, r->id, NULL, 0);
}

/* SPDX-License-Identifier: MIT */
#include "wire/fcgi.h"

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

static bool pairs_are_sound(struct str s)
{
	if (!s.len)
		return true;
	const unsigned char *p = (const unsigned char *)s.data, *end = p + s.len;
	while (p < end) {
		size_t name, value;
		if (pair_length(&p, end, &name) || pair_length(&p, end, &value))
			return false;
		size_t left = (size_t)(end - p);
		if (!name || name > left || value > left - name)
			return false;
		p += name + value;
	}
	return true;
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

static void put_record(struct buf *out, enum fcgi_type type, uint16_t id, const void *p, size_t n)
{
	fcgi_put_header(buf_reserve(out, FCGI_HEADER), type, id, n);
	out->len += FCGI_HEADER;
	buf_put(out, p, n);
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

/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* What a byte needs: 0 nothing, 'u' a \u00XX, else the letter after a backslash. */
static const char escape[256] = {
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b',         't',           'n',          'u',
	'f', 'r', 'u', 'u', 'u', 'u', 'u', 'u', 'u',         'u',           'u',          'u',
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', ['"'] = '"', ['\\'] = '\\', [0x7f] = 'u',
};

void json_put_string(struct buf *out, struct str s)
{
	static const char hex[] = "0123456789abcdef";
	/* Worst case six bytes for one; short strings are reserved once. */
	buf_putc(out, '"');
	size_t from = 0;
	if (!s.len) {
		buf_putc(out, '"');
		return;
	}
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		char e = escape[c];
		if (!e)
			continue;
		buf_put(out, s.data + from, i - from);
		from = i + 1;
		char esc[6] = {'\\', e, '0', '0', hex[c >> 4], hex[c & 15]};
		buf_put(out, esc, e == 'u' ? 6 : 2);
	}
	buf_put(out, s.data + from, s.len - from);
	buf_putc(out, '"');
}

static void before(struct json *j, const char *key)
{
	if (j->comma)
		buf_putc(j->out, ',');
	j->comma = true;
	if (key) {
		json_put_string(j->out, str_of(key));
		buf_putc(j->out, ':');
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	before(j, key);
	buf_putc(j->out, bracket);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	buf_putc(j->out, bracket);
	j->comma = true;
}

void json_str(struct json *j, const char *key, struct str value)
{
	before(j, key);
	json_put_string(j->out, value);
}

void json_cstr(struct json *j, const char *key, const char *value)
{
	if (value)
		json_str(j, key, str_of(value));
	else
		json_null(j, key);
}

void json_int(struct json *j, const char *key, int64_t value)
{
	before(j, key);
	buf_printf(j->out, "%" PRId64, value);
}

void json_double(struct json *j, const char *key, double value)
{
	if (!isfinite(value)) {
		json_null(j, key);
		return;
	}
	before(j, key);
	char text[40];
	snprintf(text, sizeof(text), "%.15g", value);
	double back = 0;
	if (sscanf(text, "%lf", &back) != 1 || back < value || back > value)
		snprintf(text, sizeof(text), "%.17g", value);
	buf_puts(j->out, text);
}

void json_bool(struct json *j, const char *key, bool value)
{
	before(j, key);
	buf_puts(j->out, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	before(j, key);
	buf_puts(j->out, "null");
}

void json_raw(struct json *j, const char *key, struct str value)
{
	before(j, key);
	buf_put_str(j->out, value);
}

/* ---- checking ---------------------------------------------------------------------- */

enum { DEPTH_MAX = 64 };

struct scan {
	const char *p, *end;
};

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
		s->p++;
}

static bool take(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool take_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool take_string(struct scan *s)
{
	if (!take(s, '"'))
		return false;
	while (s->p < s->end) {
		char c = *s->p++;
		if (c == '"')
			return true;
		if ((unsigned char)c < 0x20)
			return false;
		if (c != '\\')
			continue;
		if (s->p == s->end)
			return false;
		c = *s->p++;
		if (c == 'u') {
			for (int i = 0; i < 4; i++)
				if (s->p == s->end || !is_hex(*s->p++))
					return false;
		} else if (!strchr("\"\\/bfnrt", c) || !c) {
			return false;
		}
	}
	return false;
}

static bool take_digits(struct scan *s)
{
	const char *from = s->p;
	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from;
}

static bool take_number(struct scan *s)
{
	take(s, '-');
	if (!take(s, '0') && !take_digits(s))
		return false;
	if (take(s, '.') && !take_digits(s))
		return false;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+'))
			take(s, '-');
		return take_digits(s);
	}
	return true;
}

static bool take_scalar(struct scan *s)
{
	if (s->p == s->end)
		return false;
	switch (*s->p) {
	case '"': return take_string(s);
	case 't': return take_word(s, "true");
	case 'f': return take_word(s, "false");
	case 'n': return take_word(s, "null");
	default: return take_number(s);
	}
}

/* Without recursion: a stack of the brackets that are open. */
bool json_check(struct str text)
{
	if (!text.len)
		return false;
	struct scan s = {text.data, text.data + text.len};
	char open[DEPTH_MAX];
	int depth = 0;
	for (;;) {
		/* A value. */
		bool empty = false;
		skip_space(&s);
		if (s.p < s.end && (*s.p == '{' || *s.p == '[')) {
			if (depth == DEPTH_MAX)
				return false;
			open[depth++] = *s.p++ == '{' ? '}' : ']';
			skip_space(&s);
			empty = take(&s, open[depth - 1]);
			if (empty)
				depth--;
		} else if (!take_scalar(&s)) {
			return false;
		} else {
			empty = true;
		}
		/* What follows a value that is over. */
		while (empty && depth) {
			skip_space(&s);
			if (take(&s, ','))
				break;
			if (!take(&s, open[depth - 1]))
				return false;
			depth--;
		}
		skip_space(&s);
		if (!depth)
			return s.p == s.end;
		/* The name of what comes next. */
		if (open[depth - 1] == '}') {
			if (!take_string(&s))
				return false;
			skip_space(&s);
			if (!take(&s, ':'))
				return false;
		}
	}
}

/* ---- looking into a checked text ------------------------------------------------------- */

/* Passes over one value; the text is sound, so strings and brackets decide. */
static struct str take_value(struct scan *s)
{
	skip_space(s);
	const char *from = s->p;
	int depth = 0;
	while (s->p < s->end) {
		char c = *s->p;
		if (c == '"') {
			if (!take_string(s))
				break;
			if (!depth)
				break;
			continue;
		}
		if (!depth && (c == ',' || c == ']' || c == '}'))
			break;
		s->p++;
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		if (!depth && (c == '}' || c == ']'))
			break;
	}
	const char *to = s->p;
	while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	return (struct str){from, (size_t)(to - from)};
}

static bool key_is(struct str quoted, struct str key)
{
	if (!memchr(quoted.data, '\\', quoted.len))
		return str_eq((struct str){quoted.data + 1, quoted.len - 2}, key);
	struct buf plain = {0};
	json_put_unquoted(&plain, quoted);
	bool is = str_eq(buf_str(&plain), key);
	buf_fini(&plain);
	return is;
}

bool json_next_element(struct str *at, struct str *value)
{
	struct scan s = {at->data, at->data + at->len};
	skip_space(&s);
	if (!take(&s, '[') && !take(&s, ','))
		return false;
	skip_space(&s);
	if (take(&s, ']'))
		return false;
	*value = take_value(&s);
	*at = (struct str){s.p, (size_t)(s.end - s.p)};
	return value->len > 0;
}

/* Nothing is left of what is no array. */
static void skip_to_array(struct str *text)
{
	struct scan s = {text->data, text->data + text->len};
	skip_space(&s);
	if (s.p == s.end || *s.p != '[')
		text->len = 0;
}

static bool element(struct str text, size_t i, struct str *value)
{
	skip_to_array(&text);
	do
		if (!text.len || !json_next_element(&text, value))
			return false;
	while (i--);
	return true;
}

static bool is_index(struct str key, size_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < key.len; i++) {
		if (key.data[i] < '0' || key.data[i] > '9' || i > 8)
			return false;
		*ret = *ret * 10 + (size_t)(key.data[i] - '0');
	}
	return key.len > 0;
}

bool json_member(struct str text, struct str key, struct str *value)
{
	size_t i;
	if (is_index(key, &i) && element(text, i, value))
		return true;
	struct scan s = {text.data, text.data + text.len};
	skip_space(&s);
	if (!take(&s, '{'))
		return false;
	do {
		skip_space(&s);
		const char *from = s.p;
		if (!take_string(&s))
			return false;
		bool is = key_is((struct str){from, (size_t)(s.p - from)}, key);
		skip_space(&s);
		if (!take(&s, ':'))
			return false;
		*value = take_value(&s);
		if (is)
			return value->len > 0;
		skip_space(&s);
	} while (take(&s, ','));
	return false;
}

static unsigned hex4(const char *p)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++)
		v = v << 4 | (unsigned)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	return v;
}

static void put_code_point(struct buf *out, unsigned c)
{
	if (c < 0x80) {
		buf_putc(out, (char)c);
		return;
	}
	int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	buf_putc(out, (char)((0xff00u >> (more + 1)) | (c >> (6 * more))));
	while (more--)
		buf_putc(out, (char)(0x80 | ((c >> (6 * more)) & 0x3f)));
}

void json_put_unquoted(struct buf *out, struct str quoted)
{
	const char *p = quoted.data + 1, *end = quoted.data + quoted.len - 1;
	while (p < end) {
		const char *backslash = memchr(p, '\\', (size_t)(end - p));
		const char *to = backslash ? backslash : end;
		buf_put(out, p, (size_t)(to - p));
		p = to;
		if (p == end)
			return;
		char c = p[1];
		p += 2;
		static const char letters[] = "bfnrt", stands_for[] = "\b\f\n\r\t";
		const char *letter = strchr(letters, c);
		if (c != 'u') {
			buf_putc(out, letter ? stands_for[letter - letters] : c);
			continue;
		}
		unsigned u = hex4(p);
		p += 4;
		bool pair = u >= 0xd800 && u < 0xdc00 && end - p >= 6 && p[0] == '\\' &&
			    p[1] == 'u' && hex4(p + 2) >= 0xdc00 && hex4(p + 2) < 0xe000;
		if (pair) {
			u = 0x10000 + ((u - 0xd800) << 10) + (hex4(p + 2) - 0xdc00);
			p += 6;
		}
		put_code_point(out, u >= 0xd800 && u < 0xe000 ? 0xfffd : u);
	}
}

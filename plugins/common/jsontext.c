/* SPDX-License-Identifier: MIT */
#include "common/jsontext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- pieces ------------------------------------------------------------------------ */

static void skip_space(struct jsontext *t)
{
	while (t->p < t->end && (*t->p == ' ' || (*t->p >= '\t' && *t->p <= '\r')))
		t->p++;
}

char jsontext_peek(struct jsontext *t)
{
	skip_space(t);
	return t->p < t->end ? *t->p : 0;
}

bool jsontext_take(struct jsontext *t, char c)
{
	if (jsontext_peek(t) != c || t->p == t->end)
		return false;
	t->p++;
	skip_space(t);
	return true;
}

/* The quote that ends the string whose text begins at p, or NULL. */
static const char *end_of_string(const char *p, const char *end)
{
	const char *quote = memchr(p, '"', (size_t)(end - p));
	if (!quote || !memchr(p, '\\', (size_t)(quote - p)))
		return quote;
	for (; p < end && *p != '"'; p++)
		p += *p == '\\';
	return p < end ? p : NULL;
}

bool jsontext_string(struct jsontext *t, const char **text, size_t *len)
{
	if (jsontext_peek(t) != '"')
		return false;
	const char *quote = end_of_string(t->p + 1, t->end);
	if (!quote)
		return false;
	*text = t->p + 1;
	*len = (size_t)(quote - *text);
	t->p = quote + 1;
	return true;
}

/* ---- values ------------------------------------------------------------------------ */

/* The grammar of numbers; *is_real when it is no integer. */
static bool is_number(const char *p, const char *end, bool *is_real)
{
	*is_real = false;
	p += p < end && *p == '-';
	const char *digits = p;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	if (p == digits || (*digits == '0' && p - digits > 1))
		return false;
	if (p < end && *p == '.') {
		const char *dot = p++;
		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p - dot < 2)
			return false;
		*is_real = true;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		const char *exponent = p;
		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p == exponent)
			return false;
		*is_real = true;
	}
	return p == end;
}

static bool get_integer(const char *p, const char *end, int64_t *ret)
{
	bool is_negative = *p == '-';
	uint64_t v = 0, limit = (uint64_t)INT64_MAX + is_negative;
	for (p += is_negative; p < end; p++) {
		unsigned digit = (unsigned)(*p - '0');
		if (v > (limit - digit) / 10)
			return false;
		v = 10 * v + digit;
	}
	*ret = is_negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

/* False when it is too large, or so small that it becomes 0. */
static bool get_real(const char *p, size_t n, double *ret)
{
	char usual[64], *text = n < sizeof(usual) ? usual : malloc(n + 1);
	if (!text)
		return false;
	memcpy(text, p, n);
	text[n] = 0;
	errno = 0;
	*ret = strtod(text, NULL);
	if (text != usual)
		free(text);
	return errno != ERANGE || (*ret != 0 && *ret < 1 && *ret > -1);
}

static void read_number(struct jsontext_value *v)
{
	bool is_real;
	if (!is_number(v->text, v->text + v->len, &is_real)) {
		v->problem = "not a JSON value";
	} else if (is_real) {
		v->kind = JSONTEXT_REAL;
		if (!get_real(v->text, v->len, &v->real))
			v->problem = "number out of range";
	} else {
		v->kind = JSONTEXT_INT;
		if (!get_integer(v->text, v->text + v->len, &v->integer))
			v->problem = "number beyond 64 bits";
	}
	if (v->problem)
		v->kind = JSONTEXT_BAD;
}

static bool is_word(const struct jsontext_value *v, const char *word)
{
	return v->len == strlen(word) && memcmp(v->text, word, v->len) == 0;
}

static bool stops_bare(char c)
{
	return c == ',' || c == '}' || c == ']' || c == '"' || c == ':' || c == '{' || c == '[';
}

/* Up to what ends a value. */
static bool read_bare(struct jsontext *t, struct jsontext_value *v)
{
	v->text = t->p;
	while (t->p < t->end && !stops_bare(*t->p))
		t->p++;
	if (t->p == t->end || (*t->p != ',' && *t->p != '}' && *t->p != ']'))
		return false;
	const char *end = t->p;
	while (end > v->text && (end[-1] == ' ' || (end[-1] >= '\t' && end[-1] <= '\r')))
		end--;
	v->len = (size_t)(end - v->text);
	v->kind = JSONTEXT_BAD;
	if (is_word(v, "true"))
		v->kind = JSONTEXT_TRUE;
	else if (is_word(v, "false"))
		v->kind = JSONTEXT_FALSE;
	else if (is_word(v, "null"))
		v->kind = JSONTEXT_NULL;
	else
		read_number(v);
	return true;
}

static bool read_nested(struct jsontext *t, struct jsontext_value *v)
{
	size_t depth = 0;
	v->kind = JSONTEXT_NESTED;
	v->text = t->p;
	while (t->p < t->end) {
		char c = *t->p++;
		if (c == '"') {
			t->p = end_of_string(t->p, t->end);
			if (!t->p++) {
				t->p = t->end;
				return false;
			}
		} else if (c == '{' || c == '[') {
			depth++;
			v->depth = depth > v->depth ? depth : v->depth;
		} else if ((c == '}' || c == ']') && !--depth) {
			v->len = (size_t)(t->p - v->text);
			return true;
		}
	}
	return false;
}

bool jsontext_value(struct jsontext *t, struct jsontext_value *ret)
{
	*ret = (struct jsontext_value){.kind = JSONTEXT_STRING};
	char c = jsontext_peek(t);
	if (c == '"')
		return jsontext_string(t, &ret->text, &ret->len);
	return c == '{' || c == '[' ? read_nested(t, ret) : read_bare(t, ret);
}

/* ---- escapes ----------------------------------------------------------------------- */

static bool get_hex4(const char *p, const char *end, unsigned *ret)
{
	*ret = 0;
	for (int i = 0; i < 4; i++, p++) {
		if (p >= end)
			return false;
		char c = *p, lower = (char)(c | 0x20);
		if (c >= '0' && c <= '9')
			*ret = *ret << 4 | (unsigned)(c - '0');
		else if (lower >= 'a' && lower <= 'f')
			*ret = *ret << 4 | (unsigned)(lower - 'a' + 10);
		else
			return false;
	}
	return true;
}

static size_t put_character(char *out, unsigned c)
{
	if (c < 0x80) {
		*out = (char)c;
		return 1;
	}
	unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	*out = (char)((0xff00u >> (more + 1)) | (c >> (6 * more)));
	for (unsigned i = more; i--;)
		*++out = (char)(0x80 | ((c >> (6 * i)) & 0x3f));
	return more + 1;
}

/* \uXXXX at p, or two of them that are one character: how many bytes it takes, or 0. */
static size_t get_unicode(const char *p, const char *end, unsigned *c)
{
	unsigned low;
	if (!get_hex4(p + 2, end, c) || (*c >= 0xdc00 && *c < 0xe000))
		return 0;
	if (*c < 0xd800 || *c >= 0xe000)
		return 6;
	if (end - p < 12 || p[6] != '\\' || p[7] != 'u' || !get_hex4(p + 8, end, &low) ||
	    low < 0xdc00 || low >= 0xe000)
		return 0;
	*c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
	return 12;
}

/* \x1b, \U0001f600 and the like, as Go and Python quote: what it takes, or 0. */
static size_t get_other(const char *p, const char *end, unsigned *c)
{
	unsigned high;
	if (p[1] == 'x' && end - p >= 4) {
		char digits[4] = {'0', '0', p[2], p[3]};
		return get_hex4(digits, digits + 4, c) ? 4 : 0;
	}
	if (p[1] == 'U' && end - p >= 10 && get_hex4(p + 2, end, &high) &&
	    get_hex4(p + 6, end, c) && high <= 0x10) {
		*c |= high << 16;
		return *c < 0xd800 || *c >= 0xe000 ? 10 : 0;
	}
	const char *letters = "av'", *letter = strchr(letters, p[1]);
	*c = letter && *letter ? (unsigned)"\a\v'"[letter - letters] : 0;
	return *c ? 2 : 0;
}

size_t jsontext_unescape(const char *p, size_t n, enum jsontext_escapes which, char *out,
			 bool *is_bad)
{
	static const char letters[] = "\"\\/bfnrt", stands_for[] = "\"\\/\b\f\n\r\t";
	const char *end = p + n, *backslash;
	char *to = out;
	while ((backslash = memchr(p, '\\', (size_t)(end - p))) && end - backslash >= 2) {
		memcpy(to, p, (size_t)(backslash - p));
		to += backslash - p;
		p = backslash;
		const char *letter = p[1] ? strchr(letters, p[1]) : NULL;
		unsigned c = letter ? (unsigned char)stands_for[letter - letters] : 0;
		size_t taken = letter ? 2 : p[1] == 'u' ? get_unicode(p, end, &c) : 0;
		if (!taken && which == JSONTEXT_ANY)
			taken = get_other(p, end, &c);
		/* A byte, not a character: of a text that was cut into bytes. */
		if (taken == 4)
			*to++ = (char)c;
		else if (taken)
			to += put_character(to, c);
		if (!taken) {
			*is_bad = true;
			*to++ = *p;
			taken = 1;
		}
		p += taken;
	}
	memcpy(to, p, (size_t)(end - p));
	return (size_t)(to - out) + (size_t)(end - p);
}

/* ---- tidying ------------------------------------------------------------------------ */

struct tidy {
	struct jsontext in;
	char *out;
	bool is_bad;
};

/* A string in quotes; what may not stand in one is escaped. */
static void put_string(struct tidy *t, const char *p, size_t n)
{
	const char *end = p + n;
	*t->out++ = '"';
	for (; p < end; p++) {
		unsigned c = 0;
		unsigned char byte = (unsigned char)*p;
		if (byte == '\\' && p + 1 < end &&
		    ((p[1] && strchr("\"\\/bfnrt", p[1])) ||
		     (p[1] == 'u' && get_hex4(p + 2, end, &c)))) {
			*t->out++ = *p++;
			*t->out++ = *p;
		} else if (byte == '\\') {
			t->is_bad = true;
			*t->out++ = '\\';
			*t->out++ = '\\';
		} else if (byte < 0x20) {
			memcpy(t->out, "\\u00", 4);
			t->out[4] = (char)('0' + (byte >> 4));
			t->out[5] = "0123456789abcdef"[byte & 15];
			t->out += 6;
		} else {
			*t->out++ = *p;
		}
	}
	*t->out++ = '"';
}

static bool tidy_value(struct tidy *t, size_t depth);

static bool tidy_member(struct tidy *t, char bracket, size_t depth)
{
	const char *key;
	size_t len;
	if (bracket == '{') {
		if (!jsontext_string(&t->in, &key, &len) || !jsontext_take(&t->in, ':'))
			return false;
		put_string(t, key, len);
		*t->out++ = ':';
	}
	return tidy_value(t, depth);
}

static bool tidy_nested(struct tidy *t, char bracket, size_t depth)
{
	char close = bracket == '{' ? '}' : ']';
	*t->out++ = bracket;
	bool any = false;
	while (!jsontext_take(&t->in, close)) {
		if (any && !jsontext_take(&t->in, ','))
			return false;
		/* [1,] has one element. */
		if (any && jsontext_take(&t->in, close)) {
			t->is_bad = true;
			break;
		}
		if (any)
			*t->out++ = ',';
		if (!tidy_member(t, bracket, depth))
			return false;
		any = true;
	}
	*t->out++ = close;
	return true;
}

static bool tidy_value(struct tidy *t, size_t depth)
{
	struct jsontext_value v;
	char c = jsontext_peek(&t->in);
	if (c == '{' || c == '[') {
		t->in.p++;
		return depth && tidy_nested(t, c, depth - 1);
	}
	if (!jsontext_value(&t->in, &v))
		return false;
	if (v.kind == JSONTEXT_STRING || v.kind == JSONTEXT_BAD) {
		t->is_bad |= v.kind == JSONTEXT_BAD;
		put_string(t, v.text, v.len);
	} else {
		memcpy(t->out, v.text, v.len);
		t->out += v.len;
	}
	return true;
}

size_t jsontext_tidy(const char *p, size_t n, char *out, bool *is_bad)
{
	struct tidy t = {.in = {p, p + n}, .out = out};
	if (!tidy_value(&t, JSONTEXT_DEPTH_MAX) || jsontext_peek(&t.in) || t.in.p < t.in.end)
		return 0;
	*is_bad |= t.is_bad;
	return (size_t)(t.out - out);
}

/* SPDX-License-Identifier: MIT */
#include "common/logfmt.h"

#include <string.h>

#include "common/jsontext.h"

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

/* Behind an opening quote: the text up to the closing one, without its backslashes.  False
 * when there is none.
 */
static bool take_quoted(const char **p, const char *end, char quote, struct fields *memory,
			const char **text, size_t *len)
{
	const char *q = *p;
	bool has_escapes = false, ignored;
	for (; q < end && *q != quote; q++) {
		has_escapes |= *q == '\\';
		q += *q == '\\' && end - q > 1;
	}
	*text = *p;
	*len = (size_t)(q - *p);
	*p = q < end ? q + 1 : end;
	char *out = has_escapes ? fields_alloc(memory, *len) : NULL;
	if (out) {
		*len = jsontext_unescape(*text, *len, JSONTEXT_ANY, out, &ignored);
		*text = out;
	}
	return q < end;
}

/* Whether what begins here with a ' is a text in such quotes, and not an apostrophe. */
static bool is_in_single_quotes(const char *p, const char *end)
{
	const char *q = memchr(p + 1, '\'', (size_t)(end - p - 1));
	return q && (q + 1 == end || is_blank(q[1]));
}

static void take_key(const char **p, const char *end, struct fields *memory,
		     struct logfmt_pair *ret)
{
	if (**p == '"') {
		++*p;
		ret->is_open = !take_quoted(p, end, '"', memory, &ret->key, &ret->key_len);
		return;
	}
	const char *q = *p;
	while (q < end && !is_blank(*q) && *q != '=' && *q != '"')
		q++;
	ret->key = *p;
	ret->key_len = (size_t)(q - *p);
	*p = q;
}

static void take_value(const char **p, const char *end, struct fields *memory,
		       struct logfmt_pair *ret)
{
	if (*p < end && (**p == '"' || (**p == '\'' && is_in_single_quotes(*p, end)))) {
		char quote = *(*p)++;
		ret->is_open = !take_quoted(p, end, quote, memory, &ret->value, &ret->value_len);
		return;
	}
	const char *q = *p;
	while (q < end && !is_blank(*q))
		q++;
	ret->value = *p;
	ret->value_len = (size_t)(q - *p);
	*p = q;
}

bool logfmt_next(const char **p, const char *end, struct fields *memory, struct logfmt_pair *ret)
{
	*ret = (struct logfmt_pair){0};
	*p = skip_blanks(*p, end);
	if (*p == end)
		return false;
	take_key(p, end, memory, ret);
	/* With a blank before the "=" there may be one behind it; "a= b" is an empty one. */
	const char *equals = skip_blanks(*p, end);
	if (equals == end || *equals != '=')
		return true;
	ret->has_value = true;
	*p = equals > *p ? skip_blanks(equals + 1, end) : equals + 1;
	take_value(p, end, memory, ret);
	return true;
}

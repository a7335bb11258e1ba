/* SPDX-License-Identifier: MIT */
#include "filter/value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

struct value value_of_number(struct str s)
{
	struct value none = {0};
	char text[64], *end;
	if (!s.len || s.len >= sizeof(text))
		return none;
	for (size_t i = 0; i < s.len; i++)
		if (!strchr("0123456789+-.eE", s.data[i]) || !s.data[i])
			return none;
	memcpy(text, s.data, s.len);
	text[s.len] = 0;
	errno = 0;
	long long i = strtoll(text, &end, 10);
	if (!*end && !errno)
		return (struct value){.type = VALUE_INT, .integer = i};
	double d = strtod(text, &end);
	if (*end || !isfinite(d)) /* infinity is no number that could be written down again */
		return none;
	return (struct value){.type = VALUE_DOUBLE, .number = d};
}

/* White space may stand around JSON. */
static struct str trimmed(struct str s)
{
	while (s.len && strchr(" \t\r\n", s.data[0]) && s.data[0])
		s = (struct str){s.data + 1, s.len - 1};
	while (s.len && strchr(" \t\r\n", s.data[s.len - 1]) && s.data[s.len - 1])
		s.len--;
	return s;
}

struct value value_of_json(struct str json, struct buf *scratch)
{
	json = trimmed(json);
	if (!json.len)
		return (struct value){0};
	switch (json.data[0]) {
	case '{':
	case '[': return (struct value){.type = VALUE_JSON, .string = json};
	case 't': return (struct value){.type = VALUE_BOOL, .integer = 1};
	case 'f': return (struct value){.type = VALUE_BOOL};
	case 'n': return (struct value){.type = VALUE_NULL};
	case '"': break;
	default: return value_of_number(json);
	}
	struct str plain = {json.data + 1, json.len - 2};
	if (memchr(plain.data, '\\', plain.len)) {
		scratch->len = 0;
		json_put_unquoted(scratch, json);
		plain = buf_str(scratch);
	}
	return (struct value){.type = VALUE_STRING, .string = plain};
}

struct value value_of_field(const struct field *f, struct buf *scratch)
{
	switch (f->type) {
	case FIELD_STRING: return (struct value){.type = VALUE_STRING, .string = f->string};
	case FIELD_INT: return (struct value){.type = VALUE_INT, .integer = f->integer};
	case FIELD_DOUBLE: return (struct value){.type = VALUE_DOUBLE, .number = f->number};
	case FIELD_BOOL: return (struct value){.type = VALUE_BOOL, .integer = f->integer};
	case FIELD_JSON: return value_of_json(f->string, scratch);
	case FIELD_NULL: break;
	}
	return (struct value){.type = VALUE_NULL};
}

static bool is_number(const struct value *v)
{
	return v->type == VALUE_INT || v->type == VALUE_DOUBLE;
}

static int order_of_doubles(double a, double b)
{
	return a < b ? -1 : a > b ? 1 : a >= b ? 0 : 2; /* 2: one is no number */
}

static int order_of_numbers(const struct value *a, const struct value *b)
{
	if (a->type == VALUE_INT && b->type == VALUE_INT)
		return a->integer < b->integer ? -1 : a->integer > b->integer;
	return order_of_doubles(a->type == VALUE_INT ? (double)a->integer : a->number,
				b->type == VALUE_INT ? (double)b->integer : b->number);
}

int value_order(const struct value *a, const struct value *b)
{
	if (is_number(a) && is_number(b))
		return order_of_numbers(a, b);
	if (is_number(a) && b->type == VALUE_STRING) {
		struct value n = value_of_number(b->string);
		return is_number(&n) ? order_of_numbers(a, &n) : 2;
	}
	if (a->type == VALUE_STRING && is_number(b)) {
		struct value n = value_of_number(a->string);
		return is_number(&n) ? order_of_numbers(&n, b) : 2;
	}
	if (a->type != VALUE_STRING || b->type != VALUE_STRING)
		return 2;
	size_t n = MIN(a->string.len, b->string.len);
	int c = n ? memcmp(a->string.data, b->string.data, n) : 0;
	if (c)
		return c < 0 ? -1 : 1;
	return a->string.len < b->string.len ? -1 : a->string.len > b->string.len;
}

bool value_equals(const struct value *a, const struct value *b)
{
	if (a->type == b->type && (a->type == VALUE_BOOL || a->type == VALUE_NULL))
		return a->integer == b->integer;
	return value_order(a, b) == 0;
}

struct str value_text(const struct value *v, char small[32])
{
	switch (v->type) {
	case VALUE_STRING: return v->string;
	case VALUE_INT: return (struct str){small, (size_t)sprintf(small, "%" PRId64, v->integer)};
	case VALUE_DOUBLE:
		return (struct str){small, (size_t)snprintf(small, 32, "%.15g", v->number)};
	case VALUE_BOOL: return str_of(v->integer ? "true" : "false");
	case VALUE_NONE:
	case VALUE_NULL:
	case VALUE_JSON: break;
	}
	return (struct str){NULL, 0};
}

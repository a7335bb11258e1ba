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

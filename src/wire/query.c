/* SPDX-License-Identifier: MIT */
#include "wire/query.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode(struct str s, struct buf *out)
{
	out->len = 0;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int hi = i + 2 < s.len ? hex_value(s.data[i + 1]) : -1;
			int lo = hi >= 0 ? hex_value(s.data[i + 2]) : -1;
			if (lo < 0)
				return -EINVAL;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (!c)
			return -EINVAL;
		buf_putc(out, c);
	}
	return 0;
}

int query_next(struct str *rest, struct buf *key, struct buf *value)
{
	while (rest->len && *rest->data == '&') {
		rest->data++;
		rest->len--;
	}
	if (!rest->len)
		return 0;
	const char *end = memchr(rest->data, '&', rest->len);
	struct str pair = {rest->data, end ? (size_t)(end - rest->data) : rest->len};
	rest->data += pair.len;
	rest->len -= pair.len;
	const char *eq = memchr(pair.data, '=', pair.len);
	size_t key_len = eq ? (size_t)(eq - pair.data) : pair.len;
	struct str raw_value = {eq ? eq + 1 : "", eq ? pair.len - key_len - 1 : 0};
	if (decode((struct str){pair.data, key_len}, key) || decode(raw_value, value))
		return -EINVAL;
	return 1;
}

/* ---- names that are not ours -------------------------------------------------------------- */

/* In small letters, without - and _; cut where it is longer than any that matters. */
static void plain_name(struct str key, char ret[32])
{
	size_t n = 0;
	for (size_t i = 0; i < key.len && n < 31; i++)
		if (key.data[i] != '-' && key.data[i] != '_')
			ret[n++] = (char)tolower((unsigned char)key.data[i]);
	ret[n] = 0;
}

bool query_is_last_event_id(struct str key)
{
	char name[32];
	plain_name(key, name);
	return strcmp(name, "lasteventid") == 0 || strcmp(name, "evslasteventid") == 0;
}

static bool has_prefix(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);
	return s.len >= n && memcmp(s.data, prefix, n) == 0;
}

bool query_is_ignored(struct str key)
{
	static const char *const prefixes[] = {"_", "evs_", "utm_", NULL};
	static const char *const parts[] = {"cache", "bust", "rand", "nonce", NULL};
	static const char *const names[] = {
		"cb", "dc", "r",         "rnd",     "t",      "ts",    "v",       "x",
		"z",  "zx", "timestamp", "padding", "fbclid", "gclid", "msclkid", NULL};
	char name[32];
	plain_name(key, name);
	for (size_t i = 0; prefixes[i]; i++)
		if (has_prefix(key, prefixes[i]))
			return true;
	for (size_t i = 0; parts[i]; i++)
		if (strstr(name, parts[i]))
			return true;
	for (size_t i = 0; names[i]; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

bool query_is_nonce(struct str value)
{
	enum { DIGITS_MIN = 6 };
	size_t digits = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (!isdigit((unsigned char)value.data[i]) && value.data[i] != '.')
			return false;
		digits += value.data[i] != '.';
	}
	return digits >= DIGITS_MIN;
}

void query_put(struct buf *out, const char *key, struct str value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-_.~";
	buf_printf(out, "%s%s=", out->len ? "&" : "", key);
	for (size_t i = 0; i < value.len; i++) {
		if (memchr(plain, value.data[i], sizeof(plain) - 1))
			buf_putc(out, value.data[i]);
		else
			buf_printf(out, "%%%02x", (unsigned char)value.data[i]);
	}
}

static struct str trim(struct str s)
{
	while (s.len && isspace((unsigned char)*s.data)) {
		s.data++;
		s.len--;
	}
	while (s.len && isspace((unsigned char)s.data[s.len - 1]))
		s.len--;
	return s;
}

static struct str until(struct str *rest, char c)
{
	const char *end = memchr(rest->data, c, rest->len);
	size_t n = end ? (size_t)(end - rest->data) : rest->len;
	struct str s = {rest->data, n};
	rest->data += n + (end != NULL);
	rest->len -= n + (end != NULL);
	return trim(s);
}

/* The weight among the parameters behind a media range, in thousandths. */
static int weight(struct str params)
{
	while (params.len) {
		struct str p = until(&params, ';');
		if (p.len >= 2 && (p.data[0] | 0x20) == 'q' && p.data[1] == '=') {
			char number[8] = {0};
			memcpy(number, p.data + 2, MIN(p.len - 2, sizeof(number) - 1));
			double q = strtod(number, NULL);
			return q > 0 ? (int)(MIN(q, 1.0) * 1000) : 0;
		}
	}
	return 1000;
}

int accept_quality(struct str accept, const char *type)
{
	const char *slash = strchr(type, '/');
	size_t main_len = (size_t)(slash - type);
	int best = -1; /* how specific the deciding range was */
	int quality = 0;
	accept = trim(accept);
	if (!accept.len)
		return 1000;
	while (accept.len) {
		struct str rest = until(&accept, ',');
		struct str range = until(&rest, ';');
		int specific;
		if (str_is(range, "*/*"))
			specific = 0;
		else if (range.len == main_len + 2 && range.data[range.len - 1] == '*' &&
			 strncasecmp(range.data, type, main_len + 1) == 0)
			specific = 1;
		else if (range.len == strlen(type) && strncasecmp(range.data, type, range.len) == 0)
			specific = 2;
		else
			continue;
		if (specific > best) {
			best = specific;
			quality = weight(rest);
		}
	}
	return quality;
}

bool accept_admits(struct str accept, const char *type)
{
	return accept_quality(accept, type) > 0;
}

bool accepts_coding(struct str accept_encoding, const char *name)
{
	while (accept_encoding.len) {
		struct str rest = until(&accept_encoding, ',');
		struct str coding = until(&rest, ';');
		if (coding.len == strlen(name) && strncasecmp(coding.data, name, coding.len) == 0)
			return weight(rest) > 0;
	}
	return false;
}

bool accepts_gzip(struct str accept_encoding)
{
	return accepts_coding(accept_encoding, "gzip");
}

/* SPDX-License-Identifier: MIT
 *
 * json - a writer of JSON (RFC 8259) into a buffer.
 *
 * Commas are its business: say what comes next, open and close in pairs.
 * Input must be valid UTF-8; the output holds no raw control character, so
 * one value is always one line.
 */
#ifndef SLUICE_BASE_JSON_H
#define SLUICE_BASE_JSON_H

#include "base/buf.h"

/* A quoted and escaped string. */
void json_put_string(struct buf *out, struct str s);

struct json {
	struct buf *out; /* borrowed */
	bool comma;      /* the next value needs a comma before it */
};

/* `key` is NULL inside an array. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_str(struct json *j, const char *key, struct str value);
void json_cstr(struct json *j, const char *key, const char *value);
void json_int(struct json *j, const char *key, int64_t value);
void json_double(struct json *j, const char *key, double value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

/* A value that is JSON already, of which json_check() has said so. */
void json_raw(struct json *j, const char *key, struct str value);

/* Whether `s` is one JSON text (RFC 8259) on one line, nested at most 64 deep.
 * That it is UTF-8 is for somebody else to check.
 */
bool json_check(struct str s) must_check;

/* What stands under `key` in an object, or at the index that it spells in an
 * array, of a text that json_check() has accepted; borrowed.  False when `s` is
 * no such thing or has none.
 */
bool json_member(struct str s, struct str key, struct str *value) must_check;

/* The next element of an array: *at is its text at first, then what is left of it. */
bool json_next_element(struct str *at, struct str *value) must_check;

/* Appends what a quoted string stands for, as UTF-8. */
void json_put_unquoted(struct buf *out, struct str quoted);

#endif

/* SPDX-License-Identifier: MIT
 *
 * jsontext - reading JSON (RFC 8259) piece by piece, where it stands.
 *
 * It is more tolerant than the RFC: what is no value, or one that cannot be represented, is
 * reported as the text that it is.
 */
#ifndef COMMON_JSONTEXT_H
#define COMMON_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jsontext {
	const char *p, *end;
};

enum jsontext_kind {
	JSONTEXT_STRING, /* text: between the quotes, escaped */
	JSONTEXT_INT,
	JSONTEXT_REAL,
	JSONTEXT_TRUE,
	JSONTEXT_FALSE,
	JSONTEXT_NULL,
	JSONTEXT_NESTED, /* text: of the whole object or array */
	JSONTEXT_BAD     /* text: what stands there instead */
};

struct jsontext_value {
	enum jsontext_kind kind;
	const char *text; /* borrowed */
	size_t len;
	int64_t integer;
	double real;
	size_t depth;        /* of a nested one */
	const char *problem; /* of a bad one: what it is; static */
};

/* Takes `c`, and white space around it. */
bool jsontext_take(struct jsontext *t, char c);
/* What comes next, without white space before it; 0 at the end. */
char jsontext_peek(struct jsontext *t);
/* A string: what stands between its quotes. */
bool jsontext_string(struct jsontext *t, const char **text, size_t *len);
/* A value, up to what follows it.  Of a nested one only the brackets are counted. */
bool jsontext_value(struct jsontext *t, struct jsontext_value *ret);

enum jsontext_escapes {
	JSONTEXT_STRICT, /* those of JSON */
	JSONTEXT_ANY     /* those of Go and Python too: \x1b, \U0001f600, \a, \v, \' */
};

/* What an escaped text stands for, written to `out`, which has room for `n` bytes; returns
 * its length.  *is_bad is set when an escape is none: it stays as it is.
 */
size_t jsontext_unescape(const char *p, size_t n, enum jsontext_escapes which, char *out,
			 bool *is_bad);

/* Writes a nested value as JSON that everybody reads, to `out`, which has room for 6 * n + 2
 * bytes; returns its length, or 0 when it is none.  *is_bad is set when a value in it is none:
 * it becomes a string.
 */
size_t jsontext_tidy(const char *p, size_t n, char *out, bool *is_bad);

/* The deepest nesting that jsontext_tidy() takes. */
enum { JSONTEXT_DEPTH_MAX = 60 };

#endif

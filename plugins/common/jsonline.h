/* SPDX-License-Identifier: MIT
 *
 * jsonline - a line that is a JSON object, as the parts of an event.
 *
 * The keys that logs use for message, time and level are taken out; the others
 * become fields, objects within it with dotted names, arrays as JSON.
 *
 * A value that is no JSON, or that no field can hold (NaN, 1e400, 18446744073709551615), does
 * not spoil the line: it is kept as the text that it is, and the field log.parse.problems says
 * so.  Nothing recurses further than it is allowed to, whatever the line holds.
 */
#ifndef COMMON_JSONLINE_H
#define COMMON_JSONLINE_H

#include <stdbool.h>

#include "common/fields.h"

/* What it points to is borrowed from the line, or lives as long as the fields. */
struct jsonline {
	const char *message; /* NULL: none */
	size_t message_len;
	const char *type;     /* of key "type", where it can name an event; NULL */
	int64_t time_ns;      /* 0: none */
	bool has_bad_time;    /* there is one that is not understood */
	const char *bad_time; /* its text; NULL: it is no text */
	size_t bad_time_len;
	int severity; /* or SLUICE_NO_SEVERITY */
	size_t n_problems;
};

/* Whether it is an object. */
bool jsonline_parse(const char *p, size_t n, struct jsonline *ret, struct fields *f);

/* The members of an object that stand somewhere in a line become fields "PREFIX.KEY", and
 * none of them is taken out.
 */
bool jsonline_put_object(const char *p, size_t n, const char *prefix, struct fields *f);

/* A level by its name, "warn", or by its number, 0 .. 7 or as bunyan and pino
 * count (10 trace .. 60 fatal).
 */
int jsonline_severity(const char *name, size_t n);

#endif

/* SPDX-License-Identifier: MIT
 *
 * jsonline - a line that is a JSON object, as the parts of an event.
 *
 * The keys that logs use for message, time and level are taken out; the others
 * become fields, objects within it with dotted names, arrays as JSON.
 */
#ifndef COMMON_JSONLINE_H
#define COMMON_JSONLINE_H

#include <stdbool.h>

#include "common/fields.h"

struct json_t;

struct jsonline {
	struct json_t *root; /* what the rest borrows */
	const char *message; /* NULL: none */
	size_t message_len;
	const char *type;     /* of key "type", where it can name an event; NULL */
	int64_t time_ns;      /* 0: none */
	bool has_bad_time;    /* there is one that is not understood */
	const char *bad_time; /* its text; NULL: it is no text */
	size_t bad_time_len;
	int severity; /* or SLUICE_NO_SEVERITY */
};

/* Whether it is an object; then `ret` is to be freed, after its use. */
bool jsonline_parse(const char *p, size_t n, struct jsonline *ret, struct fields *f);
void jsonline_free(struct jsonline *j);

/* A level by its name, "warn", or by its number, 0 .. 7 or as bunyan and pino
 * count (10 trace .. 60 fatal).
 */
int jsonline_severity(const char *name, size_t n);

#endif

/* SPDX-License-Identifier: MIT
 *
 * logfmt - a line of pairs: level=info msg="it broke" n=12 flag
 *
 * As go-logfmt, logrus, zap and slog write it, and people by hand: escapes of JSON and Go in
 * quotes, keys without a value, any blanks between pairs and around "=".
 */
#ifndef COMMON_LOGFMT_H
#define COMMON_LOGFMT_H

#include "common/fields.h"

struct logfmt_pair {
	const char *key; /* borrowed from the line or the fields' memory, as the value is */
	size_t key_len;  /* 0: it has none */
	const char *value;
	size_t value_len;
	bool has_value; /* there is a "=" */
	bool is_open;   /* its quote is not closed: the value goes to the end */
};

/* Takes the next pair from *p; false at the end. */
bool logfmt_next(const char **p, const char *end, struct fields *memory, struct logfmt_pair *ret);

#endif

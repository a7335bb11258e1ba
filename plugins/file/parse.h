/* SPDX-License-Identifier: MIT
 *
 * parse - a line into fields.
 */
#ifndef FILE_PARSE_H
#define FILE_PARSE_H

#include "file.h"

struct parsed {
	int64_t time_ns;   /* 0: none */
	int64_t t_ns;      /* of a key "t", which is Grafana's for a time; also of much else */
	bool has_bad_time; /* something is called its time but is not understood */
	int severity;
	const char *message;
	size_t message_len;
	bool has_message; /* a part of the line is the message, not all of it */
};
struct regexes *regexes_new(struct sluice_source *src);
void regexes_free(struct regexes *r);
enum regex_name { REGEX_START, REGEX_CONTINUE, REGEX_END, REGEX_PARSE };
bool regex_is_set(const struct regexes *r, enum regex_name which);
bool regex_matches(const struct regexes *r, enum regex_name which, const char *p, size_t n);
/* Fills in state.fields.  False: not of that form; then it is a plain line. */
bool parse_line(struct state *s, const char *p, size_t n, struct parsed *ret);

#endif

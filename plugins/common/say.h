/* SPDX-License-Identifier: MIT
 *
 * say - a plugin's lines in sluice's log, and warnings that are not repeated.
 */
#ifndef COMMON_SAY_H
#define COMMON_SAY_H

#include "common/complaints.h"
#include "sluice-plugin.h"

/* One line; what is beyond 1023 bytes is cut off. */
void say(struct sluice_source *src, enum sluice_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The trouble with this path is over; says so if it had been reported. */
void say_readable(struct sluice_source *src, struct complaints *c, const char *path);

enum { WARNINGS_MAX = 32 };

/* Which warnings were given within the last minute; all 0 at its beginning.  Two in one place
 * displace each other: then one is given more often, and never left out.
 */
struct warnings {
	struct {
		uint64_t about;
		int64_t at_ns; /* CLOCK_MONOTONIC */
	} recent[WARNINGS_MAX];
};

/* A warning, at most once a minute about one thing (not a port: each connection has another). */
void complain(struct sluice_source *src, struct warnings *w, const char *about, const char *fmt,
	      ...) __attribute__((format(printf, 4, 5)));

#endif

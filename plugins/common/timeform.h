/* SPDX-License-Identifier: MIT
 *
 * timeform - reads a time by a format, in the manner of strptime(3).
 *
 * The formats have two directives of their own: %. is a part of a second that may be missing,
 * %~ a zone that may.
 */
#ifndef COMMON_TIMEFORM_H
#define COMMON_TIMEFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/basics.h"
#include "common/stamp.h"

/* 1971 and 2200, in seconds since 1970. */
#define TIMEFORM_FIRST_S 31536000LL
#define TIMEFORM_LAST_S  7258118400LL

/* A text that is being read, and the time as far as it is known. */
struct timeform {
	const char *p, *end; /* what is not read yet; borrowed */
	int64_t now_ns;
	struct stamp t;
	int yday; /* 1 .. 366; 0: not named */
	int pm;   /* -1: neither; 0: am; 1: pm */
	bool has_epoch;
	int64_t epoch_ns;
	char zone[40]; /* Region/City; "": none */
};

/* `now_ns` gives a year or a day that is missing. */
struct timeform timeform_of(const char *p, size_t n, int64_t now_ns);

/* Reads what the format says; false: the text is not of that form. */
bool timeform_follow(struct timeform *r, const char *format);
/* The digits of a part of a second, at least one. */
bool timeform_fraction(struct timeform *r);
/* A number of units since 1970. */
bool timeform_epoch(struct timeform *r, int64_t unit_ns);

/* What has been read as nanoseconds since 1970; false: it is no time. */
bool timeform_finish(struct timeform *r, int64_t *ns);
/* In another unit than the one that is configured it would be in 1970. */
bool timeform_is_time(int64_t ns);

#endif

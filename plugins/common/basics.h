/* SPDX-License-Identifier: MIT
 *
 * basics - what every plugin of ours needs: units, clocks, and memory that is there.
 */
#ifndef COMMON_BASICS_H
#define COMMON_BASICS_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

/* In nanoseconds. */
#define MS  1000000LL
#define SEC 1000000000LL

static inline int64_t clock_ns(clockid_t which)
{
	struct timespec ts;
	clock_gettime(which, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

/* For spans of time. */
static inline int64_t mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* Since 1970. */
static inline int64_t wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

/* Which of two words fits a number. */
static inline const char *plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

/* Without memory there is nothing to be done: sluice starts the source again, and
 * its cursors are committed.
 */
static inline void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

#endif

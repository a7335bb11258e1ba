/* SPDX-License-Identifier: MIT
 *
 * clock - the two clocks, in nanoseconds and milliseconds.
 */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS  1000000LL
#define NS_PER_SEC 1000000000LL

static inline int64_t clock_read(clockid_t which)
{
	struct timespec ts;
	clock_gettime(which, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* Since 1970; may be set back by an administrator. */
static inline int64_t clock_wall_ns(void)
{
	return clock_read(CLOCK_REALTIME);
}

/* Never goes back; for intervals. */
static inline int64_t clock_mono_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

#endif

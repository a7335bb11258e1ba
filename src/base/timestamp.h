/* SPDX-License-Identifier: MIT
 *
 * timestamp - points in time as people write them (RFC 3339).
 */
#ifndef SLUICE_BASE_TIMESTAMP_H
#define SLUICE_BASE_TIMESTAMP_H

#include "base/buf.h"

/* UTC with microseconds: 2026-11-21T12:00:00.000000Z. */
void timestamp_put(struct buf *out, int64_t ns);

/* Nanoseconds since 1970 of any of these; 0 or -EINVAL.
 *
 *	2026-11-21T12:00:00Z   RFC 3339, with a space for the T, and without a zone (UTC) too
 *	2026-11-21, 14:00      a date alone; a time of today
 *	today, yesterday 14:00 days of UTC, or of the zone that follows: yesterday 14:00+01:00
 *	1763700000.5           seconds since 1970, also in milliseconds, micro- or nanoseconds
 *	15m, -1h30m, now-2h    so long before `now_ns`, with " ago" too; now
 */
int timestamp_parse(struct str text, int64_t now_ns, int64_t *ns) must_check;

/* For messages. */
#define TIMESTAMP_FORMS                                                                            \
	"2026-11-21T12:00:00Z, 2026-11-21, today, yesterday 14:00 (UTC unless a zone follows), "   \
	"1h30m (ago), or seconds or milliseconds since 1970"

#endif

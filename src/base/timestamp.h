/* SPDX-License-Identifier: MIT
 *
 * timestamp - points in time as people write them (RFC 3339).
 */
#ifndef SLUICE_BASE_TIMESTAMP_H
#define SLUICE_BASE_TIMESTAMP_H

#include "base/buf.h"

/* UTC with microseconds: 2026-11-21T12:00:00.000000Z. */
void timestamp_put(struct buf *out, int64_t ns);

/* Nanoseconds since 1970 of: RFC 3339, with a space for the T and without a zone
 * (UTC) too; a date alone; seconds since 1970, with a fraction; a duration such
 * as 15m or -15m, which is so long before `now_ns`; "now".  0 or -EINVAL.
 */
int timestamp_parse(struct str text, int64_t now_ns, int64_t *ns) must_check;

/* For messages. */
#define TIMESTAMP_FORMS "2026-11-21T12:00:00Z, 2026-11-21, 15m (ago), or seconds since 1970"

#endif

/* SPDX-License-Identifier: MIT
 *
 * unit - numbers with units as people write them, and the nearest name to a typo.
 */
#ifndef SLUICE_BASE_UNIT_H
#define SLUICE_BASE_UNIT_H

#include <stdint.h>

#include "base/buf.h"

/* All return 0, -EINVAL for another form, or -ERANGE. */
int unit_parse_int(const char *s, int64_t *ret) must_check;
int unit_parse_double(const char *s, double *ret) must_check;
/* "65536", "64KiB", "1.5MiB", "10kB": bytes. */
int unit_parse_size(const char *s, int64_t *bytes) must_check;
/* "250ms", "15s", "10m", "24h", "7d", "1h30m"; "0" needs no unit: nanoseconds. */
int unit_parse_duration(const char *s, int64_t *ns) must_check;

/* "1s..60s", or one duration for both ends: nanoseconds, the lower one first. */
int unit_parse_range(const char *s, int64_t *low_ns, int64_t *high_ns) must_check;

/* In the largest unit that leaves a whole number: "90s", "1500ms"; "64KiB". */
void unit_put_duration(struct buf *out, int64_t ns);
void unit_put_size(struct buf *out, int64_t bytes);

/* "segment" of 1, "segments" of any other number: which of two words fits. */
const char *plural(uint64_t n, const char *one, const char *many);

/* The entry of `names` (ended by NULL) most like `typo`, or NULL when none is
 * near.  Borrowed from `names`.
 */
const char *unit_nearest(const char *typo, const char *const *names);

#endif

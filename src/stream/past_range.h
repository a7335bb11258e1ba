/* SPDX-License-Identifier: MIT
 *
 * past_range - what part of the past a subscription asks for.
 */
#ifndef SLUICE_STREAM_PAST_RANGE_H
#define SLUICE_STREAM_PAST_RANGE_H

#include "channel/registry.h"
#include "past/past.h"
#include "stream/subscription.h"

/* Inclusive: what waits to be published is not there yet. */
event_id past_range_upto(const struct registry *r, const struct subscription *s) must_check;
/* Exclusive. */
event_id past_range_after(const struct subscription *s) must_check;

/* The channels as they are now, with snapshots for reading back; `tells_expired`: if the range
 * begins before what is left, a gap says so.  Give it to past_range_free().
 */
struct past_channel *past_range_channels(const struct subscription *s, event_id upto,
					 bool tells_expired) must_check;
/* Has them read only where something can match by their filters, which is of use to a reader that
 * wants no context; the result is freed by the caller, after its last reading.
 */
struct filter_scan *past_range_scan(struct past_channel *channels, size_t n) must_check;
void past_range_free(struct past_channel *channels, size_t n);

#endif

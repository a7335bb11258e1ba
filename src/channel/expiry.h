/* SPDX-License-Identifier: MIT
 *
 * expiry - drops history that is too old, though not by a clock that has just been set.
 */
#ifndef SLUICE_CHANNEL_EXPIRY_H
#define SLUICE_CHANNEL_EXPIRY_H

#include "channel/registry.h"

struct expiry {
	int64_t clock_offset_ns; /* wall clock less the time since boot, some seconds ago */
	int64_t from_ns;         /* time since boot; until then nothing is too old */
};

void expiry_init(struct expiry *x);

/* Of all channels; to be called every few seconds. */
void expiry_run(struct expiry *x, const struct registry *r, int64_t now_ms);

#endif

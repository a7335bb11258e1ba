/* SPDX-License-Identifier: MIT
 *
 * free_space - keeps some of the disk free: the oldest history gives way.
 */
#ifndef SLUICE_CHANNEL_FREE_SPACE_H
#define SLUICE_CHANNEL_FREE_SPACE_H

#include "channel/registry.h"

struct free_space {
	bool is_short;
	uint64_t n_given_way; /* segments that were dropped, ever */
};

/* To be called every few seconds.  `taken`: bytes of the disk that will be free again in a moment. */
void free_space_keep(struct free_space *f, const struct registry *r, uint64_t taken);

#endif

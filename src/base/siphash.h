/* SPDX-License-Identifier: MIT
 *
 * siphash - SipHash-2-4, for tables whose keys somebody else chooses: without the secret
 * nobody finds keys that share a place.
 */
#ifndef SLUICE_BASE_SIPHASH_H
#define SLUICE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct siphash_key {
	uint64_t k[2];
};

/* One that nobody knows. */
struct siphash_key siphash_new_key(void) must_check;

uint64_t siphash(const struct siphash_key *key, const void *p, size_t n) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * bloom - a Bloom filter: tells which keys are certainly not in a set.
 */
#ifndef SLUICE_JOURNAL_BLOOM_H
#define SLUICE_JOURNAL_BLOOM_H

#include <stdint.h>

#include "base/buf.h"

/* The keys of a filter that is being made: a set. */
struct bloom_keys {
	uint32_t *slots; /* owned; 0 is free, so the key 0 is kept as 1 */
	size_t n_slots, n;
};

void bloom_keys_fini(struct bloom_keys *k);
void bloom_keys_clear(struct bloom_keys *k);
void bloom_keys_add(struct bloom_keys *k, uint32_t key);

/* Appends the filter, about half a byte for each key. */
void bloom_put(struct buf *out, const struct bloom_keys *k);

/* False: the key is certainly not in it. */
bool bloom_may_hold(struct str bloom, uint32_t key) must_check;

#endif

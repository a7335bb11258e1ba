/* SPDX-License-Identifier: MIT */
#include "journal/bloom.h"

#include <stdlib.h>

#include "base/mem.h"

/* With 4 bits a key, one absent key is reported as present one time in six; but usually several are
 * looked up together.
 */
enum { BITS_OF_KEY = 4, HASHES = 2, SLOTS_MIN = 1024 };

void bloom_keys_fini(struct bloom_keys *k)
{
	free(k->slots);
	*k = (struct bloom_keys){0};
}

void bloom_keys_clear(struct bloom_keys *k)
{
	if (k->slots)
		memset(k->slots, 0, k->n_slots * sizeof(k->slots[0]));
	k->n = 0;
}

static bool put(uint32_t *slots, size_t n_slots, uint32_t key)
{
	size_t i = (size_t)key * 0x9e3779b1u % n_slots;
	for (; slots[i]; i = (i + 1) % n_slots)
		if (slots[i] == key)
			return false;
	slots[i] = key;
	return true;
}

static void grow(struct bloom_keys *k)
{
	size_t n = k->n_slots ? k->n_slots * 2 : SLOTS_MIN;
	uint32_t *slots = mem_zero(n * sizeof(slots[0]));
	for (size_t i = 0; i < k->n_slots; i++)
		if (k->slots[i])
			put(slots, n, k->slots[i]);
	free(k->slots);
	k->slots = slots;
	k->n_slots = n;
}

void bloom_keys_add(struct bloom_keys *k, uint32_t key)
{
	if (k->n >= k->n_slots / 2)
		grow(k);
	k->n += put(k->slots, k->n_slots, key ? key : 1);
}

/* The i-th bit of a key among so many. */
static size_t bit_of(uint32_t key, unsigned i, size_t n_bits)
{
	uint64_t h = (key + 1ULL) * (i ? 0xd6e8feb86659fd93ULL : 0xa0761d6478bd642fULL);
	return (size_t)((h >> 32) * n_bits >> 32);
}

void bloom_put(struct buf *out, const struct bloom_keys *k)
{
	size_t n = (k->n * BITS_OF_KEY + 63) / 64 * 8;
	char *p = buf_reserve(out, n + 1);
	memset(p, 0, n);
	for (size_t i = 0; i < k->n_slots; i++)
		for (unsigned h = 0; k->slots[i] && h < HASHES; h++) {
			size_t bit = bit_of(k->slots[i], h, n * 8);
			p[bit / 8] = (char)(p[bit / 8] | 1 << bit % 8);
		}
	out->len += n;
}

bool bloom_may_hold(struct str bloom, uint32_t key)
{
	for (unsigned h = 0; bloom.len && h < HASHES; h++) {
		size_t bit = bit_of(key ? key : 1, h, bloom.len * 8);
		if (!(bloom.data[bit / 8] & 1 << bit % 8))
			return false;
	}
	return bloom.len > 0;
}

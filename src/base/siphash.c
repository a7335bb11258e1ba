/* SPDX-License-Identifier: MIT */
#include "base/siphash.h"

#include <sys/random.h>

#include "base/bytes.h"
#include "base/clock.h"

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void mix(uint64_t v[4], int rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static void take_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mix(v, 2);
	v[0] ^= word;
}

uint64_t siphash(const struct siphash_key *key, const void *p, size_t n)
{
	uint64_t v[4] = {
		key->k[0] ^ 0x736f6d6570736575ULL,
		key->k[1] ^ 0x646f72616e646f6dULL,
		key->k[0] ^ 0x6c7967656e657261ULL,
		key->k[1] ^ 0x7465646279746573ULL,
	};
	const unsigned char *at = p;
	size_t left = n;
	for (; left >= 8; left -= 8, at += 8)
		take_word(v, get_u64(at));
	uint64_t last = (uint64_t)n << 56;
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)at[i] << (8 * i);
	take_word(v, last);
	v[2] ^= 0xff;
	mix(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct siphash_key siphash_new_key(void)
{
	struct siphash_key key;
	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		key = (struct siphash_key){{(uint64_t)clock_wall_ns(), (uint64_t)clock_mono_ns()}};
	return key;
}

/* SPDX-License-Identifier: MIT */
#include "filter/grams.h"

/* Of the last GRAMS_SIZE bytes, which are the low ones of `bytes`. */
static uint32_t hash(uint64_t bytes)
{
	const uint64_t mask = (1ULL << 8 * GRAMS_SIZE) - 1;
	uint64_t h = (bytes & mask) * 0x9e3779b97f4a7c15ULL;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ULL;
	return (uint32_t)(h >> 32);
}

static unsigned char small(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

size_t grams_of(struct str text, uint32_t *out)
{
	uint32_t window[GRAMS_WINDOW], least = 0;
	uint64_t bytes = 0;
	size_t n = 0, at_least = 0; /* the gram at which the least of the window stands */
	if (text.len < GRAMS_MIN)
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		bytes = bytes << 8 | small(text.data[i]);
		if (i + 1 < GRAMS_SIZE)
			continue;
		size_t gram = i + 1 - GRAMS_SIZE;
		uint32_t h = hash(bytes);
		window[gram % GRAMS_WINDOW] = h;
		if (gram + 1 < GRAMS_WINDOW)
			continue;
		size_t first = gram + 1 - GRAMS_WINDOW;
		bool is_new = gram + 1 == GRAMS_WINDOW || at_least < first;
		if (is_new) {
			at_least = first;
			for (size_t k = first + 1; k <= gram; k++)
				if (window[k % GRAMS_WINDOW] < window[at_least % GRAMS_WINDOW])
					at_least = k;
		} else if (h < least) {
			at_least = gram;
			is_new = true;
		}
		least = window[at_least % GRAMS_WINDOW];
		if (is_new)
			out[n++] = least;
	}
	return n;
}

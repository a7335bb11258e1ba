/* SPDX-License-Identifier: MIT */
#include "filter/grams.h"

#include <math.h>

#include "base/bytes.h"
#include "base/siphash.h"

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

/* ---- fields ------------------------------------------------------------------------------ */

/* What stands for a value: its kind, and bytes. */
static bool put_value(struct buf *out, const struct value *v)
{
	struct value n = v->type == VALUE_STRING ? value_of_number(v->string) : *v;
	double d = n.type == VALUE_INT ? (double)n.integer : n.number;
	uint64_t bits;
	switch (n.type) {
	case VALUE_INT:
	case VALUE_DOUBLE:
		if (d < floor(d) || d > floor(d) || !isfinite(d))
			return false;
		d += 0.0; /* -0 is 0 */
		memcpy(&bits, &d, sizeof(bits));
		buf_putc(out, 'n');
		buf_put_u64(out, bits);
		return true;
	case VALUE_BOOL: buf_puts(out, v->integer ? "b1" : "b0"); return true;
	case VALUE_NULL: buf_putc(out, 'z'); return true;
	case VALUE_JSON: buf_putc(out, 'j'); return true;
	case VALUE_NONE:
	case VALUE_STRING: break;
	}
	if (v->type != VALUE_STRING)
		return false;
	buf_putc(out, 's');
	buf_put_str(out, v->string);
	return true;
}

bool grams_of_field(struct str name, const struct value *v, uint32_t *out)
{
	static const struct siphash_key key;
	struct buf b = {0};
	buf_put_str(&b, name);
	buf_putc(&b, 0);
	bool has_value = put_value(&b, v);
	uint64_t h = has_value ? siphash(&key, b.data, b.len) : 0;
	for (uint32_t i = 0; has_value && i < GRAMS_OF_FIELD; i++)
		out[i] = (uint32_t)(h >> 32) + i * (uint32_t)h;
	buf_fini(&b);
	return has_value;
}

/* SPDX-License-Identifier: MIT */
#include "missed.h"

#include <stdlib.h>

/* What the clock of the file system cannot tell apart, and what is done at once. */
#define TOGETHER_NS (20 * 1000000LL)

size_t missed_by_times(int64_t removed_ns, const int64_t *born_ns, size_t n)
{
	size_t first = 0;
	/* The rotation that removed the file made another one, just before or after. */
	for (size_t i = 1; i < n; i++) {
		int64_t old = llabs(born_ns[first] - removed_ns);
		if (llabs(born_ns[i] - removed_ns) + TOGETHER_NS < old)
			first = i;
	}
	return n ? n - 1 - first : 0;
}

size_t missed_by_loss(int64_t lost_ns, int64_t born_ns)
{
	return lost_ns && born_ns && born_ns > lost_ns + TOGETHER_NS;
}

size_t missed_by_numbers(unsigned number, const unsigned *there, size_t n)
{
	size_t between = 0;
	unsigned least = 1;
	for (size_t i = 0; i < n; i++)
		if (there[i] < least)
			least = there[i];
	for (size_t i = 0; i < n; i++) {
		bool is_first = there[i] < number;
		for (size_t k = 0; k < i; k++)
			is_first &= there[k] != there[i];
		between += is_first;
	}
	/* Without any, numbers may well count upwards. */
	return between ? number - least - between : 0;
}

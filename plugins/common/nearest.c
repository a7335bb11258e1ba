/* SPDX-License-Identifier: MIT */
#include "common/nearest.h"

#include <string.h>

enum { LENGTH_MAX = 100 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;
	return ab < c ? ab : c;
}

size_t edit_distance(const char *a, const char *b)
{
	size_t row[LENGTH_MAX + 1];
	size_t na = strnlen(a, LENGTH_MAX), nb = strnlen(b, LENGTH_MAX);
	for (size_t k = 0; k <= nb; k++)
		row[k] = k;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t k = 1; k <= nb; k++) {
			size_t above = row[k];
			row[k] = min3(above + 1, row[k - 1] + 1, diagonal + (a[i - 1] != b[k - 1]));
			diagonal = above;
		}
	}
	return row[nb];
}

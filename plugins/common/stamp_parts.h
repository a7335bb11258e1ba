/* SPDX-License-Identifier: MIT
 *
 * stamp_parts - what stamp.c (times) and stamp_zone.c (zones) share.
 */
#ifndef COMMON_STAMP_PARTS_H
#define COMMON_STAMP_PARTS_H

#include <ctype.h>

#include "common/stamp.h"

/* Days since 1970 of a date in the Gregorian calendar. */
static inline int64_t stamp_days(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Exactly `digits` digits. */
static inline bool stamp_number(const char **p, const char *end, int digits, int *ret)
{
	int v = 0;
	if (end - *p < digits)
		return false;
	for (int i = 0; i < digits; i++) {
		if (!isdigit((unsigned char)(*p)[i]))
			return false;
		v = v * 10 + (*p)[i] - '0';
	}
	*p += digits;
	*ret = v;
	return true;
}

static inline bool stamp_take(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	++*p;
	return true;
}

/* Z, +01:00, +0100. */
static inline bool stamp_offset(const char **p, const char *end, int64_t *offset_s)
{
	int h, m;
	*offset_s = 0;
	if (stamp_take(p, end, 'Z') || stamp_take(p, end, 'z'))
		return true;
	if (*p == end || (**p != '+' && **p != '-'))
		return false;
	int sign = *(*p)++ == '-' ? -1 : 1;
	if (!stamp_number(p, end, 2, &h))
		return false;
	stamp_take(p, end, ':');
	if (!stamp_number(p, end, 2, &m) || h > 23 || m > 59)
		return false;
	*offset_s = sign * (h * 3600 + m * 60);
	return true;
}

/* Seconds since 1970 of a civil time in the zone in use. */
int64_t stamp_local_seconds(int y, int mon, int d, int h, int m, int s);
/* The same in a zone by its name. */
int64_t stamp_seconds_in(const char *zone, const struct stamp *t, int year);

#endif

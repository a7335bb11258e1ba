/* SPDX-License-Identifier: MIT */
#include "base/timestamp.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/unit.h"

static void put_two(char *p, unsigned v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
}

/* The date is worked out from the number
 * of days in years that begin in March, where the leap day comes last.
 */
void timestamp_put(struct buf *out, int64_t time_ns)
{
	int64_t sec = time_ns / NS_PER_SEC, us = time_ns % NS_PER_SEC / 1000;
	if (us < 0) {
		us += 1000000;
		sec--;
	}
	int64_t days = sec / 86400, rest = sec % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	days += 719468; /* from 0000-03-01 to 1970-01-01 */
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	unsigned of_era = (unsigned)(days - era * 146097);
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * of_year + 2) / 153;
	unsigned day = of_year - (153 * month + 2) / 5 + 1;
	month = month < 10 ? month + 3 : month - 9;
	unsigned y = (unsigned)(era * 400 + year + (month <= 2)) % 10000;
	char t[28] = "0000-00-00T00:00:00.000000Z";
	put_two(t, y / 100);
	put_two(t + 2, y % 100);
	put_two(t + 5, month);
	put_two(t + 8, day);
	put_two(t + 11, (unsigned)(rest / 3600));
	put_two(t + 14, (unsigned)(rest / 60 % 60));
	put_two(t + 17, (unsigned)(rest % 60));
	put_two(t + 20, (unsigned)(us / 10000));
	put_two(t + 22, (unsigned)(us / 100 % 100));
	put_two(t + 24, (unsigned)(us % 100));
	buf_put(out, t, 27);
}

/* Exactly `n` digits; moves *p behind them. */
static bool digits(const char **p, int n, int64_t min, int64_t max, int64_t *ret)
{
	int64_t v = 0;
	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		v = v * 10 + (**p - '0');
	}
	*ret = v;
	return v >= min && v <= max;
}

static bool one_of(const char **p, const char *set)
{
	if (!**p || !strchr(set, **p))
		return false;
	(*p)++;
	return true;
}

static int64_t days_from_1970(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool date(const char **p, int64_t *days)
{
	static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t y, m, d;
	if (!digits(p, 4, 0, 9999, &y) || !one_of(p, "-") || !digits(p, 2, 1, 12, &m) ||
	    !one_of(p, "-") || !digits(p, 2, 1, lengths[m - 1], &d))
		return false;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	*days = days_from_1970(y, m, d);
	return m != 2 || d < 29 || leap;
}

static bool fraction(const char **p, int64_t *ns)
{
	int64_t unit = NS_PER_SEC;
	*ns = 0;
	if (!one_of(p, "."))
		return true;
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		unit /= 10;
		*ns += unit * (**p - '0');
	}
	return true;
}

/* Seconds east of UTC. */
static bool zone(const char **p, int64_t *east)
{
	int64_t h, m;
	*east = 0;
	if (!**p || one_of(p, "Zz"))
		return true;
	int sign = **p == '-' ? -1 : 1;
	if (!one_of(p, "+- ")) /* a plus in a URL that was not escaped comes as a space */
		return false;
	if (!digits(p, 2, 0, 23, &h))
		return false;
	one_of(p, ":");
	if (!digits(p, 2, 0, 59, &m))
		return false;
	*east = sign * (h * 3600 + m * 60);
	return true;
}

static bool rfc3339(const char *p, int64_t *ns)
{
	int64_t days, h = 0, m = 0, s = 0, part = 0, east = 0;
	if (!date(&p, &days))
		return false;
	if (*p && (!one_of(&p, "Tt ") || !digits(&p, 2, 0, 23, &h) || !one_of(&p, ":") ||
		   !digits(&p, 2, 0, 59, &m)))
		return false;
	if (one_of(&p, ":") && (!digits(&p, 2, 0, 60, &s) || !fraction(&p, &part)))
		return false;
	if (!zone(&p, &east) || *p)
		return false;
	int64_t sec = days * 86400 + h * 3600 + m * 60 + s - east;
	/* What 64 bits hold: 1677 to 2262. */
	if (sec < INT64_MIN / NS_PER_SEC + 1 || sec > INT64_MAX / NS_PER_SEC - 1)
		return false;
	*ns = sec * NS_PER_SEC + part;
	return true;
}

int timestamp_parse(struct str text, int64_t now_ns, int64_t *ns)
{
	char s[64];
	double seconds;
	int64_t ago;
	if (!text.len || text.len >= sizeof(s) || memchr(text.data, 0, text.len))
		return -EINVAL;
	memcpy(s, text.data, text.len);
	s[text.len] = 0;
	if (strcmp(s, "now") == 0) {
		*ns = now_ns;
		return 0;
	}
	if (rfc3339(s, ns))
		return 0;
	if (unit_parse_double(s, &seconds) == 0) {
		/* A small number is no time that anybody means. */
		if (seconds < 1e6 || seconds > 9e9)
			return -EINVAL;
		double whole = floor(seconds);
		*ns = (int64_t)whole * NS_PER_SEC + (int64_t)((seconds - whole) * 1e9);
		return 0;
	}
	if (unit_parse_duration(s + (*s == '-'), &ago) == 0 && ago >= 0) {
		*ns = now_ns - ago;
		return 0;
	}
	return -EINVAL;
}

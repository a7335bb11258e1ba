/* SPDX-License-Identifier: MIT */
#include "base/timestamp.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/unit.h"
#include "base/utf8.h"

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

/* hh:mm, with seconds and a fraction perhaps. */
static bool clock_time(const char **p, int64_t *sec, int64_t *part)
{
	int64_t h, m, s = 0;
	int hour_digits = **p && (*p)[1] == ':' ? 1 : 2;
	*part = 0;
	if (!digits(p, hour_digits, 0, 23, &h) || !one_of(p, ":") || !digits(p, 2, 0, 59, &m))
		return false;
	if (one_of(p, ":") && (!digits(p, 2, 0, 60, &s) || !fraction(p, part)))
		return false;
	*sec = h * 3600 + m * 60 + s;
	return true;
}

/* What 64 bits hold: 1677 to 2262. */
static bool put_together(int64_t sec, int64_t part, int64_t *ns)
{
	if (sec < INT64_MIN / NS_PER_SEC + 1 || sec > INT64_MAX / NS_PER_SEC - 1)
		return false;
	*ns = sec * NS_PER_SEC + part;
	return true;
}

static bool rfc3339(const char *p, int64_t *ns)
{
	int64_t days, sec = 0, part = 0, east = 0;
	if (!date(&p, &days))
		return false;
	if (*p && (!one_of(&p, "Tt ") || !clock_time(&p, &sec, &part)))
		return false;
	if (!zone(&p, &east) || *p)
		return false;
	return put_together(days * 86400 + sec - east, part, ns);
}

/* Moves *p behind `word` and the spaces that follow it. */
static bool word(const char **p, const char *word)
{
	size_t n = strlen(word);
	if (strncasecmp(*p, word, n) != 0)
		return false;
	*p += n;
	*p += strspn(*p, " ");
	return true;
}

/* today, yesterday, or neither, and a time of that day. */
static bool of_day(const char *p, int64_t now_ns, int64_t *ns)
{
	int64_t sec = 0, part = 0, east = 0, back = 0;
	bool is_named = word(&p, "today");
	if (!is_named && word(&p, "yesterday")) {
		is_named = true;
		back = 1;
	}
	bool has_time = *p >= '0' && *p <= '9';
	if ((has_time && !clock_time(&p, &sec, &part)) || (!has_time && !is_named))
		return false;
	p += strspn(p, " ") * (p[strspn(p, " ")] == '+' || p[strspn(p, " ")] == '-');
	if (!zone(&p, &east) || *p)
		return false;
	int64_t here = now_ns / NS_PER_SEC + east;
	int64_t day = here / 86400 - (here % 86400 < 0) - back;
	return put_together(day * 86400 + sec - east, part, ns);
}

/* A number since 1970: its size says of what.  A small one is no time that anybody means. */
static bool since_1970(const char *s, int64_t *ns)
{
	static const struct {
		double from;
		int64_t unit_ns;
	} units[] = {{1e17, 1}, {1e14, 1000}, {1e11, NS_PER_MS}, {1e6, NS_PER_SEC}};
	double value;
	if (unit_parse_double(s, &value) || value >= 9e18)
		return false;
	for (size_t i = 0; i < array_size(units); i++) {
		if (value < units[i].from)
			continue;
		/* A double does not hold so many digits: whole ones and the others apart. */
		char *end;
		int64_t whole = strtoll(s, &end, 10);
		if (*end && *end != '.') /* 1e9 */
			whole = (int64_t)value;
		if (whole > INT64_MAX / units[i].unit_ns)
			return false;
		*ns = whole * units[i].unit_ns +
		      (int64_t)((value - floor(value)) * (double)units[i].unit_ns);
		return true;
	}
	return false;
}

/* 15m, -1h30m, now-2h, 2h ago */
static bool ago(char *s, int64_t now_ns, int64_t *ns)
{
	static const char suffix[] = " ago";
	const char *p = s;
	size_t n = strlen(s);
	int64_t back;
	bool is_now = word(&p, "now");
	if (is_now && !*p) {
		*ns = now_ns;
		return true;
	}
	bool is_minus = one_of(&p, "-");
	if (is_now && !is_minus)
		return false;
	p += strspn(p, " ");
	if (!is_now && !is_minus && n > sizeof(suffix) && strcasecmp(s + n - 4, suffix) == 0)
		s[n - 4] = 0;
	if (unit_parse_duration(p, &back) || back < 0 || now_ns < INT64_MIN + back)
		return false;
	*ns = now_ns - back;
	return true;
}

int timestamp_parse(struct str text, int64_t now_ns, int64_t *ns)
{
	char s[64];
	text = utf8_trim(text);
	if (!text.len || text.len >= sizeof(s) || memchr(text.data, 0, text.len))
		return -EINVAL;
	memcpy(s, text.data, text.len);
	s[text.len] = 0;
	bool is =
		rfc3339(s, ns) || of_day(s, now_ns, ns) || since_1970(s, ns) || ago(s, now_ns, ns);
	return is ? 0 : -EINVAL;
}

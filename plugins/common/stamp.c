/* SPDX-License-Identifier: MIT */
#include "common/stamp.h"

#include <string.h>
#include <time.h>

#include "common/basics.h"
#include "common/stamp_parts.h"

enum { AHEAD_MAX = 2 /* days that a clock may be ahead, zones included */ };

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static bool is_time(int h, int m, int s)
{
	return h < 24 && m < 60 && s <= 60;
}

static bool is_date(int y, int mon, int d)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100) || y % 400 == 0;
	/* An event has nanoseconds since 1970: those have room for two centuries. */
	return y >= 1971 && y <= 2200 && mon >= 1 && mon <= 12 && d >= 1 &&
	       d <= lengths[mon - 1] + (mon == 2 && leap);
}

/* hh:mm:ss, with a part of a second if there is one. */
static bool clock_of(const char **p, const char *end, bool with_part, int *h, int *m, int *s,
		     int64_t *part_ns)
{
	*part_ns = 0;
	if (!stamp_number(p, end, 2, h) || !stamp_take(p, end, ':') ||
	    !stamp_number(p, end, 2, m) || !stamp_take(p, end, ':') ||
	    !stamp_number(p, end, 2, s) || !is_time(*h, *m, *s))
		return false;
	const char *q = *p;
	if (with_part && q + 1 < end && (*q == '.' || *q == ',') && isdigit((unsigned char)q[1])) {
		int64_t unit = SEC / 10;
		for (q++; q < end && isdigit((unsigned char)*q); q++, unit /= 10)
			*part_ns += (*q - '0') * unit;
		*p = q;
	}
	return true;
}

size_t stamp_iso(const char *p, size_t n, int64_t *ns)
{
	const char *at = p, *end = p + n;
	int y, mon, d, h, m, s;
	int64_t part, offset;
	if (!stamp_number(&at, end, 4, &y) || !stamp_take(&at, end, '-') ||
	    !stamp_number(&at, end, 2, &mon) || !stamp_take(&at, end, '-') ||
	    !stamp_number(&at, end, 2, &d) || !is_date(y, mon, d) || at == end ||
	    (*at != 'T' && *at != 't' && *at != ' '))
		return 0;
	at++;
	if (!clock_of(&at, end, true, &h, &m, &s, &part))
		return 0;
	const char *behind = at;
	int64_t seconds;
	if (stamp_offset(&at, end, &offset)) {
		seconds = stamp_days(y, mon, d) * 86400 + h * 3600 + m * 60 + s - offset;
	} else {
		at = behind;
		seconds = stamp_local_seconds(y, mon, d, h, m, s);
	}
	*ns = seconds * SEC + part;
	return (size_t)(at - p);
}

static bool month_of(const char **p, const char *end, int *ret)
{
	for (int i = 0; end - *p >= 3 && i < 12; i++) {
		if (memcmp(*p, months + 3 * i, 3) != 0)
			continue;
		*p += 3;
		*ret = i + 1;
		return true;
	}
	return false;
}

/* The newest year in which the day is not more than two days ahead: in January,
 * December is last year's, and a clock that has stopped at 1 January is not in the
 * next.  A leap day may be some years old.  0 when there is no such day.
 */
static int likely_year(int mon, int d, int64_t now_ns)
{
	static int64_t cached_day = INT64_MIN;
	static int year, last_mon, last_d, last;
	int64_t day = now_ns / (86400 * SEC);
	if (day == cached_day && mon == last_mon && d == last_d)
		return last;
	if (day != cached_day) {
		time_t now = (time_t)(now_ns / SEC);
		struct tm tm;
		gmtime_r(&now, &tm);
		year = tm.tm_year + 1900;
		cached_day = day;
	}
	int y = year + 1;
	while (y >= year - 8 && !(is_date(y, mon, d) && stamp_days(y, mon, d) - day <= AHEAD_MAX))
		y--;
	last_mon = mon;
	last_d = d;
	last = y >= year - 8 ? y : 0;
	return last;
}

/* "Nov 21 06:00:00" and what ends it. */
enum { BSD_LEN = 15, KNOWN_LEN = BSD_LEN + 1 };

size_t stamp_read_bsd(const char *p, size_t n, struct stamp *ret)
{
	/* Many messages come within one second. */
	static char known[KNOWN_LEN] = "no month yet";
	static struct stamp last;
	if (n >= KNOWN_LEN && memcmp(p, known, KNOWN_LEN) == 0) {
		*ret = last;
		return BSD_LEN;
	}
	const char *at = p, *end = p + n;
	struct stamp t = {0};
	if (!month_of(&at, end, &t.month) || !stamp_take(&at, end, ' '))
		return 0;
	/* The day is padded with a blank, by some with a zero, by others not at all. */
	stamp_take(&at, end, ' ');
	if (end - at > 2 && at[1] == ' ' ? !stamp_number(&at, end, 1, &t.day)
					 : !stamp_number(&at, end, 2, &t.day))
		return 0;
	if (t.day < 1 || t.day > 31 || !stamp_take(&at, end, ' '))
		return 0;
	if (end - at > 4 && at[4] == ' ' && stamp_number(&at, end, 4, &t.year))
		at++;
	if (!clock_of(&at, end, true, &t.hour, &t.minute, &t.second, &t.part_ns))
		return 0;
	if (at - p == BSD_LEN && at < end && *at == ' ') {
		memcpy(known, p, KNOWN_LEN);
		last = t;
	}
	*ret = t;
	return (size_t)(at - p);
}

size_t stamp_read_offset(const char *p, size_t n, struct stamp *ret)
{
	const char *at = p;
	if (!stamp_offset(&at, p + n, &ret->offset_s))
		return 0;
	ret->has_offset = true;
	return (size_t)(at - p);
}

bool stamp_finish(const struct stamp *t, int64_t now_ns, int64_t *ns)
{
	int y = t->year ? t->year : likely_year(t->month, t->day, now_ns);
	if (!is_date(y, t->month, t->day))
		return false;
	int64_t seconds = t->has_offset ? stamp_days(y, t->month, t->day) * 86400 + t->hour * 3600 +
						  t->minute * 60 + t->second - t->offset_s
					: stamp_local_seconds(y, t->month, t->day, t->hour,
							      t->minute, t->second);
	*ns = seconds * SEC + t->part_ns;
	return true;
}

size_t stamp_bsd(const char *p, size_t n, int64_t now_ns, int64_t *ns)
{
	struct stamp t;
	size_t used = stamp_read_bsd(p, n, &t);
	return used && stamp_finish(&t, now_ns, ns) ? used : 0;
}

size_t stamp_clf(const char *p, size_t n, int64_t *ns)
{
	const char *at = p, *end = p + n;
	int y, mon, d, h, m, s;
	int64_t part, offset;
	if (!stamp_number(&at, end, 2, &d) || !stamp_take(&at, end, '/') ||
	    !month_of(&at, end, &mon) || !stamp_take(&at, end, '/') ||
	    !stamp_number(&at, end, 4, &y) || !is_date(y, mon, d) || !stamp_take(&at, end, ':') ||
	    !clock_of(&at, end, false, &h, &m, &s, &part) || !stamp_take(&at, end, ' ') ||
	    !stamp_offset(&at, end, &offset))
		return 0;
	*ns = (stamp_days(y, mon, d) * 86400 + h * 3600 + m * 60 + s - offset) * SEC;
	return (size_t)(at - p);
}

bool stamp_finish_in(const struct stamp *t, const char *zone, int64_t now_ns, int64_t *ns)
{
	int year = t->year ? t->year : likely_year(t->month, t->day, now_ns);
	if (!is_date(year, t->month, t->day))
		return false;
	*ns = stamp_seconds_in(zone, t, year) * SEC + t->part_ns;
	return true;
}

bool stamp_set_day(struct stamp *t, int yday)
{
	for (t->month = 1; t->month <= 12; t->month++) {
		int64_t first = stamp_days(t->year, t->month, 1);
		int next_month = t->month % 12 + 1, next_year = t->year + (t->month == 12);
		int length = (int)(stamp_days(next_year, next_month, 1) - first);
		t->day = yday;
		if (yday <= length)
			return true;
		yday -= length;
	}
	return false;
}

void stamp_set_today(struct stamp *t, int64_t now_ns)
{
	time_t now = (time_t)(now_ns / SEC);
	struct tm tm;
	localtime_r(&now, &tm);
	/* Shortly after midnight, 23:59 was yesterday. */
	if (t->hour - tm.tm_hour > 12) {
		/* Noon, for not all days have 24 hours. */
		tm = (struct tm){.tm_year = tm.tm_year,
				 .tm_mon = tm.tm_mon,
				 .tm_mday = tm.tm_mday - 1,
				 .tm_hour = 12,
				 .tm_isdst = -1};
		mktime(&tm);
	}
	t->year = tm.tm_year + 1900;
	t->month = tm.tm_mon + 1;
	t->day = tm.tm_mday;
}

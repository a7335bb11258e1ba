/* SPDX-License-Identifier: MIT */
#include "common/stamp.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SEC 1000000000LL

enum {
	AHEAD_MAX = 2, /* days that a clock may be ahead, zones included */
	QUARTERS = 32, /* of an hour, whose offset a zone remembers */
	SETBACK_MAX_S = 3 * 3600,
};

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Days since 1970 of a date in the Gregorian calendar. */
static int64_t days_of(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Exactly `digits` digits. */
static bool number(const char **p, const char *end, int digits, int *ret)
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

static bool take(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	++*p;
	return true;
}

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
	if (!number(p, end, 2, h) || !take(p, end, ':') || !number(p, end, 2, m) ||
	    !take(p, end, ':') || !number(p, end, 2, s) || !is_time(*h, *m, *s))
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

/* Z, +01:00, +0100. */
static bool zone_of(const char **p, const char *end, int64_t *offset_s)
{
	int h, m;
	*offset_s = 0;
	if (take(p, end, 'Z') || take(p, end, 'z'))
		return true;
	if (*p == end || (**p != '+' && **p != '-'))
		return false;
	int sign = *(*p)++ == '-' ? -1 : 1;
	if (!number(p, end, 2, &h))
		return false;
	take(p, end, ':');
	if (!number(p, end, 2, &m) || h > 23 || m > 59)
		return false;
	*offset_s = sign * (h * 3600 + m * 60);
	return true;
}

/* Seconds since 1970 of a civil time in the process's own zone.  `dst` as tm_isdst.
 * Of an hour that clocks show twice it is the first; mktime(3) picks either.
 */
static int64_t civil_seconds(int y, int mon, int d, int h, int m, int s, int dst)
{
	struct tm tm = {.tm_year = y - 1900,
			.tm_mon = mon - 1,
			.tm_mday = d,
			.tm_hour = h,
			.tm_min = m,
			.tm_sec = s,
			.tm_isdst = dst};
	time_t ret = mktime(&tm), before = ret - SETBACK_MAX_S;
	struct tm earlier;
	if (dst >= 0 || !localtime_r(&before, &earlier))
		return ret;
	/* By how much the clock was set back shortly before, mostly an hour. */
	before = ret - (earlier.tm_gmtoff - tm.tm_gmtoff);
	if (localtime_r(&before, &tm) && tm.tm_mday == d && tm.tm_hour == h && tm.tm_min == m)
		ret = before;
	return ret;
}

/* The offset changes at full quarters at most, so it is asked for once in each. */
struct stamp_zone {
	char *name; /* owned: a value of TZ; NULL: the process's own */
	struct {
		int64_t quarter, offset; /* since 1970; quarter 0 is before all dates */
	} known[QUARTERS];
};

static struct stamp_zone own_zone, *zone_in_use = &own_zone;

/* civil_seconds() in another zone: the process's own is another one for as long as
 * the C library takes.  Reads the files of both.
 */
static int64_t seconds_elsewhere(const char *zone, int y, int mon, int d, int h, int m, int s)
{
	const char *tz = getenv("TZ");
	char *own = tz ? strdup(tz) : NULL;
	setenv("TZ", zone, 1);
	tzset();
	int64_t ret = civil_seconds(y, mon, d, h, m, s, -1);
	if (own)
		setenv("TZ", own, 1);
	else
		unsetenv("TZ");
	tzset();
	free(own);
	return ret;
}

/* A civil time in the zone in use. */
static int64_t local_seconds(int y, int mon, int d, int h, int m, int s)
{
	struct stamp_zone *z = zone_in_use;
	int64_t as_utc = days_of(y, mon, d) * 86400 + h * 3600 + m * 60 + s;
	int64_t quarter = as_utc / 900;
	size_t i = (size_t)quarter % QUARTERS;
	if (quarter != z->known[i].quarter) {
		z->known[i].offset =
			as_utc - (z->name ? seconds_elsewhere(z->name, y, mon, d, h, m, s)
					  : civil_seconds(y, mon, d, h, m, s, -1));
		z->known[i].quarter = quarter;
	}
	return as_utc - z->known[i].offset;
}

size_t stamp_iso(const char *p, size_t n, int64_t *ns)
{
	const char *at = p, *end = p + n;
	int y, mon, d, h, m, s;
	int64_t part, offset;
	if (!number(&at, end, 4, &y) || !take(&at, end, '-') || !number(&at, end, 2, &mon) ||
	    !take(&at, end, '-') || !number(&at, end, 2, &d) || !is_date(y, mon, d) || at == end ||
	    (*at != 'T' && *at != 't' && *at != ' '))
		return 0;
	at++;
	if (!clock_of(&at, end, true, &h, &m, &s, &part))
		return 0;
	const char *behind = at;
	int64_t seconds;
	if (zone_of(&at, end, &offset)) {
		seconds = days_of(y, mon, d) * 86400 + h * 3600 + m * 60 + s - offset;
	} else {
		at = behind;
		seconds = local_seconds(y, mon, d, h, m, s);
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
	static int year;
	int64_t day = now_ns / (86400 * SEC);
	if (day != cached_day) {
		time_t now = (time_t)(now_ns / SEC);
		struct tm tm;
		gmtime_r(&now, &tm);
		year = tm.tm_year + 1900;
		cached_day = day;
	}
	for (int y = year + 1; y >= year - 8; y--)
		if (is_date(y, mon, d) && days_of(y, mon, d) - day <= AHEAD_MAX)
			return y;
	return 0;
}

size_t stamp_read_bsd(const char *p, size_t n, struct stamp *ret)
{
	const char *at = p, *end = p + n;
	struct stamp t = {0};
	if (!month_of(&at, end, &t.month) || !take(&at, end, ' '))
		return 0;
	/* The day is padded with a blank, by some with a zero, by others not at all. */
	take(&at, end, ' ');
	if (end - at > 2 && at[1] == ' ' ? !number(&at, end, 1, &t.day)
					 : !number(&at, end, 2, &t.day))
		return 0;
	if (t.day < 1 || t.day > 31 || !take(&at, end, ' '))
		return 0;
	if (end - at > 4 && at[4] == ' ' && number(&at, end, 4, &t.year))
		at++;
	if (!clock_of(&at, end, true, &t.hour, &t.minute, &t.second, &t.part_ns))
		return 0;
	*ret = t;
	return (size_t)(at - p);
}

size_t stamp_read_offset(const char *p, size_t n, struct stamp *ret)
{
	const char *at = p;
	if (!zone_of(&at, p + n, &ret->offset_s))
		return 0;
	ret->has_offset = true;
	return (size_t)(at - p);
}

bool stamp_finish(const struct stamp *t, int64_t now_ns, int64_t *ns)
{
	int y = t->year ? t->year : likely_year(t->month, t->day, now_ns);
	if (!is_date(y, t->month, t->day))
		return false;
	int64_t seconds =
		t->has_offset ? days_of(y, t->month, t->day) * 86400 + t->hour * 3600 +
					t->minute * 60 + t->second - t->offset_s
			      : local_seconds(y, t->month, t->day, t->hour, t->minute, t->second);
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
	if (!number(&at, end, 2, &d) || !take(&at, end, '/') || !month_of(&at, end, &mon) ||
	    !take(&at, end, '/') || !number(&at, end, 4, &y) || !is_date(y, mon, d) ||
	    !take(&at, end, ':') || !clock_of(&at, end, false, &h, &m, &s, &part) ||
	    !take(&at, end, ' ') || !zone_of(&at, end, &offset))
		return 0;
	*ns = (days_of(y, mon, d) * 86400 + h * 3600 + m * 60 + s - offset) * SEC;
	return (size_t)(at - p);
}

/* ---- other zones ------------------------------------------------------------------------ */

bool stamp_has_zone(const char *name)
{
	static char last[64];
	static bool is_there;
	char path[128];
	if (strlen(name) >= sizeof(last) || strstr(name, ".."))
		return false;
	if (strcmp(name, last) != 0) {
		snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
		is_there = access(path, R_OK) == 0;
		strcpy(last, name);
	}
	return is_there;
}

bool stamp_is_own_zone(const char *name)
{
	return strcmp(name, tzname[0]) == 0 || strcmp(name, tzname[1]) == 0;
}

static int64_t utc_seconds(const struct stamp *t, int year)
{
	return days_of(year, t->month, t->day) * 86400 + t->hour * 3600 + t->minute * 60 +
	       t->second;
}

static int64_t seconds_in(const char *zone, const struct stamp *t, int year)
{
	static char cached_zone[64];
	static int64_t cached_quarter, cached_offset;
	int64_t as_utc = utc_seconds(t, year), quarter = as_utc / 900;
	if (quarter != cached_quarter || strcmp(zone, cached_zone) != 0) {
		cached_offset = as_utc - seconds_elsewhere(zone, year, t->month, t->day, t->hour,
							   t->minute, t->second);
		snprintf(cached_zone, sizeof(cached_zone), "%s", zone);
		cached_quarter = quarter;
	}
	return as_utc - cached_offset;
}

bool stamp_finish_in(const struct stamp *t, const char *zone, int64_t now_ns, int64_t *ns)
{
	int year = t->year ? t->year : likely_year(t->month, t->day, now_ns);
	if (!is_date(year, t->month, t->day))
		return false;
	int64_t seconds;
	if (stamp_is_own_zone(zone))
		seconds = civil_seconds(year, t->month, t->day, t->hour, t->minute, t->second,
					strcmp(zone, tzname[0]) != 0);
	else
		seconds = seconds_in(zone, t, year);
	*ns = seconds * SEC + t->part_ns;
	return true;
}

bool stamp_set_day(struct stamp *t, int yday)
{
	for (t->month = 1; t->month <= 12; t->month++) {
		int64_t first = days_of(t->year, t->month, 1);
		int next_month = t->month % 12 + 1, next_year = t->year + (t->month == 12);
		int length = (int)(days_of(next_year, next_month, 1) - first);
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

/* +02:00 as POSIX writes it: with a name, and turned around. */
static bool posix_of_offset(const char *text, char *ret, size_t size)
{
	int64_t offset;
	const char *p = text, *end = text + strlen(text);
	char full[16];
	/* +2, +02 */
	size_t digits = !*text ? 0 : strspn(text + 1, "0123456789");
	if ((*text == '+' || *text == '-') && digits <= 2 && digits && !text[1 + digits]) {
		snprintf(full, sizeof(full), "%c%s%s:00", *text, digits == 1 ? "0" : "", text + 1);
		p = full;
		end = full + strlen(full);
	}
	if ((*p != '+' && *p != '-') || !zone_of(&p, end, &offset) || p != end)
		return false;
	int minutes = (int)(llabs(offset) / 60);
	snprintf(ret, size, "<%c%02d%02d>%c%02d:%02d", offset < 0 ? '-' : '+', minutes / 60,
		 minutes % 60, offset < 0 ? '+' : '-', minutes / 60, minutes % 60);
	return true;
}

/* CET-1CEST,M3.5.0,M10.5.0/3 or <+03>-3; see tzset(3). */
static bool is_posix_zone(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
	return *name == '<' || (n >= 3 && name[n] && strchr("+-0123456789", name[n]));
}

/* Whether there is such a zone; `ret` is the value of TZ for it. */
static bool find_zone(const char *name, char *ret, size_t size)
{
	if (posix_of_offset(name, ret, size))
		return true;
	if (!*name || strlen(name) >= size || (!stamp_has_zone(name) && !is_posix_zone(name)))
		return false;
	memcpy(ret, name, strlen(name) + 1);
	return true;
}

struct stamp_zone *stamp_zone_new(const char *name)
{
	char tz[256];
	struct stamp_zone *z = NULL;
	if (!find_zone(name, tz, sizeof(tz)) || !(z = calloc(1, sizeof(*z))))
		return NULL;
	z->name = strdup(tz);
	if (z->name)
		return z;
	free(z);
	return NULL;
}

void stamp_zone_free(struct stamp_zone *z)
{
	if (!z)
		return;
	if (zone_in_use == z)
		zone_in_use = &own_zone;
	free(z->name);
	free(z);
}

void stamp_use_zone(struct stamp_zone *z)
{
	zone_in_use = z ? z : &own_zone;
}

int stamp_set_zone(const char *name)
{
	char tz[256];
	if (!find_zone(name, tz, sizeof(tz)) || setenv("TZ", tz, 1) < 0)
		return -1;
	tzset();
	memset(own_zone.known, 0, sizeof(own_zone.known));
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/stamp.h"
#include "common/stamp_parts.h"

enum {
	QUARTERS = 32, /* of an hour, whose offset a zone remembers */
	SETBACK_MAX_S = 3 * 3600,
};

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

int64_t stamp_local_seconds(int y, int mon, int d, int h, int m, int s)
{
	struct stamp_zone *z = zone_in_use;
	int64_t as_utc = stamp_days(y, mon, d) * 86400 + h * 3600 + m * 60 + s;
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
	return stamp_days(year, t->month, t->day) * 86400 + t->hour * 3600 + t->minute * 60 +
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

int64_t stamp_seconds_in(const char *zone, const struct stamp *t, int year)
{
	if (stamp_is_own_zone(zone))
		return civil_seconds(year, t->month, t->day, t->hour, t->minute, t->second,
				     strcmp(zone, tzname[0]) != 0);
	return seconds_in(zone, t, year);
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
	if ((*p != '+' && *p != '-') || !stamp_offset(&p, end, &offset) || p != end)
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

/* SPDX-License-Identifier: MIT
 *
 * One interpreter reads a format while it reads the text.
 */
#include "common/timeform.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Names of zones that mean one thing; others only when they are the own zone's. */
static const struct {
	char name[6];
	int minutes;
} zones[] = {
	{"UTC", 0},    {"GMT", 0},    {"UT", 0},     {"Z", 0},      {"WET", 0},     {"WEST", 60},
	{"CET", 60},   {"CEST", 120}, {"MEZ", 60},   {"MESZ", 120}, {"EET", 120},   {"EEST", 180},
	{"MSK", 180},  {"SAST", 120}, {"EST", -300}, {"EDT", -240}, {"CST", -360},  {"CDT", -300},
	{"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420}, {"AKST", -540}, {"AKDT", -480},
	{"HST", -600}, {"BRT", -180}, {"JST", 540},  {"KST", 540},  {"HKT", 480},   {"SGT", 480},
	{"AWST", 480}, {"AEST", 600}, {"AEDT", 660}, {"NZST", 720}, {"NZDT", 780},
};

/* ---- parts ------------------------------------------------------------------------- */

static bool digits(struct timeform *r, int least, int most, int *ret)
{
	int v = 0, n = 0;
	for (; n < most && r->p < r->end && isdigit((unsigned char)*r->p); n++)
		v = v * 10 + *r->p++ - '0';
	*ret = v;
	return n >= least;
}

static bool number(struct timeform *r, int most, int low, int high, int *ret)
{
	return digits(r, 1, most, ret) && *ret >= low && *ret <= high;
}

bool timeform_fraction(struct timeform *r)
{
	int64_t unit = SEC / 10;
	const char *from = r->p;
	r->t.part_ns = 0;
	for (; r->p < r->end && isdigit((unsigned char)*r->p); r->p++, unit /= 10)
		r->t.part_ns += (*r->p - '0') * unit;
	return r->p > from;
}

static bool maybe_fraction(struct timeform *r)
{
	const char *from = r->p;
	if (r->p < r->end && (*r->p == '.' || *r->p == ',')) {
		r->p++;
		if (!timeform_fraction(r))
			r->p = from;
	}
	return true;
}

/* A name of the list, whose first three letters may stand alone. */
static bool name_of(struct timeform *r, const char *const *names, int n, int *ret)
{
	size_t left = (size_t)(r->end - r->p);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(names[i]);
		if (left < 3 || strncasecmp(r->p, names[i], 3) != 0)
			continue;
		bool whole = left >= len && strncasecmp(r->p, names[i], len) == 0;
		r->p += whole ? len : 3;
		*ret = i;
		return true;
	}
	return false;
}

static bool month(struct timeform *r)
{
	static const char *const names[] = {"January",   "February", "March",    "April",
					    "May",       "June",     "July",     "August",
					    "September", "October",  "November", "December"};
	if (!name_of(r, names, 12, &r->t.month))
		return false;
	r->t.month++;
	return true;
}

static bool weekday(struct timeform *r)
{
	static const char *const names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
					    "Thursday", "Friday", "Saturday"};
	int ignored;
	return name_of(r, names, 7, &ignored);
}

static bool half_day(struct timeform *r)
{
	if (r->end - r->p < 2 || (r->p[1] | 0x20) != 'm')
		return false;
	char c = (char)(*r->p | 0x20);
	r->pm = c == 'p';
	r->p += 2;
	return c == 'a' || c == 'p';
}

static void blanks(struct timeform *r)
{
	while (r->p < r->end && isspace((unsigned char)*r->p))
		r->p++;
	/* CLDR 42 has put U+202F before AM and PM. */
	if (r->end - r->p > 3 && memcmp(r->p, "\xe2\x80\xaf", 3) == 0)
		r->p += 3;
}

/* +1, +01, +0100, +01:00, Z. */
static bool offset(struct timeform *r)
{
	int h, m = 0;
	if (r->p < r->end && (*r->p == 'Z' || *r->p == 'z') &&
	    (r->p + 1 == r->end || !isalpha((unsigned char)r->p[1]))) {
		r->p++;
		r->t.has_offset = true;
		return true;
	}
	if (r->p == r->end || (*r->p != '+' && *r->p != '-'))
		return false;
	int sign = *r->p++ == '-' ? -1 : 1;
	if (!number(r, 2, 0, 23, &h))
		return false;
	const char *behind = r->p;
	if (r->p < r->end && *r->p == ':')
		r->p++;
	if (!digits(r, 2, 2, &m)) {
		r->p = behind;
		m = 0;
	}
	r->t.has_offset = m < 60;
	r->t.offset_s = sign * (h * 3600 + m * 60);
	return m < 60;
}

static bool is_zone_char(char c)
{
	return isalnum((unsigned char)c) || strchr("/_+-", c);
}

/* UTC, CET, Europe/Berlin. */
static bool zone_name(struct timeform *r)
{
	char name[sizeof(r->zone)];
	size_t n = 0;
	while (r->p + n < r->end && n < sizeof(name) - 1 && r->p[n] && is_zone_char(r->p[n])) {
		name[n] = r->p[n];
		n++;
	}
	name[n] = 0;
	if (strchr(name, '/')) {
		memcpy(r->zone, name, n + 1);
		r->p += n;
		return stamp_has_zone(name);
	}
	n = 0;
	while (isalpha((unsigned char)name[n]))
		n++;
	name[n] = 0;
	r->p += n;
	if (n >= 2 && stamp_is_own_zone(name)) {
		memcpy(r->zone, name, n + 1);
		return true;
	}
	for (size_t i = 0; n && i < sizeof(zones) / sizeof(zones[0]); i++) {
		if (strcmp(zones[i].name, name) != 0)
			continue;
		r->t.has_offset = true;
		r->t.offset_s = zones[i].minutes * 60;
		/* GMT+2, UTC+02:00 */
		if (!zones[i].minutes && r->p < r->end && (*r->p == '+' || *r->p == '-'))
			offset(r);
		return true;
	}
	return false;
}

static bool zone(struct timeform *r)
{
	return r->p < r->end && isalpha((unsigned char)*r->p) && *r->p != 'Z' && *r->p != 'z'
		       ? zone_name(r)
		       : offset(r);
}

/* One that is there but that nobody knows is no time; text that looks like none
 * stays behind it.
 */
static bool maybe_zone(struct timeform *r)
{
	struct timeform before = *r;
	blanks(r);
	if (!zone(r) || (r->p < r->end && isalnum((unsigned char)*r->p)))
		*r = before;
	return true;
}

bool timeform_epoch(struct timeform *r, int64_t unit_ns)
{
	int64_t v = 0;
	const char *from = r->p;
	for (; r->p < r->end && isdigit((unsigned char)*r->p); r->p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *r->p - '0', &v))
			return false;
	r->has_epoch = r->p > from && !__builtin_mul_overflow(v, unit_ns, &r->epoch_ns);
	return r->has_epoch;
}

/* ---- formats ------------------------------------------------------------------------- */

static bool directive(struct timeform *r, char c)
{
	struct stamp *t = &r->t;
	switch (c) {
	case 'Y': return digits(r, 4, 4, &t->year);
	case 'y':
		if (!digits(r, 2, 2, &t->year))
			return false;
		t->year += t->year < 69 ? 2000 : 1900;
		return true;
	case 'm': return number(r, 2, 1, 12, &t->month);
	case 'd':
	case 'e': blanks(r); return number(r, 2, 1, 31, &t->day);
	case 'j': return number(r, 3, 1, 366, &r->yday);
	case 'H':
	case 'k': blanks(r); return number(r, 2, 0, 23, &t->hour);
	case 'I':
	case 'l':
		blanks(r);
		r->pm = r->pm < 0 ? 0 : r->pm;
		return number(r, 2, 1, 12, &t->hour);
	case 'M': return number(r, 2, 0, 59, &t->minute);
	case 'S': return number(r, 2, 0, 60, &t->second);
	case 'p':
	case 'P': return half_day(r);
	case 'b':
	case 'B':
	case 'h': return month(r);
	case 'a':
	case 'A': return weekday(r);
	case 'f':
	case 'L':
	case 'N': return timeform_fraction(r);
	case 'z':
	case 'Z': blanks(r); return zone(r);
	case 's': return timeform_epoch(r, SEC);
	case 'Q': return timeform_epoch(r, SEC / 1000);
	case 'T': return timeform_follow(r, "%H:%M:%S");
	case 'R': return timeform_follow(r, "%H:%M");
	case 'F': return timeform_follow(r, "%Y-%m-%d");
	case 'D': return timeform_follow(r, "%m/%d/%y");
	case 'n':
	case 't': blanks(r); return true;
	case '.': return maybe_fraction(r);
	case '~': return maybe_zone(r);
	default: return r->p < r->end && *r->p++ == c;
	}
}

bool timeform_follow(struct timeform *r, const char *format)
{
	for (; *format; format++) {
		if (isspace((unsigned char)*format)) {
			if (r->p == r->end || (!isspace((unsigned char)*r->p) && *r->p != '\xe2'))
				return false;
			blanks(r);
		} else if (*format == '%' && format[1]) {
			if (!directive(r, *++format))
				return false;
		} else if (r->p == r->end || *r->p++ != *format) {
			return false;
		}
	}
	return true;
}

/* A day of the year, half days, a day that is not named. */
static bool complete(struct timeform *r)
{
	struct stamp *t = &r->t;
	if (r->pm >= 0)
		t->hour = t->hour % 12 + 12 * r->pm;
	if (r->yday)
		return t->year && stamp_set_day(t, r->yday);
	if (!t->month && !t->day && !t->year)
		stamp_set_today(t, r->now_ns);
	else if (!t->day)
		t->day = 1;
	return t->month != 0;
}

bool timeform_is_time(int64_t ns)
{
	return ns >= TIMEFORM_FIRST_S * SEC && ns < TIMEFORM_LAST_S * SEC;
}

bool timeform_finish(struct timeform *r, int64_t *ns)
{
	if (r->has_epoch)
		return !__builtin_add_overflow(r->epoch_ns, r->t.part_ns, ns) &&
		       timeform_is_time(*ns);
	return complete(r) && (r->zone[0] ? stamp_finish_in(&r->t, r->zone, r->now_ns, ns)
					  : stamp_finish(&r->t, r->now_ns, ns));
}

struct timeform timeform_of(const char *p, size_t n, int64_t now_ns)
{
	return (struct timeform){.p = p, .end = p + n, .now_ns = now_ns, .pm = -1};
}

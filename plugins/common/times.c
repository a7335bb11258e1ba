/* SPDX-License-Identifier: MIT
 *
 * One interpreter reads a format while it reads the text.  The forms that programs
 * write are formats as well, with two directives of their own: %. is a part of a
 * second that may be missing, %~ a zone that may.
 */
#include "common/times.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/stamp.h"

#define SEC 1000000000LL

/* 1971 and 2200, in seconds since 1970. */
#define FIRST_S 31536000LL
#define LAST_S	7258118400LL

enum { TIME_MAX = 80, EPOCH_DIGITS_MIN = 9 };

static const char *const forms[] = {
	"%Y-%m-%d %H:%M:%S%.%~",      /* iso, with a blank or a name before the zone */
	"%Y-%m-%dT%H:%M:%S%.%~",      /* the same */
	"%Y/%m/%d %H:%M:%S%.%~",      /* nginx, Go */
	"%a %b %d %H:%M:%S%. %Y",     /* ctime, Apache's error log */
	"%a %b %d %H:%M:%S%. %Z %Y",  /* date(1) */
	"%d-%b-%Y %H:%M:%S%.%~",      /* Tomcat, PHP */
	"%d/%b/%Y:%H:%M:%S%.%~",      /* access logs, haproxy */
	"%d %b %Y %H:%M:%S%.%~",      /* Redis */
	"%a, %d %b %Y %H:%M:%S%.%~",  /* mail, HTTP */
	"%b %d, %Y %I:%M:%S%. %p%~",  /* java.util.logging */
	"%b %d, %Y, %I:%M:%S%. %p%~", /* the same in newer releases */
	"%b %d %Y %H:%M:%S%.%~",      /* Cisco */
	"%b %d, %Y %H:%M:%S%.%~",     /* the same */
	"%Y-%m-%d_%H:%M:%S%.%~",      /* svlogd */
	"%Y.%m.%d %H:%M:%S%.%~",      /* Oracle's and others' */
	"%Y%m%dT%H%M%S%.%~",          /* ISO 8601, the basic form */
	"%Y%m%d %H:%M:%S%.%~",        /* glog's and others' */
	"%y%m%d %H:%M:%S%.",          /* MySQL's */
	"%Y-%m-%dT%H:%M%~",           /* iso without seconds */
	"%Y-%m-%d %H:%M%~",           /* the same */
	"%m%d %H:%M:%S%.",            /* klog, behind its letter */
};

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

struct reader {
	const char *p, *end;
	int64_t now_ns;
	struct stamp t;
	int yday; /* 1 .. 366; 0: not named */
	int pm;   /* -1: neither; 0: am; 1: pm */
	bool has_epoch;
	int64_t epoch_ns;
	char zone[40]; /* Region/City; "": none */
};

/* ---- parts ------------------------------------------------------------------------- */

static bool digits(struct reader *r, int least, int most, int *ret)
{
	int v = 0, n = 0;
	for (; n < most && r->p < r->end && isdigit((unsigned char)*r->p); n++)
		v = v * 10 + *r->p++ - '0';
	*ret = v;
	return n >= least;
}

static bool number(struct reader *r, int most, int low, int high, int *ret)
{
	return digits(r, 1, most, ret) && *ret >= low && *ret <= high;
}

/* The digits of a part of a second, at least one. */
static bool fraction(struct reader *r)
{
	int64_t unit = SEC / 10;
	const char *from = r->p;
	r->t.part_ns = 0;
	for (; r->p < r->end && isdigit((unsigned char)*r->p); r->p++, unit /= 10)
		r->t.part_ns += (*r->p - '0') * unit;
	return r->p > from;
}

static bool maybe_fraction(struct reader *r)
{
	const char *from = r->p;
	if (r->p < r->end && (*r->p == '.' || *r->p == ',')) {
		r->p++;
		if (!fraction(r))
			r->p = from;
	}
	return true;
}

/* A name of the list, whose first three letters may stand alone. */
static bool name_of(struct reader *r, const char *const *names, int n, int *ret)
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

static bool month(struct reader *r)
{
	static const char *const names[] = {"January",   "February", "March",    "April",
					    "May",       "June",     "July",     "August",
					    "September", "October",  "November", "December"};
	if (!name_of(r, names, 12, &r->t.month))
		return false;
	r->t.month++;
	return true;
}

static bool weekday(struct reader *r)
{
	static const char *const names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
					    "Thursday", "Friday", "Saturday"};
	int ignored;
	return name_of(r, names, 7, &ignored);
}

static bool half_day(struct reader *r)
{
	if (r->end - r->p < 2 || (r->p[1] | 0x20) != 'm')
		return false;
	char c = (char)(*r->p | 0x20);
	r->pm = c == 'p';
	r->p += 2;
	return c == 'a' || c == 'p';
}

static void blanks(struct reader *r)
{
	while (r->p < r->end && isspace((unsigned char)*r->p))
		r->p++;
	/* CLDR 42 has put U+202F before AM and PM. */
	if (r->end - r->p > 3 && memcmp(r->p, "\xe2\x80\xaf", 3) == 0)
		r->p += 3;
}

/* +1, +01, +0100, +01:00, Z. */
static bool offset(struct reader *r)
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
static bool zone_name(struct reader *r)
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

static bool zone(struct reader *r)
{
	return r->p < r->end && isalpha((unsigned char)*r->p) && *r->p != 'Z' && *r->p != 'z'
		       ? zone_name(r)
		       : offset(r);
}

/* One that is there but that nobody knows is no time; text that looks like none
 * stays behind it.
 */
static bool maybe_zone(struct reader *r)
{
	struct reader before = *r;
	blanks(r);
	if (!zone(r) || (r->p < r->end && isalnum((unsigned char)*r->p)))
		*r = before;
	return true;
}

static bool epoch(struct reader *r, int64_t unit_ns)
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

static bool follow(struct reader *r, const char *format);

static bool directive(struct reader *r, char c)
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
	case 'N': return fraction(r);
	case 'z':
	case 'Z': blanks(r); return zone(r);
	case 's': return epoch(r, SEC);
	case 'Q': return epoch(r, SEC / 1000);
	case 'T': return follow(r, "%H:%M:%S");
	case 'R': return follow(r, "%H:%M");
	case 'F': return follow(r, "%Y-%m-%d");
	case 'D': return follow(r, "%m/%d/%y");
	case 'n':
	case 't': blanks(r); return true;
	case '.': return maybe_fraction(r);
	case '~': return maybe_zone(r);
	default: return r->p < r->end && *r->p++ == c;
	}
}

static bool follow(struct reader *r, const char *format)
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
static bool complete(struct reader *r)
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

/* In another unit than the one that is configured it would be in 1970. */
static bool is_time(int64_t ns)
{
	return ns >= FIRST_S * SEC && ns < LAST_S * SEC;
}

static bool finish(struct reader *r, int64_t *ns)
{
	if (r->has_epoch)
		return !__builtin_add_overflow(r->epoch_ns, r->t.part_ns, ns) && is_time(*ns);
	return complete(r) && (r->zone[0] ? stamp_finish_in(&r->t, r->zone, r->now_ns, ns)
					  : stamp_finish(&r->t, r->now_ns, ns));
}

static struct reader reader_of(const char *p, size_t n, int64_t now_ns)
{
	return (struct reader){.p = p, .end = p + n, .now_ns = now_ns, .pm = -1};
}

/* ---- times since 1970 ---------------------------------------------------------------- */

static const struct {
	const char *name;
	int64_t unit_ns;
} epochs[] = {
	{"epoch", SEC},
	{"epoch_ms", SEC / 1000},
	{"epoch_us", SEC / 1000000},
	{"epoch_ns", 1},
};

int64_t times_of_epoch(int64_t v)
{
	int64_t limit = LAST_S;
	for (int64_t unit = SEC; v >= FIRST_S && unit; unit /= 1000) {
		if (v < limit)
			return v * unit;
		limit = unit > 1 ? limit * 1000 : limit;
	}
	return 0;
}

/* A number with at least nine digits, and perhaps a part. */
static bool read_epoch(struct reader *r, int64_t unit_ns, int64_t *ns)
{
	const char *from = r->p;
	if (!epoch(r, 1))
		return false;
	int64_t v = r->epoch_ns;
	bool by_size = !unit_ns;
	if (by_size && r->p - from < EPOCH_DIGITS_MIN)
		return false;
	if (by_size)
		unit_ns = v ? times_of_epoch(v) / v : 0;
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		if (!fraction(r))
			return false;
	}
	int64_t part = (int64_t)((double)r->t.part_ns / (double)SEC * (double)unit_ns + 0.5);
	return !__builtin_mul_overflow(v, unit_ns, ns) && !__builtin_add_overflow(*ns, part, ns) &&
	       is_time(*ns);
}

/* @ and 24 hexadecimal digits: daemontools' and svlogd's label of TAI64N. */
static bool read_tai64n(struct reader *r, int64_t *ns)
{
	uint64_t value[2] = {0, 0};
	if (r->end - r->p < 25 || *r->p++ != '@')
		return false;
	for (int i = 0; i < 24; i++, r->p++) {
		if (!isxdigit((unsigned char)*r->p))
			return false;
		int c = *r->p | 0x20;
		value[i >= 16] =
			value[i >= 16] * 16 + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	int64_t seconds = (int64_t)(value[0] - (UINT64_C(1) << 62)) - 10;
	if (seconds <= 0 || seconds > LAST_S || value[1] >= SEC)
		return false;
	*ns = seconds * SEC + (int64_t)value[1];
	return true;
}

/* ---- entry points ----------------------------------------------------------------------- */

/* Of two forms that fit the one that reads more counts: the zone may stand behind. */
size_t times_begin(const char *p, size_t n, int64_t now_ns, int64_t *ns)
{
	n = n < TIME_MAX ? n : TIME_MAX;
	size_t best = 0;
	for (size_t i = 0; n && i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct reader r = reader_of(p, n, now_ns);
		int64_t got;
		/* Most do not begin as the text does. */
		bool is_digit = isdigit((unsigned char)*p), wants_name = strchr("ab", forms[i][1]);
		if (is_digit == wants_name || !follow(&r, forms[i]) ||
		    (r.p < r.end && isdigit((unsigned char)*r.p)) || !finish(&r, &got))
			continue;
		if ((size_t)(r.p - p) > best) {
			best = (size_t)(r.p - p);
			*ns = got;
		}
	}
	if (best)
		return best;
	size_t used = stamp_bsd(p, n, now_ns, ns);
	if (used)
		return used;
	struct reader r = reader_of(p, n, now_ns);
	if (n && (*p == '@' ? read_tai64n(&r, ns) : read_epoch(&r, 0, ns)) &&
	    (r.p == r.end || !isalnum((unsigned char)*r.p)))
		return (size_t)(r.p - p);
	return 0;
}

static void trim(const char **p, size_t *n)
{
	while (*n && strchr(" \t[(\"'", **p) && **p) {
		++*p;
		--*n;
	}
	while (*n && (*p)[*n - 1] && strchr(" \t])\"',:;", (*p)[*n - 1]))
		--*n;
}

bool times_read(const char *p, size_t n, int64_t now_ns, int64_t *ns)
{
	if (!n)
		return false;
	if (stamp_iso(p, n, ns) == n || stamp_clf(p, n, ns) == n ||
	    stamp_bsd(p, n, now_ns, ns) == n)
		return true;
	trim(&p, &n);
	return n && times_begin(p, n, now_ns, ns) == n;
}

bool times_read_by(const char *format, const char *p, size_t n, int64_t now_ns, int64_t *ns)
{
	trim(&p, &n);
	struct reader r = reader_of(p, n, now_ns);
	for (size_t i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++)
		if (strcmp(format, epochs[i].name) == 0)
			return read_epoch(&r, epochs[i].unit_ns, ns) && r.p == r.end;
	return follow(&r, format) && r.p == r.end && finish(&r, ns);
}

const char *times_check_format(const char *format)
{
	for (size_t i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++)
		if (strcmp(format, epochs[i].name) == 0)
			return NULL;
	bool any = false;
	for (const char *p = format; *p; p++) {
		if (*p != '%')
			continue;
		p++;
		if (!*p)
			return "ends in % (write %% for a percent sign)";
		if (!strchr("YymdejHkIlMSpPbBhaAfLNzZsQTRFDnt%", *p))
			return "contains a directive that is not supported (supported are those of "
			       "strptime(3) for dates and times, %f and %L for a fraction of a "
			       "second, %s and %Q for seconds and milliseconds since 1970)";
		any = any || *p != '%';
	}
	return any ? NULL
		   : "contains no part of a time (write a format such as '%d.%m.%Y %H:%M:%S', or "
		     "epoch, epoch_ms, epoch_us, epoch_ns)";
}

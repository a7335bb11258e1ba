/* SPDX-License-Identifier: MIT
 *
 * The forms that programs write are formats as well.
 */
#include "common/times.h"

#include <ctype.h>
#include <string.h>

#include "common/stamp.h"
#include "common/timeform.h"

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
	int64_t limit = TIMEFORM_LAST_S;
	for (int64_t unit = SEC; v >= TIMEFORM_FIRST_S && unit; unit /= 1000) {
		if (v < limit)
			return v * unit;
		limit = unit > 1 ? limit * 1000 : limit;
	}
	return 0;
}

/* A number with at least nine digits, and perhaps a part. */
static bool read_epoch(struct timeform *r, int64_t unit_ns, int64_t *ns)
{
	const char *from = r->p;
	if (!timeform_epoch(r, 1))
		return false;
	int64_t v = r->epoch_ns;
	bool by_size = !unit_ns;
	if (by_size && r->p - from < EPOCH_DIGITS_MIN)
		return false;
	if (by_size)
		unit_ns = v ? times_of_epoch(v) / v : 0;
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		if (!timeform_fraction(r))
			return false;
	}
	int64_t part = (int64_t)((double)r->t.part_ns / (double)SEC * (double)unit_ns + 0.5);
	return !__builtin_mul_overflow(v, unit_ns, ns) && !__builtin_add_overflow(*ns, part, ns) &&
	       timeform_is_time(*ns);
}

/* @ and 24 hexadecimal digits: daemontools' and svlogd's label of TAI64N. */
static bool read_tai64n(struct timeform *r, int64_t *ns)
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
	if (seconds <= 0 || seconds > TIMEFORM_LAST_S || value[1] >= SEC)
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
		struct timeform r = timeform_of(p, n, now_ns);
		int64_t got;
		/* Most do not begin as the text does. */
		bool is_digit = isdigit((unsigned char)*p), wants_name = strchr("ab", forms[i][1]);
		if (is_digit == wants_name || !timeform_follow(&r, forms[i]) ||
		    (r.p < r.end && isdigit((unsigned char)*r.p)) || !timeform_finish(&r, &got))
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
	struct timeform r = timeform_of(p, n, now_ns);
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
	struct timeform r = timeform_of(p, n, now_ns);
	for (size_t i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++)
		if (strcmp(format, epochs[i].name) == 0)
			return read_epoch(&r, epochs[i].unit_ns, ns) && r.p == r.end;
	return timeform_follow(&r, format) && r.p == r.end && timeform_finish(&r, ns);
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

/* SPDX-License-Identifier: MIT */
#include "base/unit.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct unit {
	const char *name;
	double factor;
};

static const struct unit sizes[] = {
	{"", 1},
	{"B", 1},
	{"kB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"KiB", 1024},
	{"MiB", 1024.0 * 1024},
	{"GiB", 1024.0 * 1024 * 1024},
	{"TiB", 1024.0 * 1024 * 1024 * 1024},
	{NULL, 0},
};

static const struct unit durations[] = {
	{"ns", 1},     {"us", 1e3},   {"ms", 1e6},    {"s", 1e9},         {"m", 60e9},
	{"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}, {"w", 7 * 86400e9}, {NULL, 0},
};

int unit_parse_int(const char *s, int64_t *ret)
{
	char *end;
	errno = 0;
	if (!isdigit((unsigned char)s[0]) && !(s[0] == '-' && isdigit((unsigned char)s[1])))
		return -EINVAL;
	long long v = strtoll(s, &end, 10);
	if (*end)
		return -EINVAL;
	*ret = v;
	return errno == ERANGE ? -ERANGE : 0;
}

int unit_parse_double(const char *s, double *ret)
{
	char *end;
	*ret = strtod(s, &end);
	return end == s || *end || !isfinite(*ret) ? -EINVAL : 0;
}

static int parse_with(const struct unit *units, const char *s, int64_t *ret)
{
	char *end;
	if (!isdigit((unsigned char)s[0]))
		return -EINVAL;
	size_t digits = strspn(s, "0123456789.");
	char number[40];
	if (digits >= sizeof(number))
		return -ERANGE;
	memcpy(number, s, digits);
	number[digits] = 0;
	double v = strtod(number, &end);
	if (*end)
		return -EINVAL;
	const char *unit = s + digits;
	while (*unit == ' ')
		unit++;
	for (; units->name; units++) {
		if (strcmp(units->name, unit) != 0)
			continue;
		v *= units->factor;
		if (v > 9e18)
			return -ERANGE;
		*ret = (int64_t)v;
		return 0;
	}
	return -EINVAL;
}

int unit_parse_size(const char *s, int64_t *bytes)
{
	return parse_with(sizes, s, bytes);
}

/* One after the other: 1h30m, 1d 12h. */
int unit_parse_duration(const char *s, int64_t *ns)
{
	char part[32];
	int64_t all = 0, one;
	if (strcmp(s, "0") == 0) {
		*ns = 0;
		return 0;
	}
	do {
		size_t n = strspn(s, "0123456789.");
		n += strspn(s + n, " ");
		n += strcspn(s + n, "0123456789. ");
		if (n >= sizeof(part))
			return -EINVAL;
		memcpy(part, s, n);
		part[n] = 0;
		int r = parse_with(durations, part, &one);
		if (r || all > INT64_MAX - one)
			return r ? r : -ERANGE;
		all += one;
		s += n + strspn(s + n, " ");
	} while (*s);
	*ns = all;
	return 0;
}

int unit_parse_range(const char *s, int64_t *low_ns, int64_t *high_ns)
{
	const char *dots = strstr(s, "..");
	char low[32];
	size_t n = dots ? (size_t)(dots - s) : strlen(s);
	if (n >= sizeof(low))
		return -EINVAL;
	memcpy(low, s, n);
	low[n] = 0;
	if (unit_parse_duration(low, low_ns) ||
	    unit_parse_duration(dots ? dots + 2 : low, high_ns) || *high_ns < *low_ns)
		return -EINVAL;
	return 0;
}

static void put_in_units(struct buf *out, const struct unit *units, int64_t v)
{
	while (units[1].name && (!v || v % (int64_t)units->factor != 0))
		units++;
	buf_printf(out, "%lld%s", (long long)v / (long long)units->factor, units->name);
}

void unit_put_duration(struct buf *out, int64_t ns)
{
	static const struct unit units[] = {{"d", 86400e9}, {"h", 3600e9}, {"m", 60e9}, {"s", 1e9},
					    {"ms", 1e6},    {"us", 1e3},   {"ns", 1},   {NULL, 0}};
	if (ns)
		put_in_units(out, units, ns);
	else
		buf_puts(out, "0");
}

void unit_put_size(struct buf *out, int64_t bytes)
{
	static const struct unit units[] = {{"TiB", 1024.0 * 1024 * 1024 * 1024},
					    {"GiB", 1024.0 * 1024 * 1024},
					    {"MiB", 1024.0 * 1024},
					    {"KiB", 1024},
					    {"", 1},
					    {NULL, 0}};
	put_in_units(out, units, bytes);
}

const char *plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

/* Restricted Damerau-Levenshtein distance of two short names. */
static int distance(const char *a, const char *b)
{
	enum { LONGEST = 40 };
	size_t n = strlen(a), m = strlen(b);
	if (n >= LONGEST || m >= LONGEST)
		return LONGEST;
	int d[LONGEST][LONGEST];
	for (size_t i = 0; i <= n; i++)
		d[i][0] = (int)i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			int cost = tolower((unsigned char)a[i - 1]) !=
				   tolower((unsigned char)b[j - 1]);
			int best = d[i - 1][j - 1] + cost;
			best = MIN(best, d[i - 1][j] + 1);
			best = MIN(best, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[n][m];
}

const char *unit_nearest(const char *typo, const char *const *names)
{
	const char *best = NULL;
	int best_distance = (int)strlen(typo) / 3 + 2;
	for (; *names; names++) {
		int d = distance(typo, *names);
		if (d < best_distance) {
			best_distance = d;
			best = *names;
		}
	}
	return best;
}

/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool ends_compressed(const char *p)
{
	static const char *const endings[] = {".gz", ".xz", ".bz2", ".zst", ".lz4", ".Z"};
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcmp(p, endings[i]) == 0)
			return true;
	return false;
}

bool name_is_compressed(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot && ends_compressed(dot);
}

static enum kind kind_of_rest(const char *p)
{
	return !*p ? PLAIN : ends_compressed(p) ? COMPRESSED : NO_GENERATION;
}

const char *name_behind_number(const char *p, size_t *digits)
{
	*digits = 0;
	if (!isdigit((unsigned char)*p))
		return p;
	const char *end = p;
	for (; *p && strchr("0123456789-._:TZ+@", *p); p++)
		if (isdigit((unsigned char)*p)) {
			++*digits;
			end = p + 1;
		}
	return end;
}

/* base.1, base-20261121, base.old, and their compressed forms. */
static enum kind kind_behind(const char *p)
{
	static const char *const words[] = {"old", "bak", "prev"};
	size_t digits;
	if (!*p || !strchr(".-_", *p))
		return NO_GENERATION;
	const char *end = name_behind_number(p + 1, &digits);
	if (digits)
		return kind_of_rest(end);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(p + 1, words[i], strlen(words[i])) == 0)
			return kind_of_rest(p + 1 + strlen(words[i]));
	return NO_GENERATION;
}

/* Of app.log: app.1.log, app-20261121.log.  A short number behind a dash may be the
 * name of another log.
 */
static enum kind kind_within(const char *name, const char *base)
{
	const char *ext = strrchr(base, '.');
	size_t stem = ext ? (size_t)(ext - base) : 0, digits;
	if (!stem || strncmp(name, base, stem) != 0 || !name[stem] || !strchr(".-_", name[stem]))
		return NO_GENERATION;
	const char *p = name + stem + 1, *end = name_behind_number(p, &digits);
	if (digits < (name[stem] == '.' ? 1 : 6) || strncmp(end, ext, strlen(ext)) != 0)
		return NO_GENERATION;
	return kind_of_rest(end + strlen(ext));
}

enum kind name_kind_of_current(const char *name)
{
	enum { STAMP = 1 + 24 };
	if (strcmp(name, "previous") == 0)
		return PLAIN;
	if (*name != '@' || strspn(name + 1, "0123456789abcdef") != STAMP - 1 ||
	    name[STAMP] != '.' || !name[STAMP + 1] || !strchr("su", name[STAMP + 1]))
		return NO_GENERATION;
	return kind_of_rest(name + STAMP + 2);
}

bool name_is_current(const char *base)
{
	return strcmp(base, NAME_CURRENT) == 0;
}

enum kind name_kind(const char *name, const char *base)
{
	size_t n = strlen(base);
	enum kind k = strncmp(name, base, n) == 0 ? kind_behind(name + n) : NO_GENERATION;
	k = k ? k : kind_within(name, base);
	return k || !name_is_current(base) ? k : name_kind_of_current(name);
}

long name_number(const char *name, const char *base)
{
	size_t n = strlen(base), stem = n, digits;
	const char *ext = strrchr(base, '.');
	if (strncmp(name, base, n) != 0)
		stem = ext ? (size_t)(ext - base) : 0;
	if (!stem || strncmp(name, base, stem) != 0 || name[stem] != '.')
		return -1;
	const char *p = name + stem + 1, *end = p + strspn(p, "0123456789");
	digits = (size_t)(end - p);
	if (stem < n && strncmp(end, ext, n - stem) == 0)
		end += n - stem;
	else if (stem < n)
		return -1;
	return digits && digits < 6 && kind_of_rest(end) ? strtol(p, NULL, 10) : -1;
}

int name_compare(const char *a, const char *b)
{
	while (*a && *b) {
		if (!isdigit((unsigned char)*a) || !isdigit((unsigned char)*b)) {
			if (*a != *b)
				return strcmp(a, b);
			a++;
			b++;
			continue;
		}
		size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
		unsigned long long x = strtoull(a, NULL, 10), y = strtoull(b, NULL, 10);
		if (x != y)
			return (n < 6 && m < 6) == (x > y) ? -1 : 1;
		a += n;
		b += m;
	}
	/* app.log.1 is older than app.log. */
	return *a ? -1 : *b != 0;
}

int name_compare_times(const char *a, const char *b)
{
	size_t from = 0;
	for (size_t i = 0; a[i] && a[i] == b[i]; i++)
		if (!isdigit((unsigned char)a[i]))
			from = i + 1;
	size_t n = strspn(a + from, "0123456789"), m = strspn(b + from, "0123456789");
	return n == m && n >= 6 ? strncmp(a + from, b + from, n) : 0;
}

/* Behind the digits at both, if there are some at both. */
static bool skip_numbers(const char **a, const char **b)
{
	size_t n = strspn(*a, "0123456789"), m = strspn(*b, "0123456789");
	*a += n;
	*b += m;
	return n && m;
}

enum kind name_kind_alike(const char *a, const char *b)
{
	while (*b) {
		if (isdigit((unsigned char)*a) || isdigit((unsigned char)*b)) {
			if (!skip_numbers(&a, &b))
				return NO_GENERATION;
		} else if (*a++ != *b++) {
			return NO_GENERATION;
		}
	}
	return kind_of_rest(a);
}

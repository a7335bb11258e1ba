/* SPDX-License-Identifier: MIT */
#include "common/devicehead.h"

#include <ctype.h>
#include <string.h>

#include "common/stamp.h"

#define SEC 1000000000LL

enum { YEAR_FIRST = 1970, YEAR_LAST = 2100, SEQUENCE_DIGITS = 12, NAME_MAX_LEN = 255 };

struct span {
	const char *p, *end;
};

static size_t left(const struct span *s)
{
	return (size_t)(s->end - s->p);
}

static bool take(struct span *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool begins(const struct span *s, const char *text)
{
	size_t n = strlen(text);
	return left(s) >= n && memcmp(s->p, text, n) == 0;
}

/* Four digits; 0 for what is no year. */
static int year_at(const char *p, const char *end)
{
	int y = 0;
	if (end - p < 4)
		return 0;
	for (int i = 0; i < 4; i++) {
		if (!isdigit((unsigned char)p[i]))
			return 0;
		y = y * 10 + p[i] - '0';
	}
	return y >= YEAR_FIRST && y <= YEAR_LAST ? y : 0;
}

static const char *word_end(const char *p, const char *end)
{
	const char *blank = memchr(p, ' ', (size_t)(end - p));
	return blank ? blank : end;
}

/* "app:", "app[12]:" */
static bool is_tag(const char *p, const char *end)
{
	return end > p && (end[-1] == ':' || memchr(p, '[', (size_t)(end - p)));
}

/* The year that stands behind a time, " 2026".  Four digits may be the host as
 * well: they are a year where the host follows it.
 */
static int year_behind(const struct span *s, int64_t now_ns)
{
	const char *p = s->p;
	int y = left(s) > 5 && *p == ' ' ? year_at(p + 1, s->end) : 0;
	if (!y)
		return 0;
	p += 6;
	if (p[-1] == ':' && (p == s->end || *p == ' '))
		return y;
	if (p[-1] != ' ' || p == s->end)
		return 0;
	if (*p == '%')
		return y;
	const char *end = word_end(p, s->end);
	if (end == p || end == s->end || is_tag(p, end))
		return 0;
	int now = (int)(YEAR_FIRST + now_ns / SEC / 31556952);
	bool is_near = y >= now - 1 && y <= now + 1;
	return is_near || is_tag(end + 1, word_end(end + 1, s->end)) ? y : 0;
}

/* " UTC:", " CET: %".  Letters other than UTC's mean too many zones: they stand for
 * the sender's own.
 */
static void take_letters(struct span *s, struct stamp *t)
{
	struct span at = *s;
	if (!take(&at, ' '))
		return;
	const char *from = at.p;
	while (at.p < at.end && at.p - from < 5 && isupper((unsigned char)*at.p))
		at.p++;
	size_t n = (size_t)(at.p - from);
	bool is_utc = n == 3 && (memcmp(from, "UTC", 3) == 0 || memcmp(from, "GMT", 3) == 0);
	if (!n || !(begins(&at, ": %") || (is_utc && begins(&at, ":"))))
		return;
	t->has_offset = is_utc;
	*s = at;
}

/* Nov 27 10:00:00, and the year and the zone wherever they stand. */
static bool take_bsd(struct span *s, int64_t now_ns, int64_t *ns)
{
	struct span at = *s;
	struct stamp t;
	int before = left(&at) > 5 && at.p[4] == ' ' ? year_at(at.p, at.end) : 0;
	if (before)
		at.p += 5;
	size_t n = stamp_read_bsd(at.p, left(&at), &t);
	if (!n)
		return false;
	at.p += n;
	n = stamp_read_offset(at.p, left(&at), &t);
	at.p += n;
	if (!n)
		take_letters(&at, &t);
	if (before)
		t.year = before;
	if (!t.year && (t.year = year_behind(&at, now_ns)))
		at.p += 5;
	if (!stamp_finish(&t, now_ns, ns))
		return false;
	*s = at;
	return true;
}

static bool take_time(struct span *s, int64_t now_ns, struct device_head *h)
{
	struct span at = *s;
	/* Cisco: "*" the clock was never set, "." it is not synchronised. */
	if (!take(&at, '*'))
		take(&at, '.');
	size_t n = stamp_iso(at.p, left(&at), &h->time_ns);
	at.p += n;
	if (!n && !take_bsd(&at, now_ns, &h->time_ns))
		return false;
	if (begins(&at, " DST "))
		at.p += 4;
	h->is_over = take(&at, ':');
	if (!take(&at, ' ') && at.p < at.end && !h->is_over)
		return false;
	h->has_time = true;
	*s = at;
	return true;
}

/* "123: " */
static bool take_sequence(struct span *s, struct device_head *h)
{
	struct span at = *s;
	while (at.p < at.end && isdigit((unsigned char)*at.p) && at.p - s->p < SEQUENCE_DIGITS)
		at.p++;
	const char *end = at.p;
	if (end == s->p || !take(&at, ':') || !take(&at, ' '))
		return false;
	const char *from = h->sequence.n ? h->sequence.p : s->p;
	h->sequence = (struct syslog_text){from, (size_t)(end - from)};
	*s = at;
	return true;
}

/* "sw1: " */
static bool take_name(struct span *s, struct device_head *h)
{
	struct span at = *s;
	const char *end = word_end(at.p, at.end);
	if (end - at.p < 2 || end - at.p > NAME_MAX_LEN || end == at.end || end[-1] != ':')
		return false;
	h->host = (struct syslog_text){at.p, (size_t)(end - 1 - at.p)};
	s->p = end + 1;
	return true;
}

size_t device_head_read(const char *p, size_t n, int64_t now_ns, struct device_head *ret)
{
	struct span s = {p, p + n};
	struct device_head h = {0};
	if (take(&s, ':'))
		take(&s, ' ');
	/* A counter of messages, and a number that the device gives them. */
	if (take_sequence(&s, &h))
		take_sequence(&s, &h);
	struct span before = s;
	bool good = take_time(&s, now_ns, &h) ||
		    (h.sequence.n && take_name(&s, &h) && take_time(&s, now_ns, &h));
	if (!good) {
		s = before;
		h.host.n = 0;
		h.is_over = true;
	}
	if (!good && (!h.sequence.n || s.p == s.end || *s.p != '%'))
		return 0;
	*ret = h;
	return (size_t)(s.p - p);
}

/* SPDX-License-Identifier: MIT */
#include "wire/origin.h"

#include <strings.h>

#include "base/mem.h"

static const struct {
	const char *scheme, *port;
} known[] = {{"https://", ":443"}, {"http://", ":80"}};

static bool begins_folded(struct str s, const char *with)
{
	return s.len >= strlen(with) && strncasecmp(s.data, with, strlen(with)) == 0;
}

static bool is_folded(struct str a, struct str b)
{
	return a.len == b.len && (!a.len || strncasecmp(a.data, b.data, a.len) == 0);
}

static struct str without_end(struct str s, const char *end)
{
	size_t n = strlen(end);
	if (s.len > n && memcmp(s.data + s.len - n, end, n) == 0)
		s.len -= n;
	return s;
}

/* The port that this one's scheme means anyway; "" if the scheme is none of ours. */
static const char *default_port(struct str origin)
{
	for (size_t i = 0; i < array_size(known); i++)
		if (begins_folded(origin, known[i].scheme))
			return known[i].port;
	return "";
}

static struct str without_default_port(struct str origin)
{
	const char *port = default_port(origin);
	return *port ? without_end(origin, port) : origin;
}

bool origin_is_same(struct str a, struct str b)
{
	return is_folded(without_default_port(a), without_default_port(b));
}

bool origin_is_of_host(struct str origin, struct str host)
{
	const char *p = origin.len ? memmem(origin.data, origin.len, "://", 3) : NULL;
	if (!p || !host.len)
		return false;
	const char *port = default_port(origin);
	struct str bare = without_default_port(origin);
	struct str of = {p + 3, bare.len - (size_t)(p + 3 - bare.data)};
	return is_folded(of, *port ? without_end(host, port) : host);
}

void origin_normalise(char *origin)
{
	for (char *p = origin; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	origin[without_default_port(str_of(origin)).len] = 0;
}

struct str origin_in_list(struct str origin, const char *list)
{
	for (const char *p = list; *p; p += strspn(p, " ")) {
		struct str word = {p, strcspn(p, " ")};
		if (origin_is_same(origin, word))
			return word;
		p += word.len;
	}
	return (struct str){NULL, 0};
}

void origin_put_allowed(struct buf *out, struct str listed)
{
	buf_printf(out,
		   "Access-Control-Allow-Origin: %.*s\r\n"
		   "Access-Control-Allow-Credentials: true\r\n"
		   "Access-Control-Expose-Headers: Retry-After\r\n",
		   (int)listed.len, listed.data);
}

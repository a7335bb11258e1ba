/* SPDX-License-Identifier: MIT */
#include "access/safety.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "wire/headers.h"

static bool equals_folded(struct str a, const char *b)
{
	return a.len == strlen(b) && strncasecmp(a.data, b, a.len) == 0;
}

/* "logs.example.org", "*.example.org"; a name without a port stands for any port. */
static bool host_is(struct str host, const char *pattern)
{
	const char *colon = memrchr(host.data, ':', host.len);
	bool has_port = colon && !memchr(colon, ']', host.len - (size_t)(colon - host.data));
	const char *pattern_colon = strrchr(pattern, ':');
	bool pattern_has_port = pattern_colon && !strchr(pattern_colon, ']');
	if (has_port && !pattern_has_port)
		host.len = (size_t)(colon - host.data);
	if (pattern[0] == '*' && pattern[1] == '.') {
		size_t n = strlen(pattern + 1);
		return host.len > n && strncasecmp(host.data + host.len - n, pattern + 1, n) == 0;
	}
	return equals_folded(host, pattern);
}

static bool host_is_known(const struct access_settings *s, struct str host)
{
	for (size_t i = 0; i < s->n_hosts; i++)
		if (host_is(host, s->hosts[i]))
			return true;
	return s->n_hosts == 0;
}

/* The configured origin that is exactly this one, or NULL. */
static const char *listed_origin(const struct access *a, struct str origin)
{
	const struct access_settings *s = &a->settings->access;
	for (size_t i = 0; i < s->n_origins; i++)
		if (str_is(origin, s->origins[i]))
			return s->origins[i];
	return NULL;
}

/* Whether it is a page of the host that it asks.  The scheme cannot be compared: a
 * proxy in front may have taken the TLS off.
 */
static bool is_own_origin(struct str origin, struct str host)
{
	const char *p = memmem(origin.data, origin.len, "://", 3);
	if (!p || !host.len)
		return false;
	size_t n = origin.len - (size_t)(p + 3 - origin.data);
	return n == host.len && strncasecmp(p + 3, host.data, n) == 0;
}

static bool is_foreign(const struct access *a, const struct door_request *r)
{
	if (r->origin.len)
		return !is_own_origin(r->origin, r->host) && !listed_origin(a, r->origin);
	return str_is(r->fetch_site, "cross-site") || str_is(r->fetch_site, "same-site");
}

int safety_check(const struct access *a, const struct door_request *r, const struct identity *who,
		 struct buf *why)
{
	if (!host_is_known(&a->settings->access, r->host)) {
		buf_puts(why, "This sluice does not answer for that host (access.hosts names those "
			      "that it does).\n");
		return 421;
	}
	/* A ticket in the query was put there by who has it; all else a browser adds by
	 * itself, whoever made it ask.
	 */
	bool in_a_name = r->has_cookies || (who->user[0] && !who->has_ticket);
	if (is_foreign(a, r) &&
	    (in_a_name || str_is(r->method, "POST") || str_is(r->method, "DELETE"))) {
		buf_puts(why, "A page of another site asks in a user's name (access.origins names "
			      "those that may).\n");
		return 403;
	}
	return 0;
}

void safety_put_headers(const struct access *a, const struct door_request *r, struct buf *out)
{
	const char *origin = listed_origin(a, r->origin);
	if (origin)
		buf_printf(out,
			   "Access-Control-Allow-Origin: %s\r\n"
			   "Access-Control-Allow-Credentials: true\r\n",
			   origin);
}

void safety_put_preflight(const struct access *a, const struct door_request *r, struct buf *out)
{
	if (!listed_origin(a, r->origin)) {
		buf_puts(out, "Status: 403 Forbidden\r\nVary: Origin\r\n" SAFE_HEADERS "\r\n");
		return;
	}
	buf_puts(out, "Status: 204 No Content\r\nVary: Origin\r\n");
	safety_put_headers(a, r, out);
	buf_puts(out, "Access-Control-Allow-Methods: GET, HEAD, POST, DELETE\r\n"
		      "Access-Control-Allow-Headers: Last-Event-ID, Content-Type, Cache-Control\r\n"
		      "Access-Control-Max-Age: 600\r\n" SAFE_HEADERS "\r\n");
}

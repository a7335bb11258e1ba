/* SPDX-License-Identifier: MIT */
#include "access/safety.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "wire/headers.h"
#include "wire/origin.h"

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

/* The configured origin that is this one, or NULL. */
static const char *listed_origin(const struct access *a, struct str origin)
{
	const struct access_settings *s = &a->settings->access;
	for (size_t i = 0; i < s->n_origins; i++)
		if (origin_is_same(origin, str_of(s->origins[i])))
			return s->origins[i];
	return NULL;
}

/* No page can set Sec-Fetch-Site, so what the browser says there is believed before
 * Origin and Host, of which a proxy may have written the latter anew.  An old browser,
 * and any over plain HTTP, does not say it.
 */
static bool is_foreign(const struct access *a, const struct handoff_request *r)
{
	if (listed_origin(a, r->origin) || str_is(r->fetch_site, "same-origin"))
		return false;
	if (str_is(r->fetch_site, "cross-site") || str_is(r->fetch_site, "same-site"))
		return true;
	return r->origin.len && !origin_is_of_host(r->origin, r->host);
}

int safety_check(const struct access *a, const struct handoff_request *r,
		 const struct identity *who, struct buf *why)
{
	if (!host_is_known(&a->settings->access, r->host)) {
		buf_puts(why, "This sluice does not answer for that host (access.hosts names those "
			      "that it does).\n");
		return 421;
	}
	/* A ticket in the query was put there by who has it; all else a browser adds by
	 * itself, whoever made it ask.
	 */
	bool in_a_name = r->has_cookies || (who->user[0] && !who->ticket);
	if (is_foreign(a, r) &&
	    (in_a_name || str_is(r->method, "POST") || str_is(r->method, "DELETE"))) {
		buf_puts(why, "A page of another site asks in a user's name (access.origins names "
			      "those that may).\n");
		return 403;
	}
	return 0;
}

void safety_put_headers(const struct access *a, const struct handoff_request *r, struct buf *out)
{
	const char *origin = listed_origin(a, r->origin);
	if (origin)
		origin_put_allowed(out, str_of(origin));
}

void safety_put_preflight(const struct access *a, const struct handoff_request *r, struct buf *out)
{
	if (!listed_origin(a, r->origin)) {
		buf_puts(out, "Status: 403 Forbidden\r\nVary: Origin\r\n" SAFE_HEADERS "\r\n");
		return;
	}
	buf_puts(out, "Status: 204 No Content\r\nVary: Origin\r\n");
	safety_put_headers(a, r, out);
	buf_puts(out, "Access-Control-Allow-Methods: GET, HEAD, POST, DELETE\r\n"
		      "Access-Control-Allow-Headers: Accept, Authorization, Cache-Control, "
		      "Content-Type, Last-Event-ID, X-Requested-With\r\n"
		      "Access-Control-Max-Age: 600\r\n" SAFE_HEADERS "\r\n");
}

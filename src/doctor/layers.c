/* SPDX-License-Identifier: MIT */
#include "doctor/layers.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	enum product product;
	const char *name;
	const char *server; /* how Server and SERVER_SOFTWARE begin; or NULL */
	const char *via;    /* a word of its Via; or NULL */
	const char *field;  /* one that only it sends; or NULL */
} products[] = {
	{LIGHTTPD, "lighttpd", "lighttpd", "lighttpd", NULL},
	{APACHE, "Apache", "Apache", "apache", NULL},
	{NGINX, "nginx", "nginx", "nginx", NULL},
	{CADDY, "Caddy", "Caddy", "caddy", NULL},
	{HAPROXY, "HAProxy", "HAProxy", "haproxy", NULL},
	{VARNISH, "Varnish", "Varnish", "varnish", "X-Varnish"},
	{SQUID, "Squid", "squid", "squid", "X-Cache-Lookup"},
	{TRAEFIK, "Traefik", "Traefik", "traefik", NULL},
	{ENVOY, "Envoy", "envoy", "envoy", "X-Envoy-Upstream-Service-Time"},
	{IIS, "IIS", "Microsoft-IIS", "IIS", NULL},
	{CLOUDFLARE, "Cloudflare", "cloudflare", "cloudflare", "CF-RAY"},
	{CLOUDFRONT, "CloudFront", "CloudFront", "cloudfront", "X-Amz-Cf-Id"},
	{GOOGLE, "Google's load balancer", "Google Frontend", "google", NULL},
};

/* ---- signs ----------------------------------------------------------------------------- */

static const char *name_of(enum product p)
{
	for (size_t i = 0; i < array_size(products); i++)
		if (products[i].product == p)
			return products[i].name;
	return "something";
}

static enum product by_server(const char *text)
{
	for (size_t i = 0; i < array_size(products); i++)
		if (strncasecmp(text, products[i].server, strlen(products[i].server)) == 0)
			return products[i].product;
	return UNKNOWN;
}

static enum product by_via(const char *text)
{
	for (size_t i = 0; i < array_size(products); i++)
		if (strcasestr(text, products[i].via))
			return products[i].product;
	return UNKNOWN;
}

bool layers_have(const struct layers *l, enum product product)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->between[i].product == product)
			return true;
	return false;
}

/* One of each; those that are not known are told apart by their names. */
static void add(struct layers *l, enum product product, const char *name, const char *sign)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->between[i].product == product &&
		    (product != UNKNOWN || strcmp(l->between[i].name, name) == 0))
			return;
	if (l->n == LAYERS_MAX)
		return;
	struct layer *layer = &l->between[l->n++];
	layer->product = product;
	snprintf(layer->name, sizeof(layer->name), "%s", name);
	snprintf(layer->sign, sizeof(layer->sign), "%s", sign);
}

/* ---- the answer -------------------------------------------------------------------------- */

/* Each proxy appends itself (RFC 9110, 7.6.3), so the last one is nearest. */
static void add_via(struct layers *l, const struct examination *e)
{
	char via[400];
	examine_field(e, "Via", via, sizeof(via));
	while (via[0]) {
		char *comma = strrchr(via, ',');
		char *entry = comma ? comma + 1 : via;
		entry += strspn(entry, " ");
		enum product p = by_via(entry);
		char sign[160];
		snprintf(sign, sizeof(sign), "Via: %s", entry);
		if (*entry && p != l->mount.product)
			add(l, p, p == UNKNOWN ? entry : name_of(p), sign);
		*(comma ? comma : via) = 0;
	}
}

/* Caddy adds its own to that of the server behind it. */
static void add_server(struct layers *l, const struct examination *e)
{
	size_t n = strcspn(e->software, "/ ");
	char all[sizeof(e->server)];
	snprintf(all, sizeof(all), "%s", e->server);
	for (char *rest = NULL, *one = strtok_r(all, ",", &rest); one && e->software[0];
	     one = strtok_r(NULL, ",", &rest)) {
		char sign[160];
		one += strspn(one, " ");
		snprintf(sign, sizeof(sign), "Server: %s", one);
		if (strncasecmp(one, e->software, n) != 0)
			add(l, by_server(one), one, sign);
	}
}

static void add_fields(struct layers *l, const struct examination *e)
{
	char value[100], sign[160];
	for (size_t i = 0; i < array_size(products); i++)
		if (products[i].field && examine_field(e, products[i].field, value, sizeof(value)))
			add(l, products[i].product, products[i].name, products[i].field);
	static const char *const of_caches[] = {"X-Cache", "X-Cache-Status", "CF-Cache-Status",
						"Cache-Status", "Age"};
	for (size_t i = 0; i < array_size(of_caches) && !l->n; i++) {
		if (!examine_field(e, of_caches[i], value, sizeof(value)))
			continue;
		snprintf(sign, sizeof(sign), "%s: %s", of_caches[i], value);
		add(l, UNKNOWN, "a cache that does not name itself", sign);
	}
}

/* HAProxy and Envoy write all names in lower case, also over HTTP/1.1; sluice and all
 * others do not.
 */
static void add_lower_case(struct layers *l, const struct examination *plain)
{
	if (plain->has_lower_case && l->mount.product != HAPROXY && !layers_have(l, ENVOY) &&
	    !layers_have(l, HAPROXY))
		add(l, HAPROXY, "HAProxy", "or a similar proxy: header names are in lower case");
}

/* ---- the request, as sluice has seen it ----------------------------------------------------- */

static bool has_seen(const struct examination *e, const char *field)
{
	struct str fields, one;
	if (!e->hello.len || !json_member(buf_str(&e->hello), STR("fields"), &fields))
		return false;
	while (json_next_element(&fields, &one))
		if (one.len == strlen(field) + 2 && memcmp(one.data + 1, field, one.len - 2) == 0)
			return true;
	return false;
}

static void add_seen(struct layers *l, const struct examination *e)
{
	struct str words, word;
	if (!e->hello.len)
		return;
	if (json_member(buf_str(&e->hello), STR("via"), &words)) {
		while (json_next_element(&words, &word)) {
			char text[40];
			snprintf(text, sizeof(text), "%.*s", (int)word.len, word.data);
			enum product p = by_via(text);
			if (p != l->mount.product)
				add(l, p, name_of(p), "Via of the request");
		}
	}
	if (has_seen(e, "X-Varnish"))
		add(l, VARNISH, "Varnish", "X-Varnish of the request");
	if (has_seen(e, "X-Forwarded-Server") && has_seen(e, "X-Real-Ip"))
		add(l, TRAEFIK, "Traefik", "X-Forwarded-Server and X-Real-Ip of the request");
	else if (has_seen(e, "X-Forwarded-Server"))
		add(l, APACHE, "Apache", "X-Forwarded-Server of the request");
}

/* Somebody who says nothing of himself, when nobody else is known to be there. */
static void add_hidden(struct layers *l, const struct examination *e)
{
	int64_t port = examine_number(e, "client_port"), asked = examine_number(e, "server_port");
	char protocol[16] = "";
	examine_text(e, "protocol", protocol, sizeof(protocol));
	const char *sign = NULL;
	if (port && port != e->local_port)
		sign = "the web server sees another connection than yours";
	else if (asked && asked != e->port)
		sign = "the web server got the request on another port";
	else if (strcmp(protocol, "HTTP/1.0") == 0)
		sign = "the web server got the request as HTTP/1.0";
	else if (has_seen(e, "X-Forwarded-For") || has_seen(e, "Via"))
		sign = "X-Forwarded-For or Via of the request";
	if (sign && !l->n)
		add(l, UNKNOWN, "a proxy that does not name itself", sign);
}

void layers_find(const char *base, const struct examination *packed,
		 const struct examination *plain, struct layers *ret)
{
	const struct examination *e = plain->hello.len ? plain : packed;
	const char *host = strstr(base, "://"), *path = host ? strchr(host + 3, '/') : NULL;
	*ret = (struct layers){0};
	snprintf(ret->path, sizeof(ret->path), "%s", path ? path : "");
	snprintf(ret->way, sizeof(ret->way), "%s", e->way);
	/* Where nothing arrives, the one who answers is all that is known. */
	const char *mount = e->software[0] ? e->software : e->server;
	snprintf(ret->mount.name, sizeof(ret->mount.name), "%s", mount[0] ? mount : "a web server");
	ret->mount.product = by_server(mount);
	add_server(ret, e);
	add_via(ret, plain);
	add_via(ret, packed);
	add_fields(ret, plain);
	add_fields(ret, packed);
	add_seen(ret, e);
	add_lower_case(ret, plain);
	add_hidden(ret, e);
}

void layers_print(const struct layers *l)
{
	static const struct {
		const char *way, *text;
	} ways[] = {{"socket", "over its socket"},
		    {"spawned", "as FastCGI, started by it"},
		    {"cgi", "as CGI"}};
	for (size_t i = 0; i < array_size(ways); i++)
		if (strcmp(ways[i].way, l->way) == 0)
			printf("sluice is mounted under %s, %s\n", l->mount.name, ways[i].text);
	for (size_t i = 0; i < l->n; i++)
		printf("note: %s is on the way (%s)\n", l->between[i].name, l->between[i].sign);
}

/* SPDX-License-Identifier: MIT
 *
 * layers - what lies between a client and sluice, as far as it shows itself.
 *
 * An answer tells by its header fields who it came through, the request by what sluice
 * has seen of it.  What leaves no sign is known only by the connection that reaches
 * sluice's web server being another one.
 */
#ifndef SLUICE_DOCTOR_LAYERS_H
#define SLUICE_DOCTOR_LAYERS_H

#include "doctor/examine.h"

enum product {
	LIGHTTPD,
	APACHE,
	NGINX,
	CADDY,
	HAPROXY,
	VARNISH,
	SQUID,
	TRAEFIK,
	ENVOY,
	IIS,
	CLOUDFLARE,
	CLOUDFRONT,
	GOOGLE,
	UNKNOWN, /* somebody whom the doctor does not know */
};

enum { LAYERS_MAX = 12 };

struct layer {
	enum product product;
	char name[128]; /* with its version where it tells */
	char sign[160]; /* what it was recognised by */
};

struct layers {
	struct layer between[LAYERS_MAX]; /* the nearest to the client first, as far as known */
	size_t n;
	struct layer mount; /* the web server that sluice is mounted under */
	char way[16];       /* how: socket, spawned, cgi */
	char path[80];      /* and where */
};

/* From the answers to a client that takes gzip and to one that does not; the latter over
 * HTTP/1.1, where the case of names is a sign.  `base` is where sluice is, a URL.
 */
void layers_find(const char *base, const struct examination *packed,
		 const struct examination *plain, struct layers *ret);

/* Whether it is among those between. */
bool layers_have(const struct layers *l, enum product product) must_check;

/* Says what there is. */
void layers_print(const struct layers *l);

#endif

/* SPDX-License-Identifier: MIT
 *
 * net - networks and addresses of both families, as text and as bits.
 *
 *	10.0.0.0/8   192.0.2.7   2001:db8::/32   ::ffff:10.1.2.3 (is 10.1.2.3)
 */
#ifndef SLUICE_BASE_NET_H
#define SLUICE_BASE_NET_H

#include "base/buf.h"

enum { NET_TEXT_MAX = 64 };

struct net {
	unsigned char bytes[16]; /* IPv4 as its IPv6 form ::ffff:a.b.c.d */
	int bits;                /* of it that count, from 0 to 128 */
};

/* 0 or -EINVAL. */
int net_parse(const char *text, struct net *ret) must_check;

/* Whether an address as text lies in it; what is no address does not. */
bool net_holds(const struct net *n, struct str address) must_check;

/* The one way of writing that address; false for what is none. */
bool net_put_address(struct str address, char ret[NET_TEXT_MAX]) must_check;

#endif

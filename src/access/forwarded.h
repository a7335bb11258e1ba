/* SPDX-License-Identifier: MIT
 *
 * forwarded - whose request it is, when proxies have passed it on.
 *
 * The web server sees who connects to it.  If that is a proxy of ours, X-Forwarded-For
 * or Forwarded (RFC 7239) say whom it passes on, its own word last; so they are read
 * from the right, through proxies that are listed and no further.
 *
 *	X-Forwarded-For: whatever, 192.0.2.9, 10.0.0.7    from 10.0.0.1
 *	                           the client <- listed <- listed
 */
#ifndef SLUICE_ACCESS_FORWARDED_H
#define SLUICE_ACCESS_FORWARDED_H

#include "conf/settings.h"
#include "wire/handoff.h"

struct forwarded {
	struct str address; /* of the client, or of the proxy that does not say; borrowed */
	bool is_client;     /* false: somebody behind that address, who is not known */
	bool is_unlisted;   /* it passes requests on, and is no proxy that is listed */
};

struct forwarded forwarded_read(const struct access_settings *s, const struct handoff_request *r);

#endif

/* SPDX-License-Identifier: MIT
 *
 * proxy - the header of the PROXY protocol, versions 1 and 2 (haproxy's
 * proxy-protocol.txt), by which a load balancer says who has connected to it.
 *
 * The bytes behind the header are TLS or messages, so exactly its bytes are taken.
 */
#ifndef SYSLOG_PROXY_H
#define SYSLOG_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Version 1 has at most 107 bytes; of version 2 only the addresses are kept. */
enum { PROXY_KEPT = 108 };

/* Of one connection; all 0 at its beginning. */
struct proxy {
	char bytes[PROXY_KEPT];
	size_t n;    /* in `bytes` */
	size_t skip; /* of version 2: what is still to come, beyond `bytes` */
};

enum proxy_result { PROXY_MORE, PROXY_DONE, PROXY_BROKEN };

/* Takes the bytes of the header that [p, p+n) begins with; *used: how many.  After
 * PROXY_DONE *from is who has connected to the proxy; AF_UNSPEC: the proxy itself,
 * to see whether we are well.
 */
enum proxy_result proxy_take(struct proxy *h, const char *p, size_t n, size_t *used,
			     struct sockaddr_storage *from);

/* Whether a stream begins like a header. */
bool proxy_begins(const char *p, size_t n);

#endif

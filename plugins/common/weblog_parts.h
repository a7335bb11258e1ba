/* SPDX-License-Identifier: MIT
 *
 * weblog_parts - what the logs of several web servers have in common.
 */
#ifndef COMMON_WEBLOG_PARTS_H
#define COMMON_WEBLOG_PARTS_H

#include "common/text.h"
#include "common/weblog.h"

/* METHOD path PROTOCOL; blanks in the path are part of it. */
void weblog_put_request(struct fields *f, struct text t);

/* A level in brackets: [error], [proxy:warn], [ssl:trace3].  False: it is none. */
bool weblog_put_level(struct fields *f, struct text t, int *severity);

/* example.com:443, 192.0.2.1:80, [2001:db8::1]:443: a name or address and a port. */
bool weblog_split_port(struct text t, struct text *host, struct text *port);

#endif

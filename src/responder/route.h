/* SPDX-License-Identifier: MIT
 *
 * route - which of our paths a request means, wherever we are mounted, and whether it
 * means us at all.
 *
 * SCRIPT_NAME followed by PATH_INFO is the whole path with every front server;
 * where it is cut between them differs, and nginx sends no PATH_INFO at all.
 */
#ifndef SLUICE_RESPONDER_ROUTE_H
#define SLUICE_RESPONDER_ROUTE_H

#include "responder/files.h"
#include "responder/params.h"

enum route_kind {
	ROUTE_NONE, /* 404 */
	ROUTE_HUB,  /* `path` is the hub's to answer */
	ROUTE_FILE,
	ROUTE_LIVE,
	ROUTE_PROBE,
	ROUTE_REDIRECT, /* the mount point without its slash */
};

#define ROUTE_READS "GET, HEAD"

struct route {
	enum route_kind kind;
	char *path;              /* ROUTE_HUB: the hub's route, owned; else NULL */
	const char *methods;     /* as in Allow; OPTIONS is understood everywhere */
	const struct file *file; /* ROUTE_FILE */
};

/* Whether `method` is among the words of `methods`. */
bool route_takes(const struct route *r, const char *method) must_check;

/* `prefixes` are where it is mounted, with blanks between, or "" if nobody has said it.
 * What the web server says itself (SLUICE_PREFIX) counts before.
 */
struct route route_find(const struct params *p, const char *prefixes, const struct files *files);

#endif

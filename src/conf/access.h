/* SPDX-License-Identifier: MIT
 *
 * access - the settings in the map "access:" of a configuration.
 */
#ifndef SLUICE_CONF_ACCESS_H
#define SLUICE_CONF_ACCESS_H

#include "conf/setting.h"

struct access_settings {
	bool allows;       /* channels that say nothing: anyone may read them */
	struct acl *admin; /* NULL: as `allows` */
	char *certificate; /* parameter of the request; "" */
	char **members;    /* of groups: "group user user" */
	size_t n_members;
	char **origins; /* as browsers write them */
	size_t n_origins;
	char **frame_ancestors; /* "self", or origins, also with "*." */
	size_t n_frame_ancestors;
	char **hosts;
	size_t n_hosts;
	char **trusted_proxies; /* networks, or "unix:" */
	size_t n_trusted_proxies;
	bool lists_proxies; /* also if there are none: whoever else connects is a client */
};

extern const struct setting access_rows[];

/* `map` may be NULL: then everything has its default. */
void access_read(struct access_settings *a, const struct tree *map, struct errors *e);

/* Appends the origins that may read here, with a blank between. */
void access_put_origins(const struct access_settings *a, struct buf *out);
/* Appends who may frame the pages, as in a Content-Security-Policy. */
void access_put_frame_ancestors(const struct access_settings *a, struct buf *out);

#endif

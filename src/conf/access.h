/* SPDX-License-Identifier: MIT
 *
 * access - reads the map "access:" of a configuration and the lists of channels.
 */
#ifndef SLUICE_CONF_ACCESS_H
#define SLUICE_CONF_ACCESS_H

#include "conf/settings.h"

/* `map` may be NULL: then everything has its default. */
void access_read(struct access_settings *a, const struct tree *map, struct errors *e);
void access_settings_fini(struct access_settings *a);

/* Appends the origins that may read here, with a blank between. */
void access_put_origins(const struct access_settings *a, struct buf *out);
/* Appends who may frame the pages, as in a Content-Security-Policy. */
void access_put_frame_ancestors(const struct access_settings *a, struct buf *out);

/* A list of subjects that a channel has; NULL when it says nothing. */
struct who *access_read_list(const struct option_values *v, const char *name, const char *where,
			     struct errors *e);
void who_free(struct who *w);

#endif

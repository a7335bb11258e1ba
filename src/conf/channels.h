/* SPDX-License-Identifier: MIT
 *
 * channels - reads the map "channels:" of a configuration.
 */
#ifndef SLUICE_CONF_CHANNELS_H
#define SLUICE_CONF_CHANNELS_H

#include "conf/settings.h"

void channels_read_one(struct settings *s, const struct tree *key, const struct tree *map,
		       struct errors *e);

/* What can be told only when all is read: what derived channels are from. */
void channels_check(const struct settings *s, struct errors *e);

/* A filter that a configuration holds, checked; owned. */
char *settings_filter(const struct option_value *v, const char *where, struct errors *e);

#endif

/* SPDX-License-Identifier: MIT
 *
 * remarks - what is no mistake in a configuration, and hardly meant.
 */
#ifndef SLUICE_CONF_REMARKS_H
#define SLUICE_CONF_REMARKS_H

#include "conf/settings.h"

/* Calls `tell` with a sentence for each: channels that nobody may read, groups that do
 * not exist, channels without a source.
 */
void settings_remarks(const struct settings *s, void (*tell)(void *ctx, const char *sentence),
		      void *ctx);

#endif

/* SPDX-License-Identifier: MIT
 *
 * remarks - what is no mistake in a configuration, and hardly meant.
 */
#ifndef SLUICE_CONF_REMARKS_H
#define SLUICE_CONF_REMARKS_H

#include "conf/settings.h"

/* `sentence` is safe for a terminal and begins with its place where it has one. */
typedef void remark_fn(void *ctx, const char *sentence);

/* Calls `tell` with a sentence for each: channels that nobody may read, groups that do
 * not exist, channels without a source, lines that are longer than events.
 */
void settings_remarks(const struct settings *s, remark_fn *tell, void *ctx);

/* Logs them as warnings. */
void remarks_log(const struct settings *s);

#endif

/* SPDX-License-Identifier: MIT
 *
 * lints - what a configuration says without a mistake, but hardly means.
 */
#ifndef SLUICE_CONF_LINTS_H
#define SLUICE_CONF_LINTS_H

#include "conf/settings.h"

/* `sentence` is safe for a terminal and begins with its place where it has one. */
typedef void lint_fn(void *ctx, const char *sentence);

/* Calls `tell` with a sentence for each: channels that nobody may read, groups that do
 * not exist, channels without a source, lines that are longer than events.
 */
void lints_find(const struct settings *s, lint_fn *tell, void *ctx);

/* Logs them as warnings. */
void lints_log(const struct settings *s);

#endif

/* SPDX-License-Identifier: MIT
 *
 * needs - options that are set and have no effect, because of what another option says.
 *
 * A row of a plugin's table names what it needs (sluice_option.needs); so all plugins report it
 * in the same words.  Knows nothing of processes.
 */
#ifndef SLUICE_HOST_NEEDS_H
#define SLUICE_HOST_NEEDS_H

#include "conf/option.h"

/* Calls `tell` with a sentence for each such option of the table.  Borrows all. */
void needs_check(const struct sluice_option *table, const struct option_values *set,
		 void (*tell)(void *ctx, const char *sentence), void *ctx);

#endif

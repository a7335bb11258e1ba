/* SPDX-License-Identifier: MIT
 *
 * absorbed - journals of channels that are not configured any more, or are derived now.
 *
 * Their events wait for the channel to come back, but their sources' cursors are good in
 * any channel.
 */
#ifndef SLUICE_CHANNEL_ABSORBED_H
#define SLUICE_CHANNEL_ABSORBED_H

#include "channel/registry.h"

struct absorbed;

/* Reads all that the state directory has.  *is_short is set when one of them is shorter
 * than it was.  Give them back with absorbed_let_go(); NULL: there are none.
 */
struct absorbed *absorbed_read(struct registry *r, bool *is_short) must_check;

/* Once the channels have begun: what is missing in them has been reported. */
void absorbed_let_go(struct absorbed *all);

#endif

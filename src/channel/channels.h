/* SPDX-License-Identifier: MIT
 *
 * channels - opens, changes and closes the channels of a registry as the settings say.
 */
#ifndef SLUICE_CHANNEL_CHANNELS_H
#define SLUICE_CHANNEL_CHANNELS_H

#include "channel/registry.h"

/* Opens the journals of the state directory, and its epoch.  0, or a negative errno with
 * *why an owned sentence.  Borrows `s` until channels_change() gives others.
 */
int channels_open(struct registry *r, struct loop *l, const struct settings *s,
		  char **why) must_check;

/* Opens what is new in `fresh`; all of it, or none.  0, or a negative errno with *why an
 * owned sentence: nothing has changed.
 */
int channels_add(struct registry *r, const struct settings *fresh, char **why) must_check;

/* Takes `fresh` (borrowed) in place of the settings, once what is new is open: channels
 * change, and those that are gone are marked.
 */
void channels_change(struct registry *r, const struct settings *fresh);

/* Closes those that are marked, and that nobody reads or feeds any more. */
void channels_close_removed(struct registry *r, bool (*is_fed)(void *ctx, const struct channel *c),
			    void *ctx);

/* Syncs and closes all, and notes that it ended well. */
void channels_close(struct registry *r);

#endif

/* SPDX-License-Identifier: MIT
 *
 * schema - what the events of a channel look like, as its sources' plugins say.
 *
 * Answered as JSON Schema (draft 2020-12) with a version.  The last known form of
 * each channel lies in the state directory: a change that a client could stumble
 * over counts the version's first number up, any other the second.
 */
#ifndef SLUICE_HUB_SCHEMA_H
#define SLUICE_HUB_SCHEMA_H

#include "hub/hub.h"

/* /schema/CHANNEL: 200, or 404 with a sentence. */
int schema_report(struct hub *h, const struct identity *who, struct str channel, struct buf *body);

/* Compares all channels with what the state directory knows, tells what has changed
 * for the worse in the log, and notes the new form.
 */
void schema_note(struct hub *h);

/* Appends a line for each incompatible change against what `state_dir` knows;
 * returns how many.  For sluice check.
 */
int schema_compare(const struct settings *s, const char *state_dir, struct buf *out);

#endif

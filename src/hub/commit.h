/* SPDX-License-Identifier: MIT
 *
 * commit - holds back the events of a channel until the disk has them.
 *
 *	journal   | synced, published | being synced | written | -> time
 *
 * For durability disk.  Batches that come within COMMIT_NS share one fdatasync(2),
 * which a thread of its own does.  When the disk refuses, nobody knows which pages
 * it has (fsync(2) on Linux forgets them): no second try, but everything since the
 * last success is written anew, to a new segment.
 */
#ifndef SLUICE_HUB_COMMIT_H
#define SLUICE_HUB_COMMIT_H

#include "hub/hub.h"

struct commit;
struct channel;

/* NULL with *why an owned sentence. */
struct commit *commit_new(struct channel *c, char **why) must_check;

/* Waits for what is being synced; what is not published stays in the journal. */
void commit_free(struct commit *m);

/* Takes a batch that the journal has; copies. */
void commit_put(struct commit *m, event_id first, event_id last, uint32_t n_events, struct str kept,
		struct str passing);

/* Whether so much waits that no more should be taken. */
bool commit_is_behind(const struct commit *m) must_check;

/* Syncs that were done, and that failed. */
void commit_report(const struct commit *m, struct json *j);

#endif

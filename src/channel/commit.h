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
#ifndef SLUICE_CHANNEL_COMMIT_H
#define SLUICE_CHANNEL_COMMIT_H

#include "base/json.h"
#include "channel/batch.h"
#include "journal/journal.h"
#include "loop/loop.h"

struct commit;

struct commit_config {
	struct loop *loop;
	struct journal *journal; /* borrowed */
	const char *name;        /* of its channel; borrowed */
	/* The disk has this batch: shows it.  It is the callback's now. */
	void (*publish)(void *ctx, struct channel_batch *b);
	/* All before the event `first` has been published; 0: all that was put. */
	void (*released)(void *ctx, event_id first);
	void *ctx;
};

/* Copies `config`.  NULL with *why an owned sentence. */
struct commit *commit_new(const struct commit_config *config, char **why) must_check;

/* Waits for what is being synced; what is not published stays in the journal. */
void commit_free(struct commit *m);

/* Takes a sealed batch that the journal has. */
void commit_put(struct commit *m, struct channel_batch *b);

/* Whether so much waits that no more should be taken. */
bool commit_is_behind(const struct commit *m) must_check;

/* Whether the disk has refused a sync, and not taken another one since. */
bool commit_is_stuck(const struct commit *m) must_check;

/* Syncs that were done, and that failed. */
void commit_report(const struct commit *m, struct json *j);

#endif

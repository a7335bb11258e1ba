/* SPDX-License-Identifier: MIT
 *
 * replay - a piece of the past of some channels, read and rendered off the loop.
 *
 * Merges the channels' journals by id.  Says where something is missing: what
 * retention has dropped and what is damaged become gap events at their place
 * in the order, so that a cursor taken from any of them stays exact.
 */
#ifndef SLUICE_HUB_REPLAY_H
#define SLUICE_HUB_REPLAY_H

#include "loop/helper.h"
#include "journal/journal.h"
#include "wire/sse.h"

struct replay_channel {
	struct str name; /* borrowed */
	struct journal_snapshot snapshot;
	event_id gap_to; /* 0, or: what lies in (after, gap_to] is gone */
};

struct replay {
	struct helper_job job;
	void (*done)(struct replay *r); /* in the loop */
	void *owner;

	/* what is asked */
	struct str epoch; /* borrowed */
	struct replay_channel *channels;
	size_t n_channels;
	enum sse_data data;
	event_id after; /* exclusive; worked out first when `tail` is set */
	event_id upto;  /* inclusive */
	uint64_t tail;  /* 0, or: begin with the last so many events up to `upto` */
	size_t budget;  /* bytes of output after which it may stop */

	/* what came of it */
	struct buf out;   /* `head_room` bytes, then rendered events */
	size_t head_room; /* bytes left free at the start of out */
	event_id start;   /* where it began: `after`, or what the tail came to */
	event_id last;    /* everything up to here has been looked at */
	bool is_complete; /* last == upto */
};

struct replay *replay_new(size_t n_channels) must_check;
void replay_free(struct replay *r);
void replay_submit(struct helper *h, struct replay *r);

/* The work itself, for tests: in the caller's thread. */
void replay_run(struct replay *r);

#endif

/* SPDX-License-Identifier: MIT
 *
 * replay - a piece of the past for one stream, read and rendered off the loop.
 *
 * A slice of time bounds each, so that many share the helper's threads fairly: one
 * that has not come to its end is asked for again, behind all that wait.
 */
#ifndef SLUICE_PAST_REPLAY_H
#define SLUICE_PAST_REPLAY_H

#include <stdatomic.h>

#include "past/past.h"
#include "past/readers.h"
#include "past/tail_search.h"
#include "wire/format.h"

struct latest;

struct replay {
	struct helper_job job;
	void (*done)(struct replay *r); /* in the loop */
	void *owner;
	const struct readers *readers;
	atomic_bool is_cancelled; /* it ends soon, with whatever it has */

	/* what is asked */
	struct filter_run *run; /* of the thread that does it */
	struct str epoch;       /* borrowed */
	struct past_channel *channels;
	size_t n_channels;
	enum format format;
	bool gzips;
	bool is_latest; /* of each channel, source and type the newest event alone */
	event_id after; /* exclusive; worked out first when `tail` is set */
	event_id upto;  /* inclusive */
	uint64_t tail;  /* 0, or: begin with the last so many events up to `upto` */
	size_t budget;  /* bytes of output after which it may stop */
	size_t group;   /* bytes of output in a group */
	uint64_t limit; /* events of output after which it stops; 0: any */

	/* what came of it */
	struct tail_search search;
	bool is_located, has_run;
	struct latest *latest; /* owned; NULL before it has begun */
	struct buf out;        /* `head_room` bytes, then what is to be sent */
	size_t head_room;      /* bytes left free at the start of out */
	event_id start;        /* where it began: `after`, or what the tail came to */
	event_id last;         /* everything up to here has been looked at */
	uint64_t n_events;
	bool is_complete;   /* last == upto */
	struct regex *slow; /* the regex that would not end: it stopped before that event */
};

struct replay *replay_new(size_t n_channels) must_check;
void replay_free(struct replay *r);
/* `owner`: the client whose turn among the readers it uses. */
void replay_submit(const struct readers *readers, struct replay *r, uint64_t owner);

/* Cancels it.  True: it had not begun and is freed.  False: done() is called soon. */
bool replay_cancel(struct replay *r) must_check;

/* Does the work in the caller's thread, for tests.  False when it has to be run again: the start
 * of the tail, or the newest event of each kind, is not found yet.
 */
bool replay_run(struct replay *r);

#endif

/* SPDX-License-Identifier: MIT
 *
 * view - what one distinct subscription sees, rendered once for all its streams.
 *
 * Streams that asked for the same share one view, found by the subscription's
 * key.  Each event is matched and rendered once per view and appended to its log; a
 * stream only keeps a position there.  The log is emptied at each flush unless
 * some stream is behind, and then bounded: who falls out of it reads the journal.
 *
 * Knows its streams as readers, which it calls when there is something for them.
 */
#ifndef SLUICE_STREAM_VIEW_H
#define SLUICE_STREAM_VIEW_H

#include "channel/channel.h"
#include "channel/registry.h"
#include "past/readers.h"
#include "stream/budget.h"
#include "stream/subscription.h"
#include "stream/view_log.h"

/* A window for each, and what all together may take before they get smaller. */
enum {
	VIEW_WINDOW = 4 * 1024 * 1024,
	VIEW_WINDOW_MIN = 64 * 1024,
	VIEW_WINDOWS_ALL = 256 * 1024 * 1024,
};

struct regex;
struct replay;

/* All views of a hub, and what they share. */
struct views {
	struct registry *registry;
	const struct readers *readers;
	struct list all;     /* of struct view */
	struct table by_key; /* the same by what they show */
	size_t n;
	struct budget budget;
	event_id event;         /* being shown to them */
	int64_t event_begun_ns; /* when the next of them got it; 0: the first one did not yet */
	struct loop_share sending, compressing, reading; /* of each turn */
	size_t n_aside;                                  /* too dear for the loop now */
	uint64_t n_put_aside, n_gaps, n_heartbeats;      /* ever */
};

/* One that reads a view's log.  Embedded in what does, and added by it. */
struct view_reader {
	const struct view_reader_ops *ops;
	struct view *view;
	struct list of_view; /* in view.readers */
	struct list link;    /* in view.ready, view.waiting, or in neither */
};

struct view_reader_ops {
	/* There is news; called for those that are ready. */
	void (*flush)(struct view_reader *r);
	/* The view has seen more; called for those that wait, which then do so no more. */
	void (*wake)(struct view_reader *r);
	/* The view's filter would not end: `slow` of it, or (NULL) all of it together. */
	void (*lose)(struct view_reader *r, struct regex *slow);
};

/* An event that waits for an older one of a channel whose disk is not done. */
struct view_held {
	struct list link;
	struct view_link *of;
	event_id id;
	size_t len;
	char record[];
};

struct view {
	struct list link; /* in views.all */
	struct table_entry by_key;
	struct views *all;
	struct subscription sub; /* owned */
	struct view_link *links; /* one per channel */
	struct view_log log;

	struct list held; /* of view_held, by id */
	size_t held_bytes;
	bool has_disk; /* some channel publishes when its disk has it */
	/* Made while some were waiting: what was published before that, up to here, it
	 * has never seen.  Streams read it from the journal, and wait until they can.
	 */
	event_id from;

	/* Too dear for the loop (view_aside.c): it has seen everything up to `seen`, and a
	 * reader thread goes on from there.
	 */
	bool is_aside;
	event_id seen;
	struct replay *replay; /* in the helper's hands */
	struct loop_timer again;
	uint64_t owner;  /* the client whose turn among the threads it uses: the first one */
	int64_t read_ns; /* loop time at which it last asked a thread */
	int64_t aside_until_ns, back_ns; /* loop times */
	int64_t aside_ns;                /* for how long it was put aside last */
	event_id missed_after, missed;   /* transient events not seen since; 0: none */
	struct spender spender;

	struct list readers; /* all, by their of_view */
	size_t n_readers;
	struct list ready;   /* those that have everything that was flushed */
	struct list waiting; /* those that wait until it has seen more */
	size_t n_behind;     /* those with a position that are not ready */
	int64_t flushed_ns;  /* loop time of the last flush */
	int64_t said_ns;     /* of the last one that had something */
	struct loop_timer timer;
	struct loop_timer heartbeat; /* of a compressed one, for all its streams */
	struct loop_task task;
	uint64_t n_events, n_passed; /* rendered, filtered out */
	unsigned n_strikes;          /* events whose filter took far too long */
	int64_t strikes_since_ns;
};

struct view_link {
	struct channel_tap tap;
	struct view *view;
	struct channel *channel;
	struct filter *filter; /* borrowed from the subscription; NULL: all */
};

static inline struct loop *view_loop(const struct view *v)
{
	return v->all->registry->loop;
}

/* Adds the reader to view.readers only.  The caller puts it into view.ready or view.waiting.
 */
void view_add(struct view *v, struct view_reader *r);
void view_remove(struct view_reader *r);

/* Up to here everything is published, whether or not the view has seen it. */
event_id view_published(const struct view *v) must_check;

/* The newest id up to which all that this view shows has been published. */
event_id view_newest_id(const struct view *v) must_check;

/* Whether a reader that has everything up to `after` can join at the end of the log: it misses
 * nothing there, and gets nothing twice.
 */
bool view_may_join(const struct view *v, event_id after) must_check;

/* Sends what is new to all ready streams. */
void view_flush(struct view *v);

/* What its streams see of (after, upto], or of the last `tail` events up to there; not yet
 * submitted.
 */
struct replay *view_replay(const struct view *v, event_id after, event_id upto,
			   uint64_t tail) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * view - what one distinct subscription sees, rendered once for all its streams.
 *
 * Streams that asked for the same share one view, found by the subscription's
 * key.  Each event is matched and rendered once per view, its bytes appended to
 * the view's log with the FastCGI record headers already in place, compressed
 * where the clients take that; a stream only keeps a position.
 *
 *	log     | sent to all ready streams | not yet flushed |
 *	groups  |  0  |  1  |  2  |  3  |  4  |  5 (open)     |
 *
 * A group is whole events and whole records, so a stream may stop behind any
 * of them and go on from the journal.  The log is emptied at each flush unless
 * some stream is behind, and then bounded: who falls out of it reads the journal.
 */
#ifndef SLUICE_HUB_VIEW_H
#define SLUICE_HUB_VIEW_H

#include "channel/channel.h"
#include "hub/hub.h"
#include "hub/subscription.h"
#include "wire/gzip.h"

/* A window for each, and what all together may take before they get smaller. */
enum {
	VIEW_WINDOW = 4 * 1024 * 1024,
	VIEW_WINDOW_MIN = 64 * 1024,
	VIEW_WINDOWS_ALL = 256 * 1024 * 1024,
	VIEW_GROUP = 16 * 1024,
	VIEW_BUCKETS = 1024,
};

struct replay;
struct stream;

struct view_group {
	size_t at; /* in the log */
	event_id first, last;
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
	struct list link;   /* in hub.views */
	struct list by_key; /* in hub.view_buckets */
	struct hub *hub;
	struct subscription sub; /* owned */
	struct view_link *links; /* one per channel */

	struct buf log;
	struct view_group *groups;
	size_t n_groups, groups_room;
	uint64_t first_group; /* the position of groups[0]; positions only grow */
	bool is_open;         /* the last group takes further events */
	bool is_empty;        /* and has none yet */
	bool is_raw;          /* it is no event, but a heartbeat */
	event_id last;        /* of the newest event in it, or before it; 0 at first */
	struct gzip *gzip;    /* NULL: as it is */
	bool joins;           /* somebody begins with the next group: it looks back on nothing */

	struct list held; /* of view_held, by id */
	size_t held_bytes;
	bool has_disk; /* some channel publishes when its disk has it */
	/* Made while some were waiting: what was published before that, up to here, it
	 * has never seen.  Streams read it from the journal, and wait until they can.
	 */
	event_id from;
	struct list waiting; /* streams */

	/* Too dear for the loop (view_aside.c): it has seen everything up to `seen`, and a
	 * reader goes on from there.
	 */
	bool is_aside;
	event_id seen;
	struct replay *replay; /* in the helper's hands */
	struct loop_timer again;
	uint64_t reader; /* the client whose turn among the readers it uses: the first one */
	int64_t read_ns; /* loop time at which it last asked a reader */
	int64_t aside_until_ns, back_ns; /* loop times */
	int64_t aside_ns;                /* for how long it was put aside last */
	event_id missed_after, missed;   /* transient events not seen since; 0: none */
	struct spender spender;

	struct list ready; /* streams that have everything that was flushed */
	size_t n_streams;
	size_t n_behind;    /* streams with a position that are not ready */
	int64_t flushed_ns; /* loop time of the last flush */
	int64_t said_ns;    /* of the last one that had something */
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

/* The view of this subscription, made when it is the first to ask; counts one
 * stream more, to be given back with view_put().  Takes what `s` holds.  `reader` is the
 * client (reader_owner()), who pays for it as long as he is the only one.  NULL when there
 * are as many as are allowed.
 */
struct view *view_get(struct hub *h, struct subscription *s, uint64_t reader) must_check;
void view_put(struct view *v);
/* Whether view_get() would be refused. */
bool view_is_one_too_many(struct hub *h, const struct subscription *s) must_check;

/* The link of a view whose tap this is. */
struct view_link *view_link_of(struct channel_tap *t) must_check;

/* Whether who has everything up to `after` may join: all that comes then is, or will
 * be, in the log, and nothing before it.
 */
bool view_may_join(const struct view *v, event_id after);

/* The newest id up to which all that this view shows has been published. */
event_id view_head(const struct view *v);

/* Sends what is new to all ready streams. */
void view_flush(struct view *v);

/* What its streams see of (after, upto], or of the last `tail` events up to there; not yet
 * submitted.
 */
struct replay *view_replay(const struct view *v, event_id after, event_id upto,
			   uint64_t tail) must_check;

/* Closes the open group and returns the position behind it: the next event
 * will stand there.
 */
uint64_t view_end(struct view *v);

/* The same for one who begins there. */
uint64_t view_join(struct view *v);

/* The bytes from `pos` to the end, or of one group alone: 0, or -ESTALE when it
 * has left the window.  Valid until the next event or flush.
 */
int view_read(struct view *v, uint64_t pos, bool one_group, struct str *ret) must_check;

/* For a stream that stopped `n` bytes behind `pos`: moves *pos to the next
 * group boundary, gives the bytes up to it and the last id before it (*last
 * stays when that is before the log).
 */
struct str view_cut(struct view *v, uint64_t *pos, size_t n, event_id *last);

#endif

/* SPDX-License-Identifier: MIT
 *
 * view - what one distinct subscription sees, rendered once for all its streams.
 *
 * Streams that asked for the same channels and format share one view.  Each
 * event is rendered once per view, its bytes appended to the view's log with
 * the FastCGI record headers already in place; a stream only keeps a position.
 *
 *	log     | sent to all ready streams | not yet flushed |
 *	groups  |  0  |  1  |  2  |  3  |  4  |  5 (open)     |
 *
 * A group is whole events and whole records, so a stream may stop behind any
 * of them and go on from the journal.  The log is emptied at each flush unless
 * some stream is behind, and then bounded by VIEW_WINDOW: who falls out of it
 * reads the journal.
 */
#ifndef SLUICE_HUB_VIEW_H
#define SLUICE_HUB_VIEW_H

#include "hub/hub.h"
#include "hub/subscription.h"
#include "wire/record.h"

enum { VIEW_WINDOW = 4 * 1024 * 1024, VIEW_GROUP = 16 * 1024 };

struct stream;

struct view_group {
	size_t at; /* in the log */
	event_id first, last;
};

struct view {
	struct list link; /* in hub.views */
	struct hub *hub;
	struct channel *channels[SUBSCRIPTION_CHANNELS_MAX];
	size_t n_channels;
	struct view_link *links; /* one per channel */
	enum sse_data data;
	enum door_framing framing;
	int64_t coalesce_ns, heartbeat_ns, retry_ns;

	struct buf log;
	struct view_group *groups;
	size_t n_groups, groups_room;
	uint64_t first_group; /* the position of groups[0]; positions only grow */
	bool is_open;         /* the last group takes further events */
	event_id last;        /* of the newest event in it, or before it; 0 at first */

	struct list ready; /* streams that have everything that was flushed */
	size_t n_streams;
	size_t n_behind;    /* streams with a position that are not ready */
	int64_t flushed_ns; /* loop time of the last flush */
	struct loop_timer timer;
	struct loop_task task;
};

struct view_link {
	struct list link; /* in channel.views */
	struct view *view;
};

/* The view of this subscription, made when it is the first to ask; counts one
 * stream more, to be given back with view_put().
 */
struct view *view_get(struct hub *h, const struct subscription *s) must_check;
void view_put(struct view *v);

/* Appends an event to each view of its channel; they flush at the turn's end. */
void view_publish(struct channel *c, const struct event *ev);

/* Sends what is new to all ready streams. */
void view_flush(struct view *v);

/* Closes the open group and returns the position behind it: the next event
 * will stand there.
 */
uint64_t view_end(struct view *v);

/* The bytes from `pos` to the end: 0, or -ESTALE when it has left the window.
 * Valid until the next event or flush.
 */
int view_read(struct view *v, uint64_t pos, struct str *ret) must_check;

/* For a stream that stopped `n` bytes behind `pos`: moves *pos to the next
 * group boundary, gives the bytes up to it and the last id before it (*last
 * stays when that is before the log).
 */
struct str view_cut(struct view *v, uint64_t *pos, size_t n, event_id *last);

#endif

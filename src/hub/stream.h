/* SPDX-License-Identifier: MIT
 *
 * stream - one client's connection and its place in what it asked for.
 *
 *	          start from history          caught up
 *	  open ------------------> REPLAYING ----------> LIVE
 *	     \--- start from now --------------------->   | fell out of the
 *	                               ^                  | view's window
 *	                               \------------------/
 *
 * LIVE and nothing pending: the stream is on its view's ready list and costs
 * nothing until the view flushes.  Bytes that the front server does not take
 * are pending, at most one replay's output or the rest of one group, and the
 * stream waits for EPOLLOUT.
 */
#ifndef SLUICE_HUB_STREAM_H
#define SLUICE_HUB_STREAM_H

#include "hub/hub.h"
#include "hub/subscription.h"

struct stream;
struct replay;

enum stream_phase { STREAM_REPLAYING, STREAM_LIVE, STREAM_ENDED };

struct stream {
	struct list link;  /* in hub.streams */
	struct list ready; /* in view.ready while it has everything */
	struct hub *hub;
	struct view *view; /* counted */
	struct loop_io io;
	int fd; /* owned */
	uint16_t fcgi_id;
	enum door_framing framing;
	enum stream_phase phase;
	bool counts_behind;      /* is in view.n_behind */
	bool counts_catching_up; /* in hub.n_catching_up: until a replay's output is sent */
	bool is_caught_up;       /* the replay reached the view's position `pos` */
	struct buf pending;      /* whole records, the first perhaps cut */
	size_t pending_at;       /* bytes of it that were sent */
	uint64_t pos;            /* in the view: what comes after the replay */
	event_id after;          /* everything up to here was sent or is pending */
	/* Per channel: what had been dropped when it began is no gap.  Owned; NULL
	 * when the client came with a cursor.
	 */
	event_id *known_floors;
	struct replay *replay; /* in the helper's hands */
	struct loop_timer heartbeat;
	struct loop_task reaper;
	/* for the hello that waits until the tail is found; else tail is 0 */
	uint64_t tail;
};

/* Takes `fd`, whose response head is written already.  Never fails: a
 * descriptor that is of no use ends at once.
 */
void stream_open(struct hub *h, int fd, uint16_t fcgi_id, const struct subscription *s);

/* Sends what the view holds; called for streams on the ready list. */
void stream_flush(struct stream *s);

struct stream *stream_of_ready(struct list *e);

/* Goodbye for now: tells the client to come back after a while, and ends. */
void stream_say_bye(struct stream *s);

/* Ends all; their memory goes at the end of the turn. */
void streams_end_all(struct hub *h);

/* Milliseconds from `from` up to twice that, so that clients do not all come
 * back in one moment.
 */
int64_t jittered_ms(int64_t from);

#endif

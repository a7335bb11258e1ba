/* SPDX-License-Identifier: MIT
 *
 * stream - one client's connection and its place in what it asked for.
 *
 *	  open --> BEHIND --> READING --> CAUGHT_UP --> LAGGING <--> READY
 *	     \        ^ \<-------/            ^            |
 *	      \       |  \--> WAITING         |            | fell out of the view's window
 *	       \------|-----------------------/            |
 *	              \------------------------------------/
 *	  any of them --> LEAVING --> ENDED
 *
 * READY is one that has everything: it is on its view's list of these and costs nothing
 * until the view flushes.  Bytes that the front server does not take are pending in its
 * outlet, at most one replay's output or the rest of one group; nothing else happens
 * until they are gone.  A poll is a stream that ends with the first group.
 */
#ifndef SLUICE_STREAM_STREAM_H
#define SLUICE_STREAM_STREAM_H

#include "stream/admission.h"
#include "stream/manager.h"
#include "stream/outlet.h"
#include "stream/view.h"

struct replay;
struct quota;
struct quota_entry;

enum stream_state {
	STREAM_APART,     /* in no view */
	STREAM_BEHIND,    /* has to read the journal next */
	STREAM_READING,   /* a thread does so for it */
	STREAM_WAITING,   /* in view.waiting: what it would read next is not published yet */
	STREAM_CAUGHT_UP, /* goes on in the view, from its position there */
	STREAM_LAGGING,   /* in the view, and has not got all of its log */
	STREAM_READY,     /* in view.ready: has everything */
	STREAM_LEAVING,   /* nothing more is to come but what is pending */
	STREAM_ENDED,     /* closed; its memory goes soon */
};
enum { TOKEN_LEN = 32 };

/* All streams of a hub, and what they share. */
struct streams {
	struct registry *registry;
	struct views *views;
	const struct readers *readers;
	const struct access *access;
	struct quota *addresses, *users; /* owned */
	struct managers managers;
	struct list all; /* of struct stream, all that are open */
	size_t n;
	size_t n_admitted;    /* beside them, those that are about to be opened */
	size_t n_catching_up; /* of them, those that read the journal */
	uint64_t n_ever, n_heartbeats, n_gaps, n_slow, n_stalled, n_filters_lost;
};

struct stream {
	struct list link; /* in streams.all */
	struct streams *all;
	struct view_reader reader; /* its view is counted */
	struct outlet outlet;
	enum stream_state state; /* changed by stream_set_state() alone */
	bool is_poll;
	bool is_late;            /* a poll's time is over once it has looked */
	bool counts_catching_up; /* in streams.n_catching_up: until a replay's output is sent */
	bool joined_whole;       /* when the replay began, `pos` was a place to join at */
	bool wants_latest;       /* the next replay gives the newest of each kind alone */
	uint64_t pos;            /* in the view: what comes after the replay */
	event_id after;          /* everything up to here was sent or is pending */
	int64_t lags_since_ns;   /* loop time; while it does */
	/* Per channel: what had been dropped when it began is no gap.  Owned; NULL
	 * when the client came with a cursor.
	 */
	event_id *known_lows;
	struct subscription *next; /* a change that waits for the replay; owned */
	struct replay *replay;     /* in the helper's hands */
	struct loop_timer heartbeat;
	struct loop_task reaper;
	/* for the hello that waits until the tail is found; else tail is 0 */
	uint64_t tail;
	struct quota_entry *quotas[2]; /* of its address and user */
	struct identity who;           /* who has opened it; its names are those of `quotas` */
	struct managed managed;        /* by whom its end comes */
	char token[TOKEN_LEN + 1];     /* names it to who has it: changes and ends it */
};

/* Takes `fd`, whose response head is written already, and what `a`, which is counted, holds.
 * Never fails: a descriptor that is of no use ends at once.
 */
void stream_open(struct streams *all, int fd, const struct handoff_request *r, struct admission *a);

/* Whether it has seen all there is: what comes next is new. */
bool stream_is_live(const struct stream *s) must_check;

/* Whether its bye has been said: nothing more is to come. */
static inline bool stream_is_leaving(const struct stream *s)
{
	return s->state >= STREAM_LEAVING;
}

/* What a request to change it asks, in full: `channel` names all anew; else add= and
 * drop= change its channels, and what is not named stays.
 */
void stream_put_change(const struct stream *s, struct str query, struct buf *out);

/* From where it stands on it sees what `sub` asks; takes what that holds.  False
 * when there are too many subscriptions.
 */
bool stream_change(struct stream *s, struct subscription *sub) must_check;

/* Goodbye for now: tells the client to come back after a while, and ends. */
void stream_say_bye(struct stream *s, const char *reason, const char *message);

/* Milliseconds from `from` up to twice that, so that clients do not all come
 * back in one moment.
 */
int64_t jittered_ms(int64_t from);

#endif

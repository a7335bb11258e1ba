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
 * are pending in its outlet, at most one replay's output or the rest of one
 * group.  A poll is a stream that ends with the first group.
 */
#ifndef SLUICE_HUB_STREAM_H
#define SLUICE_HUB_STREAM_H

#include "access/access.h"
#include "hub/hub.h"
#include "hub/outlet.h"
#include "hub/subscription.h"

struct stream;
struct replay;
struct quota_entry;
struct manager;

enum stream_phase { STREAM_REPLAYING, STREAM_LIVE, STREAM_ENDED };
enum { TOKEN_LEN = 32 };

struct stream {
	struct list link;  /* in hub.streams */
	struct list ready; /* in view.ready while it has everything, or in view.waiting */
	struct hub *hub;
	struct view *view; /* counted */
	struct outlet outlet;
	enum stream_phase phase;
	bool is_poll;
	bool has_sent;           /* a poll has its answer */
	bool is_late;            /* its time is over once it has looked */
	bool counts_behind;      /* is in view.n_behind */
	bool counts_catching_up; /* in hub.n_catching_up: until a replay's output is sent */
	bool is_caught_up;       /* the replay reached the view's position `pos` */
	bool joined_whole;       /* that position was one to join at */
	bool wants_latest;       /* the next replay gives the newest of each kind alone */
	uint64_t pos;            /* in the view: what comes after the replay */
	event_id after;          /* everything up to here was sent or is pending */
	int64_t behind_since_ns; /* loop time; 0 while it is not */
	/* Per channel: what had been dropped when it began is no gap.  Owned; NULL
	 * when the client came with a cursor.
	 */
	event_id *known_floors;
	struct subscription *next; /* a change that waits for the replay; owned */
	struct replay *replay;     /* in the helper's hands */
	struct loop_timer heartbeat;
	struct loop_task reaper;
	/* for the hello that waits until the tail is found; else tail is 0 */
	uint64_t tail;
	struct quota_entry *quotas[2]; /* of its address and user */
	struct identity who;           /* who has opened it */
	struct manager *manager;       /* whose end is its end; or NULL */
	struct list of_manager;
	char token[TOKEN_LEN + 1]; /* names it to who has it: changes and ends it */
};

/* Takes `fd`, whose response head is written already, and what `sub` holds.
 * Never fails: a descriptor that is of no use ends at once.
 */
void stream_open(struct hub *h, int fd, const struct door_request *r, const struct identity *who,
		 struct subscription *sub);

/* The rights are others: says goodbye to those that have none any more. */
void streams_check_access(struct hub *h);

/* Its view is whole now. */
void stream_wake(struct stream *s);

/* Sends what the view holds; called for streams on the ready list. */
void stream_flush(struct stream *s);

struct stream *stream_of_ready(struct list *e);

/* Whether it has seen all there is: what comes next is new. */
bool stream_is_live(const struct stream *s) must_check;

/* The one that has this token, or NULL. */
struct stream *stream_find(struct hub *h, struct str token) must_check;

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

/* All streams of a view whose filter holds a regex that would not end. */
void streams_lose_filter(struct view *v, struct regex *slow);

/* Says goodbye to those that see a derived channel: it means something else now. */
void streams_of_derived_come_back(struct hub *h);

/* Ends all; their memory goes at the end of the turn. */
void streams_end_all(struct hub *h);

/* Milliseconds from `from` up to twice that, so that clients do not all come
 * back in one moment.
 */
int64_t jittered_ms(int64_t from);

#endif

/* SPDX-License-Identifier: MIT
 *
 * uplink - a source process's connection to the hub.
 *
 * Events and the newest cursor of each key are gathered into one frame, which
 * is sent when it is full, old enough, or there is nothing else to do; credits
 * from the hub say how much it takes.  The hub's death ends this process.
 */
#ifndef SLUICE_HOST_UPLINK_H
#define SLUICE_HOST_UPLINK_H

#include "wire/frame.h"
#include "wire/record.h"

struct dirty;

struct uplink {
	int fd;
	struct buf control; /* bytes from the hub, not yet whole frames */
	struct buf events;  /* the frame being gathered; empty when there is none */
	size_t begun;
	int64_t begun_ns;
	struct dirty *dirty; /* cursors of that frame; the first n_dirty are in use */
	size_t n_dirty, dirty_room, last_dirty;
	size_t dirty_bytes; /* what they will take in it, at most */
	int64_t credit;     /* bytes; a frame may be sent while it is positive */
	bool stopping;
	bool is_behind; /* the hub is: on_behind() has been told */
	/* What is for the floor above: frames that are not about the uplink. */
	void (*on_frame)(void *ctx, const struct frame *f);
	void (*on_behind)(void *ctx, bool is_behind);
	void *ctx;
};

void uplink_fini(struct uplink *u);

/* Whole frames, at once. */
void uplink_send(struct uplink *u, struct str frames);
void uplink_send_simple(struct uplink *u, enum frame_type type, struct str body);

/* Heeds what the hub has sent; with `wait` at least something. */
void uplink_hear(struct uplink *u, bool wait);

/* Whether another event would make the caller wait. */
bool uplink_is_full(const struct uplink *u);

/* Adds to the frame; then uplink_settle().  Borrows. */
void uplink_put_event(struct uplink *u, const struct event *ev);
void uplink_put_cursor(struct uplink *u, struct str key, struct str value);

/* Sends the frame if it is due, waiting for credit only when it is full.  0, or
 * -ECANCELED once the source has to stop: then the frame may have been dropped,
 * which loses nothing, for its cursors are dropped with it.
 */
int uplink_settle(struct uplink *u) must_check;
/* At the end: sends what there is, if the hub takes it within 1.5 s. */
void uplink_finish(struct uplink *u);
/* Sends what there is; waits for credit if told to. */
int uplink_flush(struct uplink *u, bool wait) must_check;

#endif

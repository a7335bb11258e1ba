/* SPDX-License-Identifier: MIT
 *
 * frame - what a source process and the hub say to each other.
 *
 * Both directions: length of the body (u32), type (u8), body.  The reader
 * keeps what is incomplete and refuses what is longer than it was told to
 * expect, before it allocates.
 */
#ifndef SLUICE_WIRE_FRAME_H
#define SLUICE_WIRE_FRAME_H

#include "base/bytes.h"

enum frame_type {
	/* hub to source */
	FRAME_OPEN = 1, /* mode, settings of the source, cursors */
	FRAME_CREDIT,   /* u32: bytes of events that may be sent further */
	FRAME_STOP,     /* finish within 3 s */
	FRAME_PING,     /* nothing: are you there */
	FRAME_RELOAD,   /* settings of the source that it can take over while it runs */
	/* source to hub */
	FRAME_DESCRIBE = 32, /* the plugin's tables */
	FRAME_OPENED,        /* options accepted */
	FRAME_REFUSED,       /* option name, message */
	FRAME_EVENTS,        /* records */
	FRAME_LOG,           /* level u8, text */
	FRAME_COUNTER,       /* name, value u64 */
	FRAME_END,           /* enum end_kind u8, message: why the plugin has ended */
	FRAME_PONG,          /* nothing: the answer to a ping */
	FRAME_CONFINED,      /* what its sandbox has, what it lacks */
	FRAME_WANT_LISTEN,   /* address, mode u32, owner, group, receive buffer u32 */
	FRAME_WANT_OPEN,     /* path */
	FRAME_RELOADED,      /* u8: 1 taken over, 0 start me anew */
	FRAME_LOG_DROPPED,   /* u64: lines that were not sent, for there were too many */
};

enum end_kind { END_LATER = 0, END_FOR_GOOD = 1, END_FINISHED = 2 };

enum { FRAME_HEAD = 5 };

struct frame {
	enum frame_type type;
	struct str body;
};

/* Starts a frame at the end of `out`; returns its place for frame_end(). */
size_t frame_begin(struct buf *out, enum frame_type type) must_check;
void frame_end(struct buf *out, size_t begun);

/* Takes the next whole frame from *rest, borrowing: 1, 0 when more bytes are
 * needed, -EMSGSIZE for a body longer than `max`.
 */
int frame_next(struct str *rest, size_t max, struct frame *ret) must_check;

#endif

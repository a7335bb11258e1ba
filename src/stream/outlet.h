/* SPDX-License-Identifier: MIT
 *
 * outlet - the connection to one front server: what was taken, what waits.
 *
 *	pending:  sent..at | at..len
 *
 * Knows descriptors and FastCGI framing, and nothing of events.  After the
 * hand-over a front server has nothing to say but that it is over.
 */
#ifndef SLUICE_STREAM_OUTLET_H
#define SLUICE_STREAM_OUTLET_H

#include "base/buf.h"
#include "loop/loop.h"
#include "wire/handoff.h"

struct outlet;

/* Called from the loop alone, never while the outlet is being given something. */
struct outlet_ops {
	void (*on_room)(struct outlet *o); /* all that was pending has been sent */
	void (*on_gone)(struct outlet *o); /* the peer is gone, or all is said: closed */
};

struct outlet {
	const struct outlet_ops *ops;
	struct loop *loop;
	struct loop_io io;
	int fd; /* owned; -1 once closed */
	uint16_t fcgi_id;
	enum handoff_framing framing;
	bool waits;   /* it took less than there was: until it has room again, or is lost */
	bool ends;    /* once all that is pending was sent */
	bool is_lost; /* the peer is gone, which `gone` will tell; takes nothing any more */
	struct buf pending;
	size_t pending_at;
	struct loop_task gone;
	int64_t moved_ns; /* loop time at which the peer last took something */
};

/* Takes `fd`.  0 or a negative errno: then it is closed. */
int outlet_open(struct outlet *o, struct loop *l, int fd, uint16_t fcgi_id,
		enum handoff_framing framing, const struct outlet_ops *ops) must_check;

/* Closes without a call of on_gone; may be called twice. */
void outlet_close(struct outlet *o);

static inline bool outlet_is_open(const struct outlet *o)
{
	return o->fd >= 0;
}

/* Whether it takes more at once; one that is lost does not. */
static inline bool outlet_is_clear(const struct outlet *o)
{
	return !o->pending.len && !o->waits;
}

/* Bytes that are framed already, while nothing is pending: returns how many were
 * taken.  The caller keeps what was not, with outlet_keep().
 */
size_t outlet_try(struct outlet *o, const char *p, size_t n) must_check;
void outlet_keep(struct outlet *o, const char *p, size_t n);

/* Frames `text` and sends it behind whatever is pending. */
void outlet_put(struct outlet *o, struct str text);

/* The same for bytes that are framed; takes the buffer's memory if it can. */
void outlet_put_framed(struct outlet *o, struct buf *bytes);

/* The end of the answer: said, then closed once all is sent. */
void outlet_end(struct outlet *o);

#endif

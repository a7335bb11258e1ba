/* SPDX-License-Identifier: MIT
 *
 * stream_internal - a stream as its own files see it.
 *
 *	stream_state.c   what state it is in, and its end
 *	stream_say.c     hello, gap, bye
 *	stream_live.c    from its view's log
 *	stream_past.c    from the journal, and too slow for its channels
 *	stream_change.c  goes on with another subscription
 *	stream.c         which of these is next, and when
 *
 * Each knows those above it here only.  A step does not call the next one: it sets the
 * state, and stream.c sees from that how to go on.
 */
#ifndef SLUICE_STREAM_STREAM_INTERNAL_H
#define SLUICE_STREAM_STREAM_INTERNAL_H

#include "stream/stream.h"

/* ---- stream_state.c */

/* Puts it into the view's lists and counts that go with the state. */
void stream_set_state(struct stream *s, enum stream_state state);

/* Whether what is pending, or being read, is of the past; for a fair share. */
void stream_set_catching_up(struct stream *s, bool catching_up);

/* Nothing more is to come but what is pending: it ends once that is sent. */
void stream_finish(struct stream *s);
/* The descriptor goes at once, the memory at the end of the turn. */
void stream_end(struct stream *s);

/* Of each channel of the view, what has been dropped by now; owned. */
event_id *stream_lows(const struct view *v) must_check;
void stream_forget_change(struct stream *s);

static inline struct loop *stream_loop(const struct stream *s)
{
	return s->all->registry->loop;
}

/* ---- stream_say.c */

/* Text for this client alone.  In a compressed stream only where what follows looks
 * back on nothing: before it joins, or at its end.
 */
void stream_say(struct stream *s, struct str text);
/* hello and changed: what the stream is from here on. */
void stream_put_state(struct stream *s, struct buf *out, event_id cursor, const char *type,
		      const char *mode);
void stream_put_gap(struct stream *s, struct buf *out, event_id from, event_id to,
		    const char *reason);

/* ---- stream_live.c */

/* Begins at the end of the view's log, which has to be its place if it has everything up to
 * s->after; else it is behind.
 */
void stream_join(struct stream *s);

/* Sends what its view's log holds for it: ready, lagging, or behind when that has left the
 * window.
 */
void stream_flush(struct stream *s);

/* A sign of life, if it needs one. */
void stream_beat(struct stream *s);

/* ---- stream_past.c */

/* Has a thread read on from s->after up to what is published now, unless it has to wait. */
void stream_read_past(struct stream *s, void (*done)(struct replay *r));
/* Sends what was read; takes `r`. */
void stream_take_read(struct stream *s, struct replay *r);

bool stream_is_too_slow(const struct stream *s) must_check;
/* For a stream that is too slow: applies the setting `slow` of its channels. */
void stream_leave_out(struct stream *s);
/* Says bye, because `slow` takes too long; NULL: the filter as a whole does. */
void stream_give_up_regex(struct stream *s, struct regex *slow);

/* ---- stream_change.c */

/* Takes what `sub` holds. */
void stream_note_change(struct stream *s, struct subscription *sub);
void stream_apply_change(struct stream *s);

#endif

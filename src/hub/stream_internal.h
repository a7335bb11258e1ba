/* SPDX-License-Identifier: MIT
 *
 * stream_internal - a stream as its own files see it: stream.c (life, live,
 * heartbeats), stream_past.c (catching up), stream_say.c, stream_change.c.
 */
#ifndef SLUICE_HUB_STREAM_INTERNAL_H
#define SLUICE_HUB_STREAM_INTERNAL_H

#include "hub/stream.h"

void stream_set_behind(struct stream *s, bool behind);
void stream_set_catching_up(struct stream *s, bool catching_up);

/* The descriptor goes at once, the memory at the end of the turn. */
void stream_end(struct stream *s);
/* Nothing more is to come but what is pending. */
void stream_finish(struct stream *s);

/* Text for this client alone.  In a compressed stream only where what follows looks
 * back on nothing: before it joins, or at its end.
 */
void stream_say(struct stream *s, struct str text);
/* hello and changed: what the stream is from here on. */
void stream_put_state(struct stream *s, struct buf *out, event_id cursor, const char *type,
		      const char *mode);
void stream_put_gap(struct stream *s, struct buf *out, event_id from, event_id to,
		    const char *reason);

/* Does what comes next, once nothing is pending and no replay is under way. */
void stream_advance(struct stream *s);
bool stream_is_too_slow(const struct stream *s);
/* NULL: all of its filter together. */
void stream_give_up_regex(struct stream *s, struct regex *slow);
/* A poll is answered by one group. */
void stream_end_poll(struct stream *s);

/* Of each channel of the view, what has been dropped by now; owned. */
event_id *stream_floors(const struct view *v) must_check;
void stream_apply_change(struct stream *s);
void stream_forget_change(struct stream *s);

#endif

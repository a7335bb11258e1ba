/* SPDX-License-Identifier: MIT
 *
 * view_internal - a view as its own files see it: view.c (its log and its readers),
 * view_aside.c (beside the loop), views.c (all of them, and what is published to them).
 */
#ifndef SLUICE_STREAM_VIEW_INTERNAL_H
#define SLUICE_STREAM_VIEW_INTERNAL_H

#include "stream/view.h"

/* Takes what `sub` holds; sees no channel yet. */
struct view *view_new(struct views *all, struct subscription *sub) must_check;
/* Its timers run no more. */
void view_stop(struct view *v);
void view_free(struct view *v);

/* Appends the event, in its order; false when too many wait already. */
bool view_take(struct view_link *of, const struct event *ev) must_check;

/* Appends those that waited and have nothing older to wait for any more. */
void view_take_held(struct view *v);

/* Serves the streams that wait until the view has seen more. */
void view_wake_waiting(struct view *v);

/* Its filter would not end; see view_reader_ops. */
void view_lose(struct view *v, struct regex *slow);

/* Puts the view aside: it will not see `ev` or anything after it. */
void view_put_aside(struct view *v, const struct event *ev);
/* Something was published that a view put aside has not seen. */
void view_aside_note(struct view *v, const struct event *ev);
/* Before it is freed.  True if the thread that works on it will free it later. */
bool view_aside_end(struct view *v) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * view_internal - a view as its own files see it: view.c (live), view_aside.c (beside the
 * loop).
 */
#ifndef SLUICE_HUB_VIEW_INTERNAL_H
#define SLUICE_HUB_VIEW_INTERNAL_H

#include "hub/view.h"

/* Up to here everything is published, whether or not the view has seen it. */
event_id view_published(const struct view *v) must_check;

/* Appends events that a reader has matched and rendered: whole groups up to `last`. */
void view_append_rendered(struct view *v, struct str bytes, event_id last);

/* Serves the streams that wait until the view has seen more. */
void view_wake_waiting(struct view *v);
void view_free(struct view *v);

/* Puts the view aside: it will not see `ev` or anything after it. */
void view_put_aside(struct view *v, const struct event *ev);
/* Something was published that a view put aside has not seen. */
void view_aside_note(struct view *v, const struct event *ev);
/* Before it is freed.  True if the reader that works on it will free it later. */
bool view_aside_end(struct view *v) must_check;

#endif

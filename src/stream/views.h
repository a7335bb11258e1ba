/* SPDX-License-Identifier: MIT
 *
 * views - makes a view for each distinct subscription, and shows it what is published.
 */
#ifndef SLUICE_STREAM_VIEWS_H
#define SLUICE_STREAM_VIEWS_H

#include "stream/view.h"

/* Borrows both. */
void views_init(struct views *all, struct registry *r, const struct readers *readers);
/* Once no stream is left. */
void views_fini(struct views *all);

/* The view of this subscription, made when it is the first to ask; counts one
 * stream more, to be given back with view_put().  Takes what `s` holds.  `owner` is the
 * client (reader_owner()): its time is charged to this client until another one uses the
 * view too.  NULL when the limit of views is reached.
 */
struct view *view_get(struct views *all, struct subscription *s, uint64_t owner) must_check;
void view_put(struct view *v);
/* Whether view_get() would be refused. */
bool view_is_one_too_many(const struct views *all, const struct subscription *s) must_check;

/* How many streams see what this channel publishes. */
size_t views_count_streams(const struct channel *c) must_check;

void views_flush_all(struct views *all);

#endif

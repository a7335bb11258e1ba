/* SPDX-License-Identifier: MIT
 *
 * streams - all streams of a hub: finding one, and what concerns many.
 */
#ifndef SLUICE_STREAM_STREAMS_H
#define SLUICE_STREAM_STREAMS_H

#include "stream/stream.h"

/* Borrows all of these. */
void streams_init(struct streams *all, struct views *views, const struct access *access);
/* Once all have ended, and their memory is gone. */
void streams_fini(struct streams *all);

/* The one that has this token, or NULL. */
struct stream *streams_find(struct streams *all, struct str token) must_check;

/* The rights are others: says goodbye to those that have none any more. */
void streams_check_access(struct streams *all);

/* Says goodbye to those that see a derived channel: it means something else now. */
void streams_of_derived_come_back(struct streams *all);

/* Says goodbye to so many at most. */
void streams_say_bye(struct streams *all, size_t n, const char *reason);

/* How many have something to send that their clients have not taken. */
size_t streams_count_pending(const struct streams *all) must_check;

/* Loop time at which some client last took something; 0 when there are none. */
int64_t streams_moved_ns(const struct streams *all) must_check;

/* Ends all; their memory goes at the end of the turn. */
void streams_end_all(struct streams *all);

#endif

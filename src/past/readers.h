/* SPDX-License-Identifier: MIT
 *
 * readers - the threads that read the journals beside the loop.
 */
#ifndef SLUICE_PAST_READERS_H
#define SLUICE_PAST_READERS_H

#include "access/access.h"
#include "filter/filter.h"
#include "loop/helper.h"

struct readers {
	struct helper *helper;
	struct filter_run *runs; /* one for each of its threads; owned */
	size_t n;
};

/* 0 or a negative errno, *why an owned sentence. */
int readers_start(struct readers *r, struct loop *l, char **why) must_check;

/* Each thread finishes the job it is working on, and ends.  For jobs that still wait, done() is
 * called without work().
 */
void readers_stop(struct readers *r);

/* What a client needs the readers for.  Each kind has turns of its own, so a page does not wait
 * for all streams of the same client, or of all clients behind one proxy.
 */
enum reading { READS_PAGE, READS_STREAM, READS_VIEW, READS_SEARCH };
uint64_t reader_owner(const struct identity *who, enum reading what) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * sealing - compresses the full segments of all journals, one after the other, in a thread that
 * leaves the processor to the loop.
 *
 *	idle -> working (thread) -> put in place (loop) -> idle ...
 *
 * The original stays until its sealed form is whole and on the disk, so whatever happens
 * meanwhile loses nothing.
 */
#ifndef SLUICE_CHANNEL_SEALING_H
#define SLUICE_CHANNEL_SEALING_H

#include <stdatomic.h>

#include "channel/registry.h"
#include "journal/segment.h"
#include "loop/helper.h"

struct sealing {
	struct registry *registry; /* borrowed */
	struct helper *helper;     /* owned */
	struct helper_job job;
	struct loop_timer timer;
	bool is_working;
	bool has_failed; /* a failure was logged since the last success */
	atomic_bool is_cancelled;
	/* what is worked on */
	struct channel *channel;         /* held */
	struct segment *segment, *fresh; /* refs */
	struct segment seen;             /* `segment` as the thread sees it; borrows what it has */
	char *path;
	int error;
	size_t turn;               /* of which channel it is */
	int64_t pause_ns, from_ns; /* after a failure: how long, and until when (loop time) */
	uint64_t n_sealed, bytes_before, bytes_after; /* ever */
};

/* 0, or a negative errno with *why an owned sentence. */
int sealing_start(struct sealing *s, struct registry *r, char **why) must_check;

/* Bytes of the disk that are only taken for a moment. */
uint64_t sealing_bytes(const struct sealing *s) must_check;

/* Cancels the current job. */
void sealing_stop(struct sealing *s);

#endif

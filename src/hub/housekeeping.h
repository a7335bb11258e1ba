/* SPDX-License-Identifier: MIT
 *
 * housekeeping - what a hub looks after every few seconds: old history, free space, rights
 * that were revoked, memory, descriptors.
 */
#ifndef SLUICE_HUB_HOUSEKEEPING_H
#define SLUICE_HUB_HOUSEKEEPING_H

#include "channel/expiry.h"
#include "channel/free_space.h"
#include "channel/sealing.h"
#include "loop/loop.h"

struct hub;

struct housekeeping {
	struct loop_timer timer;
	struct expiry expiry;
	struct free_space free_space;
	struct sealing sealing;
	uint64_t revoked_seen;   /* generation that the streams were checked against */
	int64_t longest_turn_ns; /* of the loop in the last interval; CPU */
	size_t held_bytes;       /* of memory, after it was given back last */
};

/* 0, or a negative errno with *why an owned sentence. */
int housekeeping_start(struct hub *h, char **why) must_check;
void housekeeping_stop(struct hub *h);

#endif

/* SPDX-License-Identifier: MIT
 *
 * helper - threads beside the loop, for work that takes long or reads disks.
 *
 * A job's work() runs in one of the threads and may touch only the job; its done()
 * runs in the loop afterwards.  Jobs are taken in turns of their owners.  Those of
 * one owner are begun, and with a single thread done, in the order in which they were
 * submitted.
 */
#ifndef SLUICE_LOOP_HELPER_H
#define SLUICE_LOOP_HELPER_H

#include <stdbool.h>

#include "loop/loop.h"

struct helper;

struct helper_job {
	struct list link;
	uint64_t owner; /* whose turn it uses */
	size_t thread;  /* the number of the one that does the work, while it does */
	bool is_waiting;
	void (*work)(struct helper_job *job);
	void (*done)(struct helper_job *job);
};

/* By how much the threads leave the processor to others where both want it, as in nice(2). */
enum helper_rank {
	HELPER_EQUAL = 0,  /* to the loop */
	HELPER_BEHIND = 3, /* somebody waits for it, but what is live goes first */
	HELPER_LAST = 6,   /* nobody waits for it */
};

/* 0 or a negative errno, *why an owned sentence. */
int helper_new(struct loop *l, size_t n_threads, enum helper_rank rank, struct helper **ret,
	       char **why) must_check;

/* Ends each thread after the job that it is at; those that wait are done() without
 * their work().
 */
void helper_free(struct helper *h);

/* Whether helper_free() has been called: nothing is taken any more. */
bool helper_is_ending(const struct helper *h) must_check;

/* Borrows `job` until its done(). */
void helper_submit(struct helper *h, struct helper_job *job);

/* Gives back a job that has not begun: neither work() nor done() will be called.  False
 * when it is too late for that.
 */
bool helper_take_back(struct helper *h, struct helper_job *job) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * helper - one thread beside the loop, for work that reads disks.
 *
 * A job's work() runs in the thread and may touch only the job; its done()
 * runs in the loop afterwards, in the order in which jobs were submitted.
 */
#ifndef SLUICE_LOOP_HELPER_H
#define SLUICE_LOOP_HELPER_H

#include "loop/loop.h"

struct helper;

struct helper_job {
	struct list link;
	void (*work)(struct helper_job *job);
	void (*done)(struct helper_job *job);
};

/* 0 or a negative errno, *why an owned sentence. */
int helper_new(struct loop *l, struct helper **ret, char **why) must_check;

/* Ends the thread after the job that it is at; those that wait are done() without
 * their work().
 */
void helper_free(struct helper *h);

/* Whether helper_free() has been called: nothing is taken any more. */
bool helper_is_ending(const struct helper *h) must_check;

/* Borrows `job` until its done(). */
void helper_submit(struct helper *h, struct helper_job *job);

#endif

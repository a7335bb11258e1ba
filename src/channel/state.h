/* SPDX-License-Identifier: MIT
 *
 * state - the state directory: its lock, and the epoch of the ids.
 *
 * The epoch stays as long as the journals can vouch for every id that was
 * handed out.  After the machine itself went down without notice they cannot:
 * what was only in the page cache is gone, so a new epoch begins.  The same when
 * the directory is a copy, or was restored from one: what is in it may be old.
 */
#ifndef SLUICE_CHANNEL_STATE_H
#define SLUICE_CHANNEL_STATE_H

#include "wire/id.h"

/* Makes the directory where it is missing and takes its lock, waiting up to
 * `wait_ms` for a predecessor that is just ending.  Returns the lock's
 * descriptor, inherited by children on purpose so that it is held until the
 * last of them is gone; or a negative errno with *why an owned sentence.
 */
int state_lock(const char *dir, int wait_ms, char **why) must_check;

/* Reads or begins the epoch.  0 or a negative errno, *why an owned sentence. */
int state_open(const char *dir, char epoch[EPOCH_MAX + 1], char **why) must_check;

/* Begins a new epoch: 0 or a negative errno, *why an owned sentence. */
int state_new_epoch(const char *dir, char epoch[EPOCH_MAX + 1], char **why) must_check;

int state_mark_clean(const char *dir, const char *epoch) must_check;

#endif

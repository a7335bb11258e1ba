/* SPDX-License-Identifier: MIT
 *
 * workers - the hub and the responders as processes: started, heard, started again.
 */
#ifndef SLUICE_SUPERVISOR_WORKERS_H
#define SLUICE_SUPERVISOR_WORKERS_H

#include "supervisor/supervisor_internal.h"

/* Starts another one of that kind. */
void workers_add(struct supervisor *s, enum worker_kind kind);
/* As many responders as the settings say. */
void workers_add_responders(struct supervisor *s);

/* SIGTERM to all, then the loop ends; SIGKILL when they take too long, or when this is
 * called again.
 */
void workers_stop(struct supervisor *s);
/* Forgets those that have ended. */
void workers_free(struct supervisor *s);

/* Kills what is a child of ours and was started by a hub that is no more. */
void workers_end_orphans(struct loop *l);

/* To all of a kind; those that are told to end are not started again. */
void workers_signal(struct supervisor *s, enum worker_kind kind, int signo);
bool workers_run(const struct supervisor *s, enum worker_kind kind) must_check;
/* None that has ended starts again by itself. */
void workers_hold(struct supervisor *s);
/* Starts those that are there, and do not run. */
void workers_start(struct supervisor *s);

/* Takes over where to listen, which is open already, and how many responders. */
void workers_replace_responders(struct supervisor *s, const struct fd_map *listen, size_t n);

/* Sends the hub other settings (a descriptor, borrowed).  0, or -ENOTCONN while
 * there is none: the next one will start with supervisor.config_fd.
 */
int workers_tell_hub(struct supervisor *s, enum control what, int fd) must_check;

/* The hub sends its clients away over so many milliseconds; -1: no more.  0 or
 * -ENOTCONN; the answer comes later.
 */
int workers_drain_hub(struct supervisor *s, int64_t over_ms) must_check;

#endif

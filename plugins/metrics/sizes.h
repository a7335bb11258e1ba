/* SPDX-License-Identifier: MIT
 *
 * sizes - what statvfs(3) says of mount points, of which some may hang.
 *
 * Of a dead network mount it hangs, and cannot be interrupted.  So each mount point is asked by
 * a thread of its own.  One that is still at it is not asked again, and everything else goes on.
 */
#ifndef METRICS_SIZES_H
#define METRICS_SIZES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/statvfs.h>

struct sizes;

struct sizes *sizes_new(void);
/* Threads that hang keep what they hold: the process ends right after. */
void sizes_free(struct sizes *z);

/* A tick begins.  Mount points that the last one did not ask are forgotten. */
void sizes_begin(struct sizes *z);
void sizes_ask(struct sizes *z, const char *dir);
/* Until all that were asked in this tick have answered, or the time is over. */
void sizes_wait(struct sizes *z, int64_t timeout_ns);

struct sizes_answer {
	bool is_there; /* else it hangs */
	int error;     /* an errno; then `st` is not valid */
	struct statvfs st;
};

/* Of a mount point that was asked in this tick. */
struct sizes_answer sizes_get(struct sizes *z, const char *dir);

#endif

/* SPDX-License-Identifier: MIT
 *
 * nursery - a process of this program that is ready to become source processes.
 *
 * Starting the program takes milliseconds and a private copy of all that its libraries
 * relocate.  The nursery has done that once; it loads no plugin and takes no part in
 * anything.  What it forks belongs to the process that asks, which must be a subreaper
 * (prctl(2)): its child, as if it had started it itself.
 */
#ifndef SLUICE_HOST_NURSERY_H
#define SLUICE_HOST_NURSERY_H

#include "base/process.h"

struct nursery {
	pid_t pid; /* a child of the process that asks; 0 while there is none */
	int fd;    /* -1 while there is none */
};

/* 0 or a negative errno. */
int nursery_open(struct nursery *n) must_check;
/* The nursery exits when its socket is closed; the caller reaps it. */
void nursery_close(struct nursery *n);

/* Whether it answers at once: 0, or -ETIMEDOUT after some milliseconds.  Of one that has just
 * been opened nobody knows.
 */
int nursery_check(const struct nursery *n) must_check;

/* A new source process with these descriptors and nothing else but standard input, that ends
 * with the calling process; `name` and `type` are what ps(1) shows.  Its pid, or a negative errno:
 * -ETIMEDOUT of a nursery that hangs.
 */
pid_t nursery_start(const struct nursery *n, const char *name, const char *type,
		    const struct fd_map *map, size_t n_map) must_check;

/* The nursery itself: for `asker`, which has started it, with all arguments of this process
 * from argv[0] on.  `become` runs in each process that it forks.  The exit status.
 */
int nursery_main(pid_t asker, char **argv, int (*become)(void));

#endif

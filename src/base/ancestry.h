/* SPDX-License-Identifier: MIT
 *
 * ancestry - whether a process has been started by another one, however many generations lie
 * between them.
 *
 * A process whose parents have ended belongs to the nearest subreaper above it (prctl(2)), so
 * below one that is a subreaper, descendants stay descendants.
 */
#ifndef SLUICE_BASE_ANCESTRY_H
#define SLUICE_BASE_ANCESTRY_H

#include <sys/types.h>

#include "base/attr.h"

/* How many generations who has connected to this unix socket is below `ancestor`: 1 for a
 * child, 0 for itself; -ESRCH when it is not below it, as far as this process may see;
 * -ESTALE when it has ended, so that nobody can tell any more; another negative errno.
 * *child is the child of `ancestor` that it is, or that it is below of.
 */
int ancestry_of_peer(int fd, pid_t ancestor, pid_t *child) must_check;

/* The process that has connected to, or listens at the other end of, a unix socket; 0 when
 * this process cannot see it.
 */
pid_t ancestry_peer(int fd);

#endif

/* SPDX-License-Identifier: MIT
 *
 * manager - a web server's process that has spawned responders, and the streams that came
 * by them.
 *
 * Apache waits at its end for the threads that read streams, and they wait for the next
 * byte.  Its process manager is gone by then: so the streams end with it.  It ends single
 * responders for other reasons as well, such as FcgidBusyTimeout; their streams live on.
 */
#ifndef SLUICE_HUB_MANAGER_H
#define SLUICE_HUB_MANAGER_H

#include <sys/types.h>

#include "hub/hub.h"

struct stream;
struct manager;

/* The stream gets its bye when that process exits.  Nothing changes if the process cannot
 * be watched, for example in another namespace.
 */
void manager_join(struct hub *h, pid_t pid, struct stream *s);
/* The stream has ended. */
void manager_leave(struct stream *s);

#endif

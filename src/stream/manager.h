/* SPDX-License-Identifier: MIT
 *
 * manager - a web server's process that has spawned responders, and the streams that came
 * by them.
 *
 * Apache waits at its end for the threads that read streams, and they wait for the next
 * byte.  Its process manager is gone by then: so the streams end with it.  It ends single
 * responders for other reasons as well, such as FcgidBusyTimeout; their streams live on.
 */
#ifndef SLUICE_STREAM_MANAGER_H
#define SLUICE_STREAM_MANAGER_H

#include <sys/types.h>

#include "loop/loop.h"

struct manager;
struct managed;

struct managers {
	struct loop *loop;
	struct list all; /* of struct manager */
	void (*on_exited)(struct managed *m);
};

/* Embedded in what ends with a manager; all zero: nothing does. */
struct managed {
	struct manager *manager;
	struct list link; /* in manager.streams */
};

/* `on_exited` is called for each that joined a process when that exits. */
void managers_init(struct managers *all, struct loop *l, void (*on_exited)(struct managed *m));

/* Nothing changes if the process cannot be watched, for example in another namespace. */
void manager_join(struct managers *all, pid_t pid, struct managed *m);
/* The stream has ended. */
void manager_leave(struct managed *m);

#endif

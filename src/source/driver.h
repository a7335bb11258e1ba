/* SPDX-License-Identifier: MIT
 *
 * driver - one source process, driven by a command instead of the hub: for
 * asking a plugin about itself, trying it out, testing it.
 */
#ifndef SLUICE_SOURCE_DRIVER_H
#define SLUICE_SOURCE_DRIVER_H

#include <sys/types.h>

#include "host/nursery.h"
#include "host/opening.h"
#include "source/grant.h"

struct driver {
	const struct source_settings *settings; /* borrowed */
	pid_t pid;
	int fd, grant_fd;
	struct buf in;
	size_t used; /* bytes of `in` that the last frame was */
	struct grants grants;
};

/* Starts it; in a nursery, where there is one.  0, or a negative errno with *why an owned
 * sentence.
 */
int driver_start(struct driver *d, const struct nursery *nursery, enum opening_mode mode,
		 const struct source_settings *settings, struct str cursors, char **why) must_check;

/* The next frame, borrowed until the next call: 1; 0 when `timeout_ms` are over
 * (-1: never); -EPIPE when the process has ended; -EBADMSG for what is no frame.
 * Wishes for sockets and files are answered on the way.
 */
int driver_next(struct driver *d, int timeout_ms, struct frame *ret) must_check;

/* Sends it a frame. */
void driver_send(struct driver *d, enum frame_type type, struct str body);
void driver_credit(struct driver *d, uint32_t bytes);

/* Whether it has ended by itself within `patience_ms`; else it is killed.  *status is
 * waitpid(2)'s; may be NULL.
 */
bool driver_end(struct driver *d, int patience_ms, int *status);

#endif

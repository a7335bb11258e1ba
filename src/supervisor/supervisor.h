/* SPDX-License-Identifier: MIT
 *
 * supervisor - the first process: keeps the sockets, the lock, and the others alive.
 *
 * It runs no plugin and parses no request, so there is little that could end
 * it.  The listening sockets are its own and stay open while a hub or a
 * responder is started again: requests wait in their backlogs.
 */
#ifndef SLUICE_SUPERVISOR_SUPERVISOR_H
#define SLUICE_SUPERVISOR_SUPERVISOR_H

#include "conf/settings.h"

/* What `sluice run` is.  Takes the settings; returns the exit status.  One that is
 * attached was started for a web server: it listens nowhere, has no responders, and ends
 * when nobody has used it for hub.linger.
 */
int supervise(struct settings *taken, bool is_attached);

#endif

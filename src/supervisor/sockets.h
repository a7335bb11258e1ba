/* SPDX-License-Identifier: MIT
 *
 * sockets - what a supervisor holds for all others: the lock of the state directory, the
 * hub's gate, and where requests come in.
 */
#ifndef SLUICE_SUPERVISOR_SOCKETS_H
#define SLUICE_SUPERVISOR_SOCKETS_H

#include "supervisor/supervisor_internal.h"

/* Inherited from a predecessor, systemd's, or new.  0, or -1 with *why an owned
 * sentence; sockets_close() either way.
 */
int sockets_open(struct supervisor *s, char **why) must_check;

/* Removes their files as well, but for those that are systemd's. */
void sockets_close(struct supervisor *s);

/* Settings without sockets and responders of their own: those are the web server's. */
void sockets_leave_to_web_server(struct settings *s);

#endif

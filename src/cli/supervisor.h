/* SPDX-License-Identifier: MIT
 *
 * supervisor - the first process: keeps the sockets, the lock, and the others alive.
 *
 * It runs no plugin and parses no request, so there is little that could end
 * it.  The listening sockets are its own and stay open while a hub or a
 * responder is started again: requests wait in their backlogs.
 */
#ifndef SLUICE_CLI_SUPERVISOR_H
#define SLUICE_CLI_SUPERVISOR_H

/* Descriptors as the hub and the responders find them. */
enum { HUB_GATE_FD = 3, HUB_CONFIG_FD = 4, RESPONDER_FIRST_FD = 3 };

/* Exit status of a hub that cannot open its state: said in its log. */
enum { HUB_CANNOT_OPEN = 3 };

#endif

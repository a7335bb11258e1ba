/* SPDX-License-Identifier: MIT
 *
 * listen - the sockets that front servers and responders connect to.
 */
#ifndef SLUICE_CLI_LISTEN_H
#define SLUICE_CLI_LISTEN_H

#include "base/attr.h"

/* "unix:/path" or "tcp:host:port".  A socket file that nobody listens on any
 * more is replaced.  The descriptor, or -1 with *why an owned sentence.
 */
int listen_open(const char *address, char **why) must_check;

/* A SEQPACKET socket for the responders, mode 0600. */
int listen_open_gate(const char *path, char **why) must_check;

/* Removes the socket file of an address, if it is one. */
void listen_unlink(const char *address);

#endif

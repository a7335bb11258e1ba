/* SPDX-License-Identifier: MIT
 *
 * listen - the sockets that front servers, responders and commands connect to.
 */
#ifndef SLUICE_SUPERVISOR_LISTEN_H
#define SLUICE_SUPERVISOR_LISTEN_H

#include <sys/types.h>

#include "base/attr.h"

/* "unix:/path" or "tcp:host:port".  A socket file that nobody listens on any
 * more is replaced.  The descriptor, or a negative errno with *why an owned
 * sentence.
 */
int listen_open(const char *address, char **why) must_check;

/* A unix socket of a type such as SOCK_SEQPACKET, of that mode. */
int listen_open_unix(const char *path, int type, mode_t mode, char **why) must_check;

/* Removes the socket file of an address, if it is one. */
void listen_unlink(const char *address);

#endif

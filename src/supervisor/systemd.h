/* SPDX-License-Identifier: MIT
 *
 * systemd - what a service manager gives and wants: sockets, and signs of life.
 *
 * Everywhere else all of it does nothing.
 */
#ifndef SLUICE_SUPERVISOR_SYSTEMD_H
#define SLUICE_SUPERVISOR_SYSTEMD_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* The socket of socket activation that listens on "unix:/path" or "tcp:host:port";
 * -1 when there is none.
 */
int systemd_socket(const char *address) must_check;

/* sd_notify(3): "READY=1" and the like, a line each. */
void systemd_notify(const char *text);

/* How often it wants to hear from us, in nanoseconds; 0: it does not. */
int64_t systemd_watchdog_ns(void) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * watchdog - whether the hub and the responders still answer, and telling systemd of us.
 *
 * A process that hangs, or was stopped, accepts nothing and says nothing.  Each is asked
 * every few seconds; one that owes an answer for too long is killed, and the supervisor
 * starts another one.
 */
#ifndef SLUICE_SUPERVISOR_WATCHDOG_H
#define SLUICE_SUPERVISOR_WATCHDOG_H

#include "supervisor/supervisor_internal.h"

void watchdog_start(struct supervisor *s);

/* The hub has answered; it is asked on its control socket. */
void watchdog_hears_hub(struct supervisor *s);

/* Opens what a responder is asked on.  Returns its end, for the caller to close, or a
 * negative errno.
 */
int watchdog_open(struct worker *w) must_check;
/* May be called twice. */
void watchdog_close(struct worker *w);

#endif

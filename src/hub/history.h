/* SPDX-License-Identifier: MIT
 *
 * history - one page of the past, read by a helper thread and answered on the
 * request's own descriptor.
 *
 * Backwards from `before` (or the newest), or forwards from `after`; what was not
 * looked at for want of time is named by a cursor, so that the next request goes
 * on there.
 */
#ifndef SLUICE_HUB_HISTORY_H
#define SLUICE_HUB_HISTORY_H

#include "hub/subscription.h"

/* Takes `fd`, whose response head is written already, and what `sub` holds. */
void history_open(struct hub *h, int fd, const struct door_request *r, const struct identity *who,
		  struct subscription *sub);

/* Loop time at which a client last took something of a page; now while one is read. */
int64_t histories_moved_ns(const struct hub *h) must_check;

/* Ends all; for the end of the hub. */
void histories_end_all(struct hub *h);

#endif

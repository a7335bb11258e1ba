/* SPDX-License-Identifier: MIT
 *
 * drain - sends the streams away: for a while (`sluice drain`), or before the hub exits.
 *
 * A goodbye stands behind what a stream has to send already.  Closed at once, a client
 * that is reading, but not as fast as that, would never see it.
 */
#ifndef SLUICE_HUB_DRAIN_H
#define SLUICE_HUB_DRAIN_H

#include "loop/loop.h"

struct hub;

struct drain {
	bool is_on; /* no new streams are taken */
	struct loop_timer pace;
	int64_t ends_ns; /* loop time */
	struct loop_timer look;
	int64_t gives_up_ns; /* loop time */
	void (*done)(void *ctx);
	void *ctx;
};

/* Sends all streams away, one after the other over that time, and takes no new ones
 * until hub_undrain().
 */
void hub_drain(struct hub *h, int64_t over_ns);
void hub_undrain(struct hub *h);

/* Takes no more requests and says bye on every stream.  `done` is called once they have
 * taken it; those that take nothing for two seconds are not waited for, and none is for
 * more than five seconds.
 */
void hub_shutdown(struct hub *h, void (*done)(void *ctx), void *ctx);

void drain_cancel(struct hub *h);

#endif

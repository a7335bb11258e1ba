/* SPDX-License-Identifier: MIT
 *
 * drain - sends the streams away: for a while (`sluice drain`), or before the hub exits.
 *
 * The `bye` of a stream is queued after everything it still has to send.  If the hub closed
 * the streams at once, a client that reads slowly would never receive it.
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

/* Ends all streams one after the other, spread over `over_ns`, and accepts no new ones
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

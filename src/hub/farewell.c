/* SPDX-License-Identifier: MIT
 *
 * farewell - sends every client its bye before the hub exits.
 *
 * A goodbye stands behind what a stream has to send already.  Closed at once, a client
 * that is reading, but not as fast as that, would never see it.
 */
#include "base/clock.h"
#include "hub/gate.h"
#include "hub/hub.h"

#define LOOK_NS    (20 * NS_PER_MS)
#define DEAF_NS    (2 * NS_PER_SEC)
#define AT_MOST_NS (5 * NS_PER_SEC)

static void on_look(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, farewell);
	int64_t now = loop_now(h->loop);
	int64_t moved_ns = MAX(streams_moved_ns(&h->streams), pages_moved_ns(&h->pages));
	bool is_over = !h->streams.n && !h->pages.n_open;
	if (is_over || now - moved_ns > DEAF_NS || now > h->farewell_ends_ns)
		h->on_drained(h->on_drained_ctx);
	else
		loop_timer_set(h->loop, t, now + LOOK_NS);
}

void hub_drain(struct hub *h, void (*done)(void *ctx), void *ctx)
{
	h->is_draining = true;
	gate_close(h->gate);
	h->gate = NULL;
	views_flush_all(&h->views);
	streams_say_bye(&h->streams, SIZE_MAX, "shutdown");
	h->on_drained = done;
	h->on_drained_ctx = ctx;
	h->farewell.fn = on_look;
	h->farewell_ends_ns = loop_now(h->loop) + AT_MOST_NS;
	on_look(&h->farewell);
}

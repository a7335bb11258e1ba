/* SPDX-License-Identifier: MIT
 *
 * idle - notices that nobody has used the hub for a while.
 */
#include "base/clock.h"
#include "hub/hub.h"
#include "hub/responder_server.h"

static void on_look(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, idle.timer);
	int64_t now = loop_now(h->loop), linger_ns = h->settings->hub.linger_ns;
	if (h->streams.n || h->pages.n_open || h->searches.n_open ||
	    !responder_server_is_idle(h->responders))
		h->idle.used_ns = now;
	if (now - h->idle.used_ns >= linger_ns)
		h->idle.on_unused(h);
	else
		loop_timer_set(h->loop, t, now + linger_ns / 8 + NS_PER_MS);
}

void hub_watch_use(struct hub *h, void (*on_unused)(struct hub *h))
{
	h->idle.on_unused = on_unused;
	h->idle.timer.fn = on_look;
	h->idle.used_ns = loop_now(h->loop);
	on_look(&h->idle.timer);
}

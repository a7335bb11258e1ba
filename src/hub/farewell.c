/* SPDX-License-Identifier: MIT
 *
 * farewell - sends every client its bye before the hub exits.
 *
 * A goodbye stands behind what a stream has to send already.  Closed at once, a client
 * that is reading, but not as fast as that, would never see it.
 */
#include "base/clock.h"
#include "hub/gate.h"
#include "hub/history.h"
#include "hub/stream.h"
#include "hub/view.h"

#define LOOK_NS    (20 * NS_PER_MS)
#define DEAF_NS    (2 * NS_PER_SEC)
#define AT_MOST_NS (5 * NS_PER_SEC)

/* Loop time at which some client last took something. */
static int64_t moved_ns(const struct hub *h)
{
	int64_t last = histories_moved_ns(h);
	list_each (e, &h->streams)
		last = MAX(last, list_entry(e, struct stream, link)->outlet.moved_ns);
	return last;
}

static void on_look(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, farewell);
	int64_t now = loop_now(h->loop);
	bool is_over = list_is_empty(&h->streams) && list_is_empty(&h->histories);
	if (is_over || now - moved_ns(h) > DEAF_NS || now > h->farewell_ends_ns)
		h->on_drained(h->on_drained_ctx);
	else
		loop_timer_set(h->loop, t, now + LOOK_NS);
}

void hub_drain(struct hub *h, void (*done)(void *ctx), void *ctx)
{
	h->is_draining = true;
	gate_close(h);
	list_each (e, &h->views)
		view_flush(list_entry(e, struct view, link));
	list_each_safe (e, &h->streams)
		stream_say_bye(list_entry(e, struct stream, link), "shutdown", NULL);
	h->on_drained = done;
	h->on_drained_ctx = ctx;
	h->farewell.fn = on_look;
	h->farewell_ends_ns = loop_now(h->loop) + AT_MOST_NS;
	on_look(&h->farewell);
}

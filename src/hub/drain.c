/* SPDX-License-Identifier: MIT */
#include "hub/drain.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/unit.h"
#include "hub/hub.h"
#include "hub/responder_server.h"

#define PACE_NS    (50 * NS_PER_MS)
#define LOOK_NS    (20 * NS_PER_MS)
#define DEAF_NS    (2 * NS_PER_SEC)
#define AT_MOST_NS (5 * NS_PER_SEC)

/* ---- for a while ------------------------------------------------------------------------ */

static void on_pace(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, drain.pace);
	int64_t now = loop_now(h->loop), left_ns = h->drain.ends_ns - now;
	size_t steps = left_ns > 0 ? (size_t)(left_ns / PACE_NS) + 1 : 1;
	size_t n = (h->streams.n + steps - 1) / steps;
	/* Few of them: one at a time. */
	int64_t pause_ns = MAX(PACE_NS, left_ns / (int64_t)(h->streams.n + 1));
	streams_say_bye(&h->streams, n, "drain");
	if (left_ns > 0) {
		loop_timer_set(h->loop, t, now + MIN(pause_ns, left_ns));
		return;
	}
	n = streams_count_pending(&h->streams);
	log_info("drained: waiting for %zu %s to receive bye", n, plural(n, "stream", "streams"));
}

void hub_drain(struct hub *h, int64_t over_ns)
{
	h->drain.is_on = true;
	admissions_drop_all(
		&h->admissions); /* who is about to be opened is asked again, and told */
	h->drain.pace.fn = on_pace;
	h->drain.ends_ns = loop_now(h->loop) + over_ns;
	on_pace(&h->drain.pace);
}

void hub_undrain(struct hub *h)
{
	loop_timer_cancel(h->loop, &h->drain.pace);
	h->drain.is_on = false;
}

/* ---- for good --------------------------------------------------------------------------- */

static void on_look(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, drain.look);
	int64_t now = loop_now(h->loop);
	int64_t moved_ns = MAX(streams_moved_ns(&h->streams), pages_moved_ns(&h->pages));
	moved_ns = MAX(moved_ns, searches_moved_ns(&h->searches));
	bool is_over = !h->streams.n && !h->pages.n_open && !h->searches.n_open;
	if (is_over || now - moved_ns > DEAF_NS || now > h->drain.gives_up_ns)
		h->drain.done(h->drain.ctx);
	else
		loop_timer_set(h->loop, t, now + LOOK_NS);
}

void hub_shutdown(struct hub *h, void (*done)(void *ctx), void *ctx)
{
	h->drain.is_on = true;
	responder_server_close(h->responders);
	h->responders = NULL;
	views_flush_all(&h->views);
	streams_say_bye(&h->streams, SIZE_MAX, "shutdown");
	searches_say_bye(&h->searches, "shutdown");
	h->drain.done = done;
	h->drain.ctx = ctx;
	h->drain.look.fn = on_look;
	h->drain.gives_up_ns = loop_now(h->loop) + AT_MOST_NS;
	on_look(&h->drain.look);
}

void drain_cancel(struct hub *h)
{
	loop_timer_cancel(h->loop, &h->drain.pace);
	loop_timer_cancel(h->loop, &h->drain.look);
}

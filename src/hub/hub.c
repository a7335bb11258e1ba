/* SPDX-License-Identifier: MIT */
#include "hub/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/unit.h"
#include "channel/channel.h"
#include "channel/channels.h"
#include "hub/gate.h"
#include "hub/open_files.h"
#include "hub/reception.h"
#include "hub/schema.h"

#define HOUSEKEEPING_NS (5 * NS_PER_SEC)
#define EMPTYING_NS     (50 * NS_PER_MS)

static void on_housekeeping(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, housekeeping);
	int64_t now_ms = clock_wall_ns() / NS_PER_MS;
	expiry_run(&h->expiry, &h->registry, now_ms);
	for (size_t i = 0; i < h->registry.n_channels; i++)
		channel_note_time(h->registry.channels[i]);
	free_space_keep(&h->free_space, &h->registry);
	revoked_refresh(&h->access.revoked, h->settings->hub.state_dir);
	if (h->revoked_seen != h->access.revoked.generation)
		streams_check_access(&h->streams);
	h->revoked_seen = h->access.revoked.generation;
	for (size_t i = 0; i < h->registry.n_channels; i++)
		journal_tend(&h->registry.channels[i]->journal, now_ms);
	channels_close_removed(&h->registry, h->sources_feed, h->report_ctx);
	mem_give_back(&h->held_bytes);
	h->longest_turn_ns = loop_longest_turn(h->loop);
	loop_forget_turns(h->loop);
	open_files_look(h);
	loop_timer_set(h->loop, t, loop_now(h->loop) + HOUSEKEEPING_NS);
}

static void on_ask(void *ctx, struct connection *c, const struct door_request *r)
{
	reception_ask(ctx, c, r);
}

static void on_take(void *ctx, const struct door_request *r, int fd)
{
	reception_take(ctx, r, fd);
}

static bool has_room(void *ctx)
{
	return open_files_admit_responder(ctx);
}

int hub_open(struct hub *h, struct loop *l, struct settings *s, int gate_fd, char **why)
{
	*h = (struct hub){.loop = l, .settings = s, .started_ns = clock_wall_ns()};
	struct gate_calls calls = {on_ask, on_take, has_room, h};
	int r = access_open(&h->access, s, why);
	if (!r && (r = key_open(s->hub.state_dir, "redact.key", &h->redact_key)))
		*why = mem_printf("%s/redact.key: %s (it holds 64 hexadecimal digits; when it is "
				  "gone a new one is made)",
				  s->hub.state_dir, strerror(-r));
	if (!r)
		r = channels_open(&h->registry, l, s, why);
	if (!r)
		r = readers_start(&h->readers, l, why);
	if (r)
		return r;
	views_init(&h->views, &h->registry, &h->readers);
	streams_init(&h->streams, &h->views, &h->access);
	pages_init(&h->pages, &h->registry, &h->readers);
	r = gate_open(&h->gate, l, &s->hub, gate_fd, &calls, why);
	if (r)
		return r;
	schema_note(h);
	open_files_look(h);
	expiry_init(&h->expiry);
	h->housekeeping.fn = on_housekeeping;
	loop_timer_set(l, &h->housekeeping, clock_mono_ns() + HOUSEKEEPING_NS);
	return 0;
}

static void put_derived(struct buf *out, const struct settings *s)
{
	for (size_t i = 0; i < s->n_channels; i++) {
		const struct channel_settings *c = &s->channels[i];
		buf_printf(out, "%s%c%s%c", c->n_from ? c->name : "", 0, c->filter ? c->filter : "",
			   0);
		for (size_t k = 0; k < c->n_from; k++)
			buf_printf(out, "%s%c", c->from[k], 0);
	}
}

static bool derived_are_same(const struct settings *a, const struct settings *b)
{
	struct buf x = {0}, y = {0};
	put_derived(&x, a);
	put_derived(&y, b);
	bool same = str_eq(buf_str(&x), buf_str(&y));
	buf_fini(&x);
	buf_fini(&y);
	return same;
}

int hub_reload(struct hub *h, struct settings *fresh, char **why)
{
	if (strcmp(h->settings->hub.state_dir, fresh->hub.state_dir) != 0) {
		*why = mem_strdup("hub.state_dir cannot change while sluice runs (restart it)");
		return -EINVAL;
	}
	int r = channels_add(&h->registry, fresh, why);
	if (r)
		return r;
	bool is_derived_anew = !derived_are_same(h->settings, fresh);
	channels_change(&h->registry, fresh);
	if (is_derived_anew)
		streams_of_derived_come_back(&h->streams);
	h->settings = fresh;
	h->access.settings = fresh;
	h->access.told_of_proxy_ns = 0;
	gate_reload(h->gate, &fresh->hub);
	open_files_look(h);
	streams_check_access(&h->streams);
	schema_note(h);
	return 0;
}

static void on_linger(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, linger);
	int64_t now = loop_now(h->loop), linger_ns = h->settings->hub.linger_ns;
	if (h->streams.n || h->pages.n_open || !gate_is_idle(h->gate))
		h->used_ns = now;
	if (now - h->used_ns >= linger_ns)
		h->on_unused(h);
	else
		loop_timer_set(h->loop, t, now + linger_ns / 8 + NS_PER_MS);
}

void hub_watch_use(struct hub *h, void (*on_unused)(struct hub *h))
{
	h->on_unused = on_unused;
	h->linger.fn = on_linger;
	h->used_ns = loop_now(h->loop);
	on_linger(&h->linger);
}

static void on_emptying(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, emptying);
	int64_t now = loop_now(h->loop), left_ns = h->empty_at_ns - now;
	size_t steps = left_ns > 0 ? (size_t)(left_ns / EMPTYING_NS) + 1 : 1;
	size_t n = (h->streams.n + steps - 1) / steps;
	/* Few of them: one at a time. */
	int64_t pause_ns = MAX(EMPTYING_NS, left_ns / (int64_t)(h->streams.n + 1));
	streams_say_bye(&h->streams, n, "drain");
	if (left_ns > 0)
		loop_timer_set(h->loop, t, now + MIN(pause_ns, left_ns));
	else
		log_info("drained: waiting for %zu %s to receive bye", h->streams.n,
			 plural(h->streams.n, "stream", "streams"));
}

void hub_empty(struct hub *h, int64_t over_ns)
{
	h->is_draining = true;
	h->emptying.fn = on_emptying;
	h->empty_at_ns = loop_now(h->loop) + over_ns;
	on_emptying(&h->emptying);
}

void hub_refill(struct hub *h)
{
	loop_timer_cancel(h->loop, &h->emptying);
	h->is_draining = false;
}

void hub_close(struct hub *h)
{
	loop_timer_cancel(h->loop, &h->housekeeping);
	loop_timer_cancel(h->loop, &h->linger);
	loop_timer_cancel(h->loop, &h->emptying);
	loop_timer_cancel(h->loop, &h->farewell);
	streams_end_all(&h->streams);
	pages_end_all(&h->pages);
	readers_stop(&h->readers);
	loop_settle(h->loop);
	streams_fini(&h->streams);
	pages_fini(&h->pages);
	views_fini(&h->views);
	channels_close(&h->registry);
	access_close(&h->access);
}

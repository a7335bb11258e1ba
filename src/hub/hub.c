/* SPDX-License-Identifier: MIT */
#include "hub/hub.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "channel/channels.h"
#include "hub/dispatch.h"
#include "hub/drain.h"
#include "hub/housekeeping.h"
#include "hub/open_files.h"
#include "hub/responder_server.h"
#include "hub/schema.h"

static void on_ask(void *ctx, struct connection *c, const struct handoff_request *r)
{
	dispatch_ask(ctx, c, r);
}

static void on_take(void *ctx, const struct connection *c, const struct handoff_request *r, int fd)
{
	dispatch_take(ctx, c, r, fd);
}

static void on_drop(void *ctx, const struct connection *c, uint32_t serial)
{
	struct hub *h = ctx;
	struct admission a;
	if (admissions_claim(&h->admissions, c, serial, &a))
		admission_fini(&a);
}

static void on_gone(void *ctx, const struct connection *c)
{
	struct hub *h = ctx;
	admissions_drop_of(&h->admissions, c);
}

static bool has_room(void *ctx)
{
	return open_files_admit_responder(ctx);
}

int hub_open(struct hub *h, struct loop *l, struct settings *s, int responders_fd, char **why)
{
	*h = (struct hub){.loop = l, .settings = s, .started_ns = clock_wall_ns()};
	struct responder_calls calls = {on_ask, on_take, on_drop, on_gone, has_room, h};
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
	searches_init(&h->searches, &h->registry, &h->readers, &h->access);
	admissions_init(&h->admissions, l);
	r = responder_server_open(&h->responders, l, &s->hub, responders_fd, &calls, why);
	if (r)
		return r;
	schema_note(h);
	open_files_look(h);
	return housekeeping_start(h, why);
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
	admissions_drop_all(&h->admissions);
	bool is_derived_anew = !derived_are_same(h->settings, fresh);
	channels_change(&h->registry, fresh);
	if (is_derived_anew)
		streams_of_derived_come_back(&h->streams);
	h->settings = fresh;
	h->access.settings = fresh;
	h->access.told_of_proxy_ns = 0;
	responder_server_reload(h->responders, &fresh->hub);
	open_files_look(h);
	streams_check_access(&h->streams);
	schema_note(h);
	return 0;
}

void hub_close(struct hub *h)
{
	housekeeping_stop(h);
	loop_timer_cancel(h->loop, &h->idle.timer);
	drain_cancel(h);
	admissions_fini(&h->admissions);
	streams_end_all(&h->streams);
	pages_end_all(&h->pages);
	searches_end_all(&h->searches);
	readers_stop(&h->readers);
	loop_settle(h->loop);
	streams_fini(&h->streams);
	pages_fini(&h->pages);
	searches_fini(&h->searches);
	views_fini(&h->views);
	channels_close(&h->registry);
	access_close(&h->access);
}

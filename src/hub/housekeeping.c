/* SPDX-License-Identifier: MIT */
#include "hub/housekeeping.h"

#include "base/clock.h"
#include "base/mem.h"
#include "channel/channel.h"
#include "channel/channels.h"
#include "hub/hub.h"
#include "hub/open_files.h"

#define EVERY_NS (5 * NS_PER_SEC)

static void on_housekeeping(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, housekeeping.timer);
	int64_t now_ms = clock_wall_ns() / NS_PER_MS;
	expiry_run(&h->housekeeping.expiry, &h->registry, now_ms);
	for (size_t i = 0; i < h->registry.n_channels; i++)
		channel_note_time(h->registry.channels[i]);
	free_space_keep(&h->housekeeping.free_space, &h->registry,
			sealing_bytes(&h->housekeeping.sealing));
	revoked_refresh(&h->access.revoked, h->settings->hub.state_dir);
	if (h->housekeeping.revoked_seen != h->access.revoked.generation) {
		admissions_drop_all(&h->admissions);
		streams_check_access(&h->streams);
	}
	h->housekeeping.revoked_seen = h->access.revoked.generation;
	for (size_t i = 0; i < h->registry.n_channels; i++)
		journal_tend(&h->registry.channels[i]->journal, now_ms);
	channels_close_removed(&h->registry, h->sources_feed, h->report_ctx);
	mem_give_back(&h->housekeeping.held_bytes);
	h->housekeeping.longest_turn_ns = loop_longest_turn(h->loop);
	loop_forget_turns(h->loop);
	open_files_look(h);
	loop_timer_set(h->loop, t, loop_now(h->loop) + EVERY_NS);
}

int housekeeping_start(struct hub *h, char **why)
{
	expiry_init(&h->housekeeping.expiry);
	h->housekeeping.timer.fn = on_housekeeping;
	loop_timer_set(h->loop, &h->housekeeping.timer, clock_mono_ns() + EVERY_NS);
	return sealing_start(&h->housekeeping.sealing, &h->registry, why);
}

void housekeeping_stop(struct hub *h)
{
	loop_timer_cancel(h->loop, &h->housekeeping.timer);
	sealing_stop(&h->housekeeping.sealing);
}

/* SPDX-License-Identifier: MIT */
#include "hub/report.h"

#include <unistd.h>

#include "base/clock.h"
#include "channel/channel.h"
#include "channel/commit.h"
#include "channel/regexes.h"
#include "hub/open_files.h"
#include "stream/views.h"

static void put_id(struct hub *h, struct json *j, const char *key, event_id id)
{
	char text[ID_TEXT_MAX];
	json_str(j, key, (struct str){text, id_put(text, registry_epoch(&h->registry), id)});
}

/* What a derived channel is from is only for who has the right for that too. */
static bool may_all(const struct hub *h, const struct identity *who, enum right right,
		    const struct channel_settings *c)
{
	bool may = true;
	for (size_t i = 0; i < c->n_from; i++)
		may &= authorize(&h->access, who, c->from[i], right);
	return may;
}

static void put_derived(const struct hub *h, const struct identity *who, enum right right,
			struct json *j)
{
	for (size_t i = 0; i < h->settings->n_channels; i++) {
		const struct channel_settings *c = &h->settings->channels[i];
		if (!c->n_from || !authorize(&h->access, who, c->name, right))
			continue;
		json_open(j, NULL, '{');
		json_cstr(j, "name", c->name);
		json_bool(j, "past", authorize(&h->access, who, c->name, RIGHT_REPLAY));
		if (!may_all(h, who, right, c)) {
			json_bool(j, "derived", true);
			json_close(j, '}');
			continue;
		}
		json_open(j, "from", '[');
		for (size_t k = 0; k < c->n_from; k++)
			json_cstr(j, NULL, c->from[k]);
		json_close(j, ']');
		if (c->filter)
			json_cstr(j, "filter", c->filter);
		json_close(j, '}');
	}
}

/* Those that `who` has that right for. */
static void put_channels(struct hub *h, const struct identity *who, enum right right,
			 struct json *j)
{
	json_open(j, "channels", '[');
	for (size_t i = 0; i < h->registry.n_channels; i++) {
		const struct channel *c = h->registry.channels[i];
		if (c->is_removed || !authorize(&h->access, who, c->settings.name, right))
			continue;
		json_open(j, NULL, '{');
		json_cstr(j, "name", c->settings.name);
		json_bool(j, "past", authorize(&h->access, who, c->settings.name, RIGHT_REPLAY));
		put_id(h, j, "oldest", journal_low_watermark(&c->journal));
		put_id(h, j, "head", c->journal.last);
		json_int(j, "events", (int64_t)c->journal.n_events);
		json_int(j, "held",
			 (int64_t)(c->journal.n_events - c->journal.segments[0]->ordinal));
		json_int(j, "bytes", (int64_t)c->journal.bytes);
		json_int(j, "gaps", (int64_t)c->n_gaps);
		json_int(j, "streams", (int64_t)views_count_streams(c));
		json_bool(j, "stuck", channel_is_stuck(c));
		json_int(j, "damaged_bytes", (int64_t)c->journal.corrupt_bytes);
		if (c->commit)
			commit_report(c->commit, j);
		json_close(j, '}');
	}
	put_derived(h, who, right, j);
	json_close(j, ']');
}

int report_channels(struct hub *h, const struct identity *who, struct buf *body)
{
	struct json j = {body, false};
	event_id newest = 0; /* of these channels only, so it reveals nothing about others */
	for (size_t i = 0; i < h->registry.n_channels; i++)
		if (authorize(&h->access, who, h->registry.channels[i]->settings.name, RIGHT_READ))
			newest = MAX(newest, h->registry.channels[i]->journal.last);
	json_open(&j, NULL, '{');
	put_id(h, &j, "head", newest);
	put_channels(h, who, RIGHT_READ, &j);
	json_close(&j, '}');
	buf_putc(body, '\n');
	return 200;
}

/* What is of no channel. */
static void put_hub(struct hub *h, struct json *j)
{
	json_cstr(j, "version", SLUICE_VERSION);
	json_int(j, "pid", getpid());
	json_cstr(j, "epoch", h->registry.epoch);
	put_id(h, j, "head", h->registry.newest_id);
	json_int(j, "uptime_s", (clock_wall_ns() - h->started_ns) / NS_PER_SEC);
	json_open(j, "streams", '{');
	json_int(j, "open", (int64_t)h->streams.n);
	json_int(j, "ever", (int64_t)h->streams.n_ever);
	json_int(j, "catching_up", (int64_t)h->streams.n_catching_up);
	json_int(j, "refused", (int64_t)h->dispatch.n_refused);
	json_int(j, "heartbeats", (int64_t)(h->streams.n_heartbeats + h->views.n_heartbeats));
	json_int(j, "gaps", (int64_t)(h->streams.n_gaps + h->views.n_gaps));
	json_int(j, "slow", (int64_t)h->streams.n_slow);
	json_int(j, "stalled", (int64_t)h->streams.n_stalled);
	json_int(j, "filters_lost", (int64_t)h->streams.n_filters_lost);
	json_int(j, "denied", (int64_t)h->access.n_denied);
	json_int(j, "limit", h->settings->hub.max_streams);
	json_close(j, '}');
	open_files_report(h, j);
	int64_t views = 0, window = 0;
	list_each (e, &h->views.all) {
		views++;
		window += (int64_t)list_entry(e, struct view, link)->log.bytes.cap;
	}
	json_int(j, "views", views);
	json_int(j, "view_bytes", window);
	json_int(j, "longest_turn_us",
		 MAX(h->housekeeping.longest_turn_ns, loop_longest_turn(h->loop)) / 1000);
	json_int(j, "views_aside", (int64_t)h->views.n_aside);
	json_int(j, "views_put_aside", (int64_t)h->views.n_put_aside);
	regexes_report(h->registry.regexes, j);
	json_int(j, "pages", (int64_t)h->pages.n_ever);
	json_int(j, "searches", (int64_t)h->searches.n_open);
	json_int(j, "searches_ever", (int64_t)h->searches.n_ever);
	json_int(j, "segments_compressed", (int64_t)h->housekeeping.sealing.n_sealed);
	json_int(j, "compressed_from_bytes", (int64_t)h->housekeeping.sealing.bytes_before);
	json_int(j, "compressed_to_bytes", (int64_t)h->housekeeping.sealing.bytes_after);
	json_int(j, "segments_given_way", (int64_t)h->housekeeping.free_space.n_given_way);
	json_int(j, "notices_lost", (int64_t)h->registry.n_internal_lost);
}

int report_status(struct hub *h, const struct identity *who, struct buf *body)
{
	struct json j = {body, false};
	json_open(&j, NULL, '{');
	if (authorize(&h->access, who, NULL, RIGHT_ADMIN))
		put_hub(h, &j);
	put_channels(h, who, RIGHT_ADMIN, &j);
	if (h->report_sources)
		h->report_sources(h->report_ctx, who, &j);
	json_close(&j, '}');
	buf_putc(body, '\n');
	return 200;
}

int report_ready(struct hub *h, const struct identity *who maybe_unused, struct buf *body)
{
	bool runs = !h->sources_are_ready || h->sources_are_ready(h->report_ctx);
	bool ready = runs && !h->drain.is_on;
	struct json j = {body, false};
	json_open(&j, NULL, '{');
	json_cstr(&j, "status",
		  ready            ? "ready"
		  : h->drain.is_on ? "draining: no new streams are taken (sluice drain --cancel)"
				   : "not ready: a source is not running (see /status)");
	json_close(&j, '}');
	buf_putc(body, '\n');
	return ready ? 200 : 503;
}

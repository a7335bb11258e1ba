/* SPDX-License-Identifier: MIT */
#include "source/sources.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/timestamp.h"
#include "channel/internal_event.h"
#include "conf/packed.h"
#include "source/instance.h"
#include "source/names.h"
#include "source/sources_internal.h"

static bool is_empty(const struct sources *all)
{
	return list_is_empty(&all->all);
}

/* Of a source that has gone for good. */
static void on_gone(struct source *s)
{
	struct sources *all = sources_of(s->hub);
	list_remove(&s->link);
	source_free(s);
	if (!all->stopping || !all->done || !is_empty(all))
		return;
	void (*done)(void *) = all->done;
	all->done = NULL;
	done(all->ctx);
}

static struct source *find(const struct sources *all, const char *name)
{
	list_each (e, &all->all) {
		struct source *s = list_entry(e, struct source, link);
		if (strcmp(s->settings.name, name) == 0)
			return s;
	}
	return NULL;
}

static struct source_settings copy_of(const struct source_settings *src)
{
	struct buf packed = {0};
	struct source_settings ret;
	packed_put_source(&packed, src);
	struct reader r = reader_of(packed.data, packed.len);
	packed_get_source(&r, &ret);
	buf_fini(&packed);
	return ret;
}

static void add(struct sources *all, const struct source_settings *settings)
{
	struct source_settings copy = copy_of(settings);
	struct source *s = source_new(all->hub, &copy, on_gone);
	list_append(&all->all, &s->link);
	source_start(s);
}

/* ---- changes --------------------------------------------------------------------------- */

static bool is_at_work(const struct source *s)
{
	return s->state == STATE_RUNNING || s->state == STATE_STARTING || s->state == STATE_WAITING;
}

static bool is_replaced(const struct source *s)
{
	struct plugin_identity now = plugin_identify(s->settings.plugin);
	return memcmp(&now, &s->identity, sizeof(now)) != 0;
}

/* The new file of its plugin is no good: the process that has the old one loaded
 * goes on.
 */
static void keep_old(struct source *s, const char *trouble)
{
	struct buf fields = {0};
	log_error("source %s: goes on with the plugin that it has loaded: %s", s->settings.name,
		  trouble);
	internal_event_put(&fields, "source", s->settings.name);
	internal_event_put(&fields, "state", source_state_names[s->state]);
	internal_event_put(&fields, "reason", trouble);
	internal_event_publish(&s->hub->registry, "source", 3, buf_str(&fields),
			       "source %s: goes on with the plugin that it has loaded: %s",
			       s->settings.name, trouble);
	s->identity = plugin_identify(s->settings.plugin); /* told once */
	buf_fini(&fields);
}

enum change { UNTOUCHED, CHANGED, RESTARTED };

static enum change update(struct source *s, const struct source_settings *fresh, bool retry,
			  bool resized)
{
	if (fresh->trouble && is_at_work(s)) {
		if (is_replaced(s))
			keep_old(s, fresh->trouble);
		return UNTOUCHED;
	}
	if (!settings_equal(source_rows, s->has_next ? &s->next : &s->settings, fresh)) {
		struct source_settings copy = copy_of(fresh);
		source_change(s, &copy);
		return CHANGED;
	}
	if ((is_replaced(s) && !fresh->trouble) || resized ||
	    (retry && (s->state == STATE_FAILED || s->state == STATE_STOPPING))) {
		source_restart(s, NULL);
		return RESTARTED;
	}
	source_reread(s);
	return UNTOUCHED;
}

void sources_reload(struct sources *all, bool retry, struct buf *done)
{
	const struct settings *fresh = all->hub->settings;
	size_t added = 0, removed = 0, n[3] = {0};
	/* Each process was told how long an event may be. */
	bool resized = all->event_size != fresh->hub.event_size;
	all->event_size = fresh->hub.event_size;
	if (all->stopping)
		return;
	list_each_safe (e, &all->all) {
		struct source *s = list_entry(e, struct source, link);
		if (settings_source(fresh, s->settings.name) || s->state == STATE_GONE)
			continue;
		source_stop(s);
		removed++;
	}
	for (size_t i = 0; i < fresh->n_sources; i++) {
		struct source *s = find(all, fresh->sources[i].name);
		if (s && s->state != STATE_GONE) {
			n[update(s, &fresh->sources[i], retry, resized)]++;
		} else {
			add(all, &fresh->sources[i]);
			added++;
		}
	}
	buf_printf(done,
		   "sources: %zu added, %zu removed, %zu changed, %zu restarted, %zu untouched",
		   added, removed, n[CHANGED], n[RESTARTED], n[UNTOUCHED]);
}

/* ---- for the hub ---------------------------------------------------------------------------- */

/* null for 0. */
static void report_time(struct json *j, const char *name, int64_t ns)
{
	struct buf text = {0};
	if (ns)
		timestamp_put(&text, ns);
	json_cstr(j, name, ns ? buf_text(&text) : NULL);
	buf_fini(&text);
}

static void report_one(const struct source *s, struct json *j)
{
	json_open(j, NULL, '{');
	json_cstr(j, "name", s->settings.name);
	json_cstr(j, "type", s->settings.type);
	json_cstr(j, "channel", s->settings.channel);
	json_cstr(j, "state", source_state_names[s->state]);
	json_int(j, "pid", s->child.pid);
	json_int(j, "events", (int64_t)s->n_events);
	json_int(j, "bytes", (int64_t)s->n_bytes);
	json_int(j, "restarts", (int64_t)s->n_restarts);
	json_int(j, "filtered", (int64_t)s->n_filtered);
	json_int(j, "redacted", (int64_t)s->n_redacted);
	json_int(j, "throttled", (int64_t)s->n_throttled);
	json_int(j, "log_lines_dropped", (int64_t)s->n_log_dropped);
	json_cstr(j, "last_error", s->last_error);
	report_time(j, "last_error_time", s->last_error ? s->last_error_ns : 0);
	json_open(j, "warnings", '[');
	for (size_t k = 0; k < s->n_warnings; k++) {
		json_open(j, NULL, '{');
		json_cstr(j, "text", s->warnings[k].text);
		report_time(j, "time", s->warnings[k].ns);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_cstr(j, "sandbox", s->sandbox);
	json_cstr(j, "sandbox_lacks", s->sandbox_lacks);
	json_open(j, "counters", '{');
	for (size_t k = 0; k < s->n_counters; k++)
		json_int(j, s->counters[k].name, (int64_t)s->counters[k].value);
	json_close(j, '}');
	json_close(j, '}');
}

static void report(void *ctx, const struct identity *who, struct json *j)
{
	struct sources *all = ctx;
	json_open(j, "sources", '[');
	list_each (e, &all->all) {
		const struct source *s = list_entry(e, struct source, link);
		if (authorize(&s->hub->access, who, s->settings.channel, RIGHT_ADMIN))
			report_one(s, j);
	}
	json_close(j, ']');
}

static bool are_ready(void *ctx)
{
	struct sources *all = ctx;
	list_each (e, &all->all) {
		const struct source *s = list_entry(e, struct source, link);
		if (s->state != STATE_RUNNING && s->state != STATE_FINISHED)
			return false;
	}
	return true;
}

static bool feeds(void *ctx, const struct channel *c)
{
	struct sources *all = ctx;
	list_each (e, &all->all)
		if (list_entry(e, struct source, link)->channel == c)
			return true;
	return false;
}

struct sources *sources_start(struct hub *h)
{
	struct sources *all = mem_zero(sizeof(*all));
	all->hub = h;
	all->nursery.fd = -1;
	list_init(&all->all);
	all->names = names_new(h->loop);
	all->event_size = h->settings->hub.event_size;
	h->report_sources = report;
	h->sources_are_ready = are_ready;
	h->sources_feed = feeds;
	h->report_ctx = all;
	for (size_t i = 0; i < h->settings->n_sources; i++)
		add(all, &h->settings->sources[i]);
	return all;
}

void sources_stop(struct sources *all, void (*done)(void *ctx), void *ctx)
{
	all->stopping = true;
	all->done = done;
	all->ctx = ctx;
	if (is_empty(all)) {
		all->done = NULL;
		done(ctx);
		return;
	}
	list_each_safe (e, &all->all) {
		struct source *s = list_entry(e, struct source, link);
		if (s->state != STATE_GONE)
			source_stop(s);
	}
}

void sources_free(struct sources *all)
{
	list_each_safe (e, &all->all) {
		struct source *s = list_entry(e, struct source, link);
		list_remove(&s->link);
		source_free(s);
	}
	names_free(all->names);
	loop_unwatch_child(&all->nursery_child);
	nursery_close(&all->nursery); /* its process goes with the others */
	free(all);
}

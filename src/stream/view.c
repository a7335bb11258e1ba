/* SPDX-License-Identifier: MIT */
#include "stream/view_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define FLUSHES_NS (2 * NS_PER_MS) /* in a turn */

/* ---- its readers ------------------------------------------------------------------------ */

void view_add(struct view *v, struct view_reader *r)
{
	r->view = v;
	list_init(&r->link);
	list_append(&v->readers, &r->of_view);
}

void view_remove(struct view_reader *r)
{
	list_remove(&r->link);
	list_remove(&r->of_view);
	r->view = NULL;
}

void view_wake_waiting(struct view *v)
{
	struct list now;
	list_init(&now);
	list_splice(&now, &v->waiting);
	while (!list_is_empty(&now)) {
		struct view_reader *r = list_entry(now.next, struct view_reader, link);
		list_remove(&r->link);
		r->ops->wake(r); /* waits anew when it is too early */
	}
}

void view_lose(struct view *v, struct regex *slow)
{
	list_each_safe (e, &v->readers) {
		struct view_reader *r = list_entry(e, struct view_reader, of_view);
		r->ops->lose(r, slow);
	}
}

/* All windows together stay within their bound. */
static size_t window_of(const struct view *v)
{
	size_t fair = VIEW_WINDOWS_ALL / MAX(v->all->n, (size_t)1);
	return MIN(MAX(fair, (size_t)VIEW_WINDOW_MIN), (size_t)VIEW_WINDOW);
}

void view_flush(struct view *v)
{
	view_log_end(&v->log);
	v->flushed_ns = loop_now(view_loop(v));
	if (v->log.n_groups)
		v->said_ns = v->flushed_ns;
	loop_timer_cancel(view_loop(v), &v->timer);
	struct list now;
	list_init(&now);
	list_splice(&now, &v->ready);
	while (!list_is_empty(&now)) {
		struct view_reader *r = list_entry(now.next, struct view_reader, link);
		list_remove(&r->link);
		list_append(&v->ready, &r->link);
		r->ops->flush(r);
	}
	if (!v->n_behind)
		view_log_empty(&v->log);
	else if (v->log.bytes.len > window_of(v))
		view_log_halve(&v->log, window_of(v));
}

/* ---- events, and those that wait for older ones ---------------------------------------- */

event_id view_published(const struct view *v)
{
	event_id newest = v->all->registry->newest_id;
	for (size_t i = 0; v->has_disk && i < v->sub.n_channels; i++) {
		event_id waiting = v->links[i].channel->unpublished;
		if (waiting && waiting <= newest)
			newest = waiting - 1;
	}
	return newest;
}

event_id view_newest_id(const struct view *v)
{
	event_id newest = view_published(v);
	return v->is_aside ? MIN(newest, v->seen) : newest;
}

bool view_may_join(const struct view *v, event_id after)
{
	return view_newest_id(v) >= MAX(v->from, after);
}

static void append(struct view_link *of, const struct event *ev)
{
	struct view *v = of->view;
	if (v->log.bytes.len > window_of(v))
		view_flush(v);
	view_log_put_event(&v->log, of->channel->settings.name, ev);
	v->n_events++;
	loop_defer(view_loop(v), &v->task);
}

static bool must_wait(const struct view *v, event_id id)
{
	for (size_t i = 0; i < v->sub.n_channels; i++) {
		event_id waiting = v->links[i].channel->unpublished;
		if (waiting && waiting < id)
			return true;
	}
	return false;
}

/* False when too many wait already. */
static bool hold(struct view_link *of, const struct event *ev)
{
	struct view *v = of->view;
	if (v->held_bytes > window_of(v))
		return false;
	struct buf record = {0};
	record_put_event(&record, ev);
	struct view_held *held = mem_zero(sizeof(*held) + record.len);
	held->of = of;
	held->id = ev->id;
	held->len = record.len;
	memcpy(held->record, record.data, record.len);
	v->held_bytes += record.len;
	buf_fini(&record);
	struct list *before = v->held.prev;
	while (before != &v->held && list_entry(before, struct view_held, link)->id > ev->id)
		before = before->prev;
	list_append(before->next, &held->link);
	return true;
}

/* Those held that nothing older is missing for any more. */
static void take_held(struct view *v, event_id below)
{
	while (!list_is_empty(&v->held)) {
		struct view_held *held = list_entry(v->held.next, struct view_held, link);
		if (held->id >= below || must_wait(v, held->id))
			return;
		struct str rest = {held->record, held->len};
		struct record rec;
		if (record_next(&rest, &rec) == 1)
			append(held->of, &rec.event);
		list_remove(&held->link);
		v->held_bytes -= held->len;
		free(held);
	}
}

void view_take_held(struct view *v)
{
	take_held(v, UINT64_MAX);
}

bool view_take(struct view_link *of, const struct event *ev)
{
	struct view *v = of->view;
	if (v->has_disk) {
		take_held(v, ev->id);
		if (must_wait(v, ev->id) || !list_is_empty(&v->held))
			return hold(of, ev);
	}
	append(of, ev);
	return true;
}

/* ---- its time ------------------------------------------------------------------------- */

/* Sending takes a while when views are many, and compressing always does.  What goes beyond
 * its time in this turn waits for the next one; nothing waits behind what is compressed.
 */
static void flush_in_time(struct view *v)
{
	struct views *all = v->all;
	struct loop *l = view_loop(v);
	struct loop_share *share = v->log.gzip ? &all->compressing : &all->sending;
	if (!loop_share_enter(l, share, FLUSHES_NS)) {
		loop_defer(l, &v->task);
		return;
	}
	view_flush(v);
	loop_share_leave(share);
}

static void on_timer(struct loop_timer *t)
{
	flush_in_time(container_of(t, struct view, timer));
}

/* A quiet view flushes at the end of the turn, a busy one when its time has come. */
static void on_turn_end(struct loop_task *t)
{
	struct view *v = container_of(t, struct view, task);
	struct loop *l = view_loop(v);
	int64_t due = v->flushed_ns + v->sub.coalesce_ns;
	if (loop_now(l) >= due)
		flush_in_time(v);
	else if (!v->timer.slot)
		loop_timer_set(l, &v->timer, due);
}

/* A compressed stream cannot be given anything of its own: what it looks back on
 * is the same for all.
 */
static void on_heartbeat(struct loop_timer *t)
{
	struct view *v = container_of(t, struct view, heartbeat);
	int64_t now = loop_now(view_loop(v)), due = v->said_ns + v->sub.heartbeat_ns;
	if (v->said_ns && now < due) {
		loop_timer_set(view_loop(v), t, due);
		return;
	}
	loop_timer_set(view_loop(v), t, now + v->sub.heartbeat_ns);
	view_flush(v);
	view_log_put_heartbeat(&v->log, view_newest_id(v), v->sub.heartbeat);
	v->all->n_heartbeats += v->n_readers;
	view_flush(v);
}

/* ---- life ------------------------------------------------------------------------- */

struct view *view_new(struct views *all, struct subscription *sub)
{
	struct view *v = mem_zero(sizeof(*v));
	v->all = all;
	v->sub = *sub;
	v->links = mem_zero(sub->n_channels * sizeof(v->links[0]));
	view_log_init(&v->log, sub->format, sub->framing, sub->gzips,
		      registry_epoch(all->registry));
	list_init(&v->readers);
	list_init(&v->ready);
	list_init(&v->waiting);
	list_init(&v->held);
	list_init(&v->task.link);
	v->timer.fn = on_timer;
	v->heartbeat.fn = on_heartbeat;
	v->task.fn = on_turn_end;
	if (v->log.gzip)
		loop_timer_set(view_loop(v), &v->heartbeat,
			       loop_now(view_loop(v)) + sub->heartbeat_ns);
	/* The view has all that `sub` held. */
	sub->names = sub->filter = sub->key = (struct buf){0};
	sub->n_channels = 0;
	return v;
}

void view_stop(struct view *v)
{
	list_remove(&v->task.link);
	loop_timer_cancel(view_loop(v), &v->timer);
	loop_timer_cancel(view_loop(v), &v->heartbeat);
}

void view_free(struct view *v)
{
	list_each_safe (e, &v->held)
		free(list_entry(e, struct view_held, link));
	subscription_fini(&v->sub);
	view_log_fini(&v->log);
	free(v->links);
	free(v);
}

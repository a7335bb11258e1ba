/* SPDX-License-Identifier: MIT */
#include "hub/view_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "channel/channel.h"
#include "channel/regexes.h"
#include "hub/stream.h"
#include "wire/fcgi.h"

#define STRIKE_NS         (2 * NS_PER_MS)
#define STRIKES_WITHIN_NS (10 * NS_PER_SEC)
#define FLUSHES_NS        (2 * NS_PER_MS) /* in a turn */

enum { LOG_KEEP = 256 * 1024, STRIKES_MAX = 20, STRIKE_BYTE_NS = 30 };

/* ---- the log ------------------------------------------------------------------ */

/* What was rendered since the group began becomes its compressed form. */
static void compress(struct view *v, size_t from)
{
	struct buf plain = {0};
	buf_put(&plain, v->log.data + from, v->log.len - from);
	v->log.len = from;
	gzip_put(v->gzip, &v->log, buf_str(&plain), v->joins);
	v->joins = false;
	buf_fini(&plain);
}

static void close_group(struct view *v)
{
	if (!v->is_open)
		return;
	const struct view_group *g = &v->groups[v->n_groups - 1];
	v->is_open = false;
	if (!v->is_raw)
		format_end(&v->log, v->sub.format, registry_epoch(&v->hub->registry), g->last);
	if (v->gzip) {
		int64_t begun = clock_mono_ns();
		compress(v, g->at + (v->sub.framing == DOOR_FCGI ? FCGI_HEADER : 0));
		v->spender.extra_ns += clock_mono_ns() - begun;
	}
	if (v->sub.framing == DOOR_FCGI)
		fcgi_frame_stdout(&v->log, g->at, 1);
}

/* A raw one is no part of a batch. */
static void open_group(struct view *v, event_id first, bool is_raw)
{
	if (v->n_groups == v->groups_room) {
		v->groups_room = v->groups_room ? v->groups_room * 2 : 8;
		v->groups = mem_resize(v->groups, v->groups_room * sizeof(v->groups[0]));
	}
	v->groups[v->n_groups++] = (struct view_group){v->log.len, first, first};
	v->is_open = v->is_empty = true;
	if (v->sub.framing == DOOR_FCGI) {
		buf_reserve(&v->log, FCGI_HEADER);
		v->log.len += FCGI_HEADER;
	}
	v->is_raw = is_raw;
	if (!is_raw)
		format_begin(&v->log, v->sub.format);
}

static void empty_log(struct view *v)
{
	v->first_group += v->n_groups;
	v->n_groups = 0;
	buf_reset(&v->log, LOG_KEEP);
}

/* All windows together stay within their bound. */
static size_t window_of(const struct view *v)
{
	size_t fair = VIEW_WINDOWS_ALL / MAX(v->hub->n_views, (size_t)1);
	return MIN(MAX(fair, (size_t)VIEW_WINDOW_MIN), (size_t)VIEW_WINDOW);
}

/* Drops the older half: each byte is moved at most once for each one dropped. */
static void halve_log(struct view *v)
{
	size_t n = 0;
	while (n < v->n_groups && v->log.len - v->groups[n].at > window_of(v) / 2)
		n++;
	size_t bytes = n < v->n_groups ? v->groups[n].at : v->log.len;
	buf_drop(&v->log, bytes);
	v->n_groups -= n;
	v->first_group += n;
	memmove(v->groups, v->groups + n, v->n_groups * sizeof(v->groups[0]));
	for (size_t i = 0; i < v->n_groups; i++)
		v->groups[i].at -= bytes;
}

void view_append_rendered(struct view *v, struct str bytes, event_id last)
{
	close_group(v);
	open_group(v, last, true);
	struct view_group *g = &v->groups[v->n_groups - 1];
	g->last = v->last = last;
	buf_put_str(&v->log, bytes);
	v->is_open = false;
	v->joins = true; /* the compressor has not seen this */
	if (v->sub.framing == DOOR_FCGI)
		fcgi_frame_stdout(&v->log, g->at, 1);
}

static void append(struct view_link *of, const struct event *ev)
{
	struct view *v = of->view;
	if (v->log.len > window_of(v))
		view_flush(v);
	if (v->is_open && v->log.len - v->groups[v->n_groups - 1].at >= VIEW_GROUP)
		close_group(v);
	if (!v->is_open)
		open_group(v, ev->id, false);
	format_event(&v->log, v->sub.format, registry_epoch(&v->hub->registry),
		     str_of(of->channel->settings.name), ev, v->is_empty);
	v->is_empty = false;
	v->groups[v->n_groups - 1].last = v->last = ev->id;
	v->n_events++;
	loop_defer(v->hub->loop, &v->task);
}

/* ---- events that wait for older ones ------------------------------------------------ */

event_id view_published(const struct view *v)
{
	event_id head = v->hub->registry.head;
	for (size_t i = 0; v->has_disk && i < v->sub.n_channels; i++) {
		event_id waiting = v->links[i].channel->unpublished;
		if (waiting && waiting <= head)
			head = waiting - 1;
	}
	return head;
}

event_id view_head(const struct view *v)
{
	event_id head = view_published(v);
	return v->is_aside ? MIN(head, v->seen) : head;
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

static void hold(struct view_link *of, const struct event *ev)
{
	struct view *v = of->view;
	if (v->held_bytes > window_of(v)) {
		/* Too much: a reader brings it from the journal later. */
		view_put_aside(v, ev);
		view_aside_note(v, ev);
		return;
	}
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
}

/* Those held that nothing older is missing for any more. */
static void release(struct view *v, event_id below)
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

bool view_may_join(const struct view *v, event_id after)
{
	return view_head(v) >= MAX(v->from, after);
}

void view_wake_waiting(struct view *v)
{
	struct list now;
	list_init(&now);
	list_splice(&now, &v->waiting);
	while (!list_is_empty(&now)) {
		struct list *e = now.next;
		list_remove(e);
		stream_wake(stream_of_ready(e)); /* waits anew when it is too early */
	}
}

struct view_link *view_link_of(struct channel_tap *t)
{
	return container_of(t, struct view_link, tap);
}

static void on_released(struct channel_tap *t)
{
	struct view *v = view_link_of(t)->view;
	if (v->is_aside)
		view_aside_note(v, NULL);
	release(v, UINT64_MAX);
	view_wake_waiting(v);
}

/* ---- publishing ------------------------------------------------------------------------ */

/* Comparisons and regexes may be too slow together, even if each stays within its limit. */
static int match_in_time(struct view_link *of, struct filter_run *run, const struct event *ev)
{
	if (of->view->n_strikes >= STRIKES_MAX)
		return 0; /* its streams are just taking their goodbye */
	int64_t allowed_ns = STRIKE_NS + STRIKE_BYTE_NS * (int64_t)ev->message.len;
	if (filter_has_regex(of->filter))
		filter_run_prepare(run); /* done for all views, so charged to none */
	int64_t begun = clock_mono_ns();
	int wanted = filter_match(of->filter, run);
	if (clock_mono_ns() - begun < allowed_ns || wanted < 0)
		return wanted;
	/* The machine may have been busy with something else: once more, by our own clock. */
	filter_run_again(run);
	begun = clock_read(CLOCK_THREAD_CPUTIME_ID);
	wanted = filter_match(of->filter, run);
	if (clock_read(CLOCK_THREAD_CPUTIME_ID) - begun < allowed_ns || wanted < 0)
		return wanted;
	struct view *v = of->view;
	if (clock_mono_ns() - v->strikes_since_ns > STRIKES_WITHIN_NS) {
		v->strikes_since_ns = clock_mono_ns();
		v->n_strikes = 0;
	}
	if (++v->n_strikes < STRIKES_MAX)
		return wanted;
	/* Which of them it is nobody knows, and others may need that one. */
	regexes_switch_off_filter(v->hub->registry.regexes, of->filter);
	run->slow = NULL;
	return -ELIMIT;
}

/* Whether the event is for this view, which has its filter's memory of it. */
static void publish_to(struct view_link *of, struct filter_run *run, const struct event *ev)
{
	struct view *v = of->view;
	int wanted = of->filter ? match_in_time(of, run, ev) : 1;
	if (wanted < 0) {
		streams_lose_filter(v, run->slow);
		return;
	}
	if (!wanted) {
		v->n_passed++;
		return;
	}
	if (v->has_disk)
		release(v, ev->id);
	if (v->has_disk && (must_wait(v, ev->id) || !list_is_empty(&v->held)))
		hold(of, ev);
	else
		append(of, ev);
}

enum { SHORT_FILTER = 200 };

/* Whether the loop cannot afford it now.  Of one that nothing is known of, short comparisons
 * are taken for cheap.
 */
static bool is_too_dear(const struct view_link *of)
{
	const struct view *v = of->view;
	const struct hub *h = v->hub;
	bool looks_dear = v->gzip || (of->filter && (filter_has_regex(of->filter) ||
						     filter_text(of->filter).len > SHORT_FILTER));
	if (!v->spender.n_known && !looks_dear)
		return false;
	return budget_is_exceeded(&h->budget) &&
	       budget_is_dear(&h->budget, &v->spender, h->n_views);
}

/* What is done once for all views that see an event. */
static void begin_event(struct hub *h, const struct channel *c, const struct event *ev)
{
	if (h->event == ev->id)
		return;
	h->event = ev->id;
	h->event_begun_ns = 0;
	filter_run_event(regexes_run(h->registry.regexes), ev, str_of(c->settings.name));
	budget_begin_turn(&h->budget, loop_now(h->loop));
}

/* Appends it if the view wants it; the view flushes at the turn's end. */
static void on_event(struct channel_tap *t, struct channel *c, const struct event *ev)
{
	struct view_link *of = view_link_of(t);
	struct view *v = of->view;
	struct hub *h = v->hub;
	if (ev->id <= v->from)
		return;
	begin_event(h, c, ev);
	if (!v->is_aside && (of->filter || v->gzip) && is_too_dear(of))
		view_put_aside(v, ev);
	if (v->is_aside) {
		view_aside_note(v, ev);
		return;
	}
	if (!h->event_begun_ns)
		h->event_begun_ns = clock_mono_ns();
	publish_to(of, regexes_run(h->registry.regexes), ev);
	int64_t now = clock_mono_ns(), took = now - h->event_begun_ns;
	int64_t stolen = budget_is_odd(&v->spender, took) ? loop_stolen(h->loop) : 0;
	took -= MIN(stolen, took);
	budget_charge(&h->budget, &v->spender, took);
	h->event_begun_ns = now;
}

uint64_t view_end(struct view *v)
{
	close_group(v);
	return v->first_group + v->n_groups;
}

uint64_t view_join(struct view *v)
{
	uint64_t end = view_end(v);
	v->joins = true;
	return end;
}

int view_read(struct view *v, uint64_t pos, bool one_group, struct str *ret)
{
	if (pos < v->first_group)
		return -ESTALE;
	uint64_t end = view_end(v);
	size_t from = pos < end ? v->groups[pos - v->first_group].at : v->log.len;
	size_t to = v->log.len;
	if (one_group && pos + 1 < end)
		to = v->groups[pos + 1 - v->first_group].at;
	*ret = (struct str){v->log.data + from, to - from};
	return 0;
}

struct str view_cut(struct view *v, uint64_t *pos, size_t n, event_id *last)
{
	size_t i = (size_t)(*pos - v->first_group);
	size_t stop = v->groups[i].at + n;
	while (i < v->n_groups && v->groups[i].at < stop)
		i++;
	if (i > 0)
		*last = v->groups[i - 1].last;
	size_t end = i < v->n_groups ? v->groups[i].at : v->log.len;
	*pos = v->first_group + i;
	return (struct str){v->log.data + stop, end - stop};
}

/* ---- flushing ------------------------------------------------------------------- */

void view_flush(struct view *v)
{
	close_group(v);
	v->flushed_ns = loop_now(v->hub->loop);
	if (v->n_groups)
		v->said_ns = v->flushed_ns;
	loop_timer_cancel(v->hub->loop, &v->timer);
	struct list now;
	list_init(&now);
	list_splice(&now, &v->ready);
	while (!list_is_empty(&now)) {
		struct list *e = now.next;
		list_remove(e);
		list_append(&v->ready, e);
		stream_flush(stream_of_ready(e));
	}
	if (!v->n_behind)
		empty_log(v);
	else if (v->log.len > window_of(v))
		halve_log(v);
}

/* Sending takes a while when views are many, and compressing always does.  What goes beyond
 * its time in this turn waits for the next one; nothing waits behind what is compressed.
 */
static void flush_in_time(struct view *v)
{
	struct hub *h = v->hub;
	struct loop_share *share = v->gzip ? &h->compressing : &h->sending;
	if (!loop_share_enter(h->loop, share, FLUSHES_NS)) {
		loop_defer(h->loop, &v->task);
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
	struct loop *l = v->hub->loop;
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
	int64_t now = loop_now(v->hub->loop), due = v->said_ns + v->sub.heartbeat_ns;
	if (v->said_ns && now < due) {
		loop_timer_set(v->hub->loop, t, due);
		return;
	}
	loop_timer_set(v->hub->loop, t, now + v->sub.heartbeat_ns);
	view_flush(v);
	event_id head = view_head(v);
	open_group(v, head, true);
	format_heartbeat(&v->log, v->sub.format, registry_epoch(&v->hub->registry), head,
			 v->sub.heartbeat);
	v->hub->n_heartbeats += v->n_streams;
	v->last = MAX(v->last, head);
	view_flush(v);
}

/* ---- life ------------------------------------------------------------------------- */

static struct list *bucket_of(struct hub *h, const struct subscription *s)
{
	return &h->view_buckets[crc32c(0, s->key.data, s->key.len) % VIEW_BUCKETS];
}

static struct view *find(struct hub *h, const struct subscription *s)
{
	list_each (e, bucket_of(h, s)) {
		struct view *v = list_entry(e, struct view, by_key);
		if (str_eq(buf_str(&v->sub.key), buf_str(&s->key)))
			return v;
	}
	return NULL;
}

bool view_is_one_too_many(struct hub *h, const struct subscription *s)
{
	return h->n_views >= (size_t)h->settings->hub.max_views && !find(h, s);
}

/* One that serves several clients pays for itself. */
static void share(struct view *v, uint64_t reader)
{
	v->n_streams++;
	if (v->reader == reader)
		return;
	purse_put(v->spender.purse);
	v->spender.purse = NULL;
}

struct view *view_get(struct hub *h, struct subscription *s, uint64_t reader)
{
	struct view *v = find(h, s);
	if (v) {
		share(v, reader);
		return v;
	}
	if (h->n_views >= (size_t)h->settings->hub.max_views)
		return NULL;
	v = mem_zero(sizeof(*v));
	v->hub = h;
	v->n_streams = 1;
	v->reader = reader;
	v->spender.purse = purse_get(&h->budget, reader);
	v->sub = *s;
	v->gzip = s->gzips ? gzip_new() : NULL;
	v->links = mem_zero(s->n_channels * sizeof(v->links[0]));
	for (size_t i = 0; i < s->n_channels; i++) {
		struct channel *c = s->channels[i].channel;
		v->links[i].view = v;
		v->links[i].channel = c;
		v->links[i].filter = s->channels[i].filter;
		v->has_disk |= c->settings.durability == DURABILITY_DISK;
		v->links[i].tap.on_event = on_event;
		v->links[i].tap.on_released = on_released;
		list_append(&c->taps, &v->links[i].tap.link);
		if (s->channels[i].filter)
			regexes_changed(h->registry.regexes);
	}
	list_init(&v->ready);
	list_init(&v->held);
	list_init(&v->waiting);
	v->from = view_head(v) < h->registry.head ? h->registry.head : 0;
	list_init(&v->task.link);
	v->timer.fn = on_timer;
	v->heartbeat.fn = on_heartbeat;
	v->task.fn = on_turn_end;
	list_append(&h->views, &v->link);
	list_append(bucket_of(h, s), &v->by_key);
	h->n_views++;
	if (v->gzip)
		loop_timer_set(h->loop, &v->heartbeat, loop_now(h->loop) + s->heartbeat_ns);
	/* The view has all that `s` held. */
	s->names = s->filter = s->key = (struct buf){0};
	s->n_channels = 0;
	return v;
}

void view_free(struct view *v)
{
	list_each_safe (e, &v->held)
		free(list_entry(e, struct view_held, link));
	subscription_fini(&v->sub);
	gzip_free(v->gzip);
	buf_fini(&v->log);
	free(v->groups);
	free(v->links);
	free(v);
}

void view_put(struct view *v)
{
	if (--v->n_streams)
		return;
	for (size_t i = 0; i < v->sub.n_channels; i++)
		list_remove(&v->links[i].tap.link);
	list_remove(&v->link);
	list_remove(&v->by_key);
	list_remove(&v->task.link);
	loop_timer_cancel(v->hub->loop, &v->timer);
	loop_timer_cancel(v->hub->loop, &v->heartbeat);
	v->hub->n_views--;
	purse_put(v->spender.purse);
	v->spender.purse = NULL;
	regexes_changed(v->hub->registry.regexes);
	if (!view_aside_end(v))
		view_free(v);
}

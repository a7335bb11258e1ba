/* SPDX-License-Identifier: MIT */
#include "stream/views.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "channel/regexes.h"
#include "stream/view_internal.h"

#define STRIKE_NS         (2 * NS_PER_MS)
#define STRIKES_WITHIN_NS (10 * NS_PER_SEC)

enum { STRIKES_MAX = 20, STRIKE_BYTE_NS = 30 };

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
	/* Which of its regexes is slow is unknown, and other filters may use that one. */
	regexes_switch_off_filter(v->all->registry->regexes, of->filter);
	run->slow = NULL;
	return -ELIMIT;
}

/* Whether the event is for this view, which has its filter's memory of it. */
static void publish_to(struct view_link *of, struct filter_run *run, const struct event *ev)
{
	struct view *v = of->view;
	int wanted = of->filter ? match_in_time(of, run, ev) : 1;
	if (wanted < 0) {
		view_lose(v, run->slow);
		return;
	}
	if (!wanted) {
		v->n_passed++;
		return;
	}
	if (view_take(of, ev))
		return;
	/* Too many are held: a reader thread brings it from the journal later. */
	view_put_aside(v, ev);
	view_aside_note(v, ev);
}

enum { SHORT_FILTER = 200 };

/* Whether the view costs more than the loop can afford now.  A view that was not measured yet
 * counts as cheap if its filter is short, has no regex, and nothing is compressed.
 */
static bool is_too_dear(const struct view_link *of)
{
	const struct view *v = of->view;
	const struct views *all = v->all;
	bool looks_dear =
		v->log.gzip || (of->filter && (filter_has_regex(of->filter) ||
					       filter_text(of->filter).len > SHORT_FILTER));
	if (!v->spender.n_known && !looks_dear)
		return false;
	return budget_is_exceeded(&all->budget) &&
	       budget_is_dear(&all->budget, &v->spender, all->n);
}

static struct view_link *link_of(struct channel_tap *t)
{
	return container_of(t, struct view_link, tap);
}

/* What is done once for all views that see an event. */
static void begin_event(struct views *all, const struct channel *c, const struct event *ev)
{
	if (all->event == ev->id)
		return;
	all->event = ev->id;
	all->event_begun_ns = 0;
	filter_run_event(regexes_run(all->registry->regexes), ev, str_of(c->settings.name));
	budget_begin_turn(&all->budget, loop_now(all->registry->loop));
}

/* Appends it if the view wants it; the view flushes at the turn's end. */
static void on_event(struct channel_tap *t, struct channel *c, const struct event *ev)
{
	struct view_link *of = link_of(t);
	struct view *v = of->view;
	struct views *all = v->all;
	if (ev->id <= v->from)
		return;
	begin_event(all, c, ev);
	if (!v->is_aside && (of->filter || v->log.gzip) && is_too_dear(of))
		view_put_aside(v, ev);
	if (v->is_aside) {
		view_aside_note(v, ev);
		return;
	}
	if (!all->event_begun_ns)
		all->event_begun_ns = clock_mono_ns();
	publish_to(of, regexes_run(all->registry->regexes), ev);
	int64_t now = clock_mono_ns(), took = now - all->event_begun_ns;
	int64_t stolen = budget_is_odd(&v->spender, took) ? loop_stolen(all->registry->loop) : 0;
	took -= MIN(stolen, took);
	v->spender.extra_ns += v->log.packing_ns;
	v->log.packing_ns = 0;
	budget_charge(&all->budget, &v->spender, took);
	all->event_begun_ns = now;
}

static void on_released(struct channel_tap *t)
{
	struct view *v = link_of(t)->view;
	if (v->is_aside)
		view_aside_note(v, NULL);
	view_take_held(v);
	view_wake_waiting(v);
}

/* ---- life ------------------------------------------------------------------------- */

static uint64_t hash_of(const struct views *all, const struct subscription *s)
{
	return table_hash(&all->by_key, s->key.data, s->key.len);
}

static struct view *find(const struct views *all, const struct subscription *s)
{
	table_each_of (e, &all->by_key, hash_of(all, s)) {
		struct view *v = container_of(e, struct view, by_key);
		if (str_eq(buf_str(&v->sub.key), buf_str(&s->key)))
			return v;
	}
	return NULL;
}

bool view_is_one_too_many(const struct views *all, const struct subscription *s)
{
	return all->n >= (size_t)all->registry->settings->hub.max_views && !find(all, s);
}

/* One that serves several clients pays for itself. */
static void share(struct view *v, uint64_t owner)
{
	v->n_readers++;
	if (v->owner == owner)
		return;
	purse_put(v->spender.purse);
	v->spender.purse = NULL;
}

static void link_channel(struct view *v, size_t i)
{
	struct view_link *of = &v->links[i];
	of->view = v;
	of->channel = v->sub.channels[i].channel;
	of->filter = v->sub.channels[i].filter;
	of->tap.on_event = on_event;
	of->tap.on_released = on_released;
	v->has_disk |= of->channel->settings.durability == DURABILITY_DISK;
	channel_add_tap(of->channel, &of->tap);
	if (of->filter)
		regexes_changed(v->all->registry->regexes);
}

struct view *view_get(struct views *all, struct subscription *s, uint64_t owner)
{
	struct view *v = find(all, s);
	if (v) {
		share(v, owner);
		return v;
	}
	if (all->n >= (size_t)all->registry->settings->hub.max_views)
		return NULL;
	v = view_new(all, s);
	v->n_readers = 1;
	v->owner = owner;
	v->spender.purse = purse_get(&all->budget, owner);
	for (size_t i = 0; i < v->sub.n_channels; i++)
		link_channel(v, i);
	v->from = view_newest_id(v) < all->registry->newest_id ? all->registry->newest_id : 0;
	list_append(&all->all, &v->link);
	table_add(&all->by_key, &v->by_key, hash_of(all, &v->sub));
	all->n++;
	return v;
}

void view_put(struct view *v)
{
	if (--v->n_readers)
		return;
	for (size_t i = 0; i < v->sub.n_channels; i++)
		channel_remove_tap(&v->links[i].tap);
	list_remove(&v->link);
	table_remove(&v->all->by_key, &v->by_key);
	v->all->n--;
	view_stop(v);
	purse_put(v->spender.purse);
	v->spender.purse = NULL;
	regexes_changed(v->all->registry->regexes);
	if (!view_aside_end(v))
		view_free(v);
}

size_t views_count_streams(const struct channel *c)
{
	size_t n = 0;
	list_each (e, &c->taps) {
		struct channel_tap *t = list_entry(e, struct channel_tap, link);
		if (t->on_event == on_event)
			n += link_of(t)->view->n_readers;
	}
	return n;
}

void views_flush_all(struct views *all)
{
	list_each (e, &all->all)
		view_flush(list_entry(e, struct view, link));
}

void views_init(struct views *all, struct registry *r, const struct readers *readers)
{
	*all = (struct views){.registry = r, .readers = readers};
	budget_init(&all->budget);
	list_init(&all->all);
	table_init(&all->by_key);
}

void views_fini(struct views *all)
{
	table_fini(&all->by_key);
	budget_fini(&all->budget);
}

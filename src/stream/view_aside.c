/* SPDX-License-Identifier: MIT
 *
 * A view that is too dear for the loop: a thread matches and renders for it, from the
 * journal, in its turn among the threads.  What comes of it goes into the view's log as
 * usual, so its streams notice nothing but a delay.
 *
 *	published    | in the log | being read | not yet |
 *	                        seen                  view_published()
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "past/replay.h"
#include "stream/view_internal.h"
#include "wire/record.h"

#define ASIDE_MIN_NS (1 * NS_PER_SEC)
#define ASIDE_MAX_NS (30 * NS_PER_SEC)
#define READING_NS   (1 * NS_PER_MS) /* of a turn, for all of them */
#define PACE_NS      (2 * NS_PER_MS)
#define PACE_EACH_NS (500 * 1000LL) /* and so much for each view that is aside */

enum { PIECE_BYTES = 64 * 1024 };

/* What a channel has dropped that the view has not seen. */
static event_id gap_of(const struct view *v, const struct channel *c)
{
	event_id low = journal_low_watermark(&c->journal), newest = view_published(v);
	if (low > newest) /* of cursors alone, or the newest is another channel's event */
		low = newest - 1;
	return low > v->seen ? low : 0;
}

static void arrange(struct view *v)
{
	int64_t pace_ns = PACE_NS + (int64_t)v->all->n_aside * PACE_EACH_NS;
	if (!v->replay && !v->again.slot)
		loop_timer_set(view_loop(v), &v->again,
			       MAX(loop_now(view_loop(v)), v->read_ns + pace_ns));
}

/* Transient events are in no journal: missed ones are reported as a gap. */
static void tell_missed(struct view *v)
{
	struct buf text = {0};
	if (!v->missed || v->missed > v->seen)
		return;
	format_begin(&text, v->sub.format);
	format_gap(&text, v->sub.format, registry_epoch(v->all->registry),
		   &(struct gap){.from = v->missed_after,
				 .to = v->missed,
				 .at = v->seen,
				 .count = -1,
				 .reason = "slow"},
		   true);
	format_end(&text, v->sub.format, registry_epoch(v->all->registry), v->seen);
	if (v->log.gzip) {
		struct buf packed = {0};
		gzip_put_alone(&packed, buf_str(&text));
		buf_fini(&text);
		text = packed;
	}
	view_log_put_rendered(&v->log, buf_str(&text), v->seen);
	v->missed = 0;
	v->all->n_gaps++;
	buf_fini(&text);
}

static void come_back(struct view *v)
{
	v->is_aside = false;
	v->back_ns = loop_now(view_loop(v));
	v->all->n_aside--;
	loop_timer_cancel(view_loop(v), &v->again);
}

/* Whether the view can return to the loop without missing an event.  While an event waits for
 * its disk, newer ones of other channels have been published, which the reader thread reads only
 * after that event.
 */
static bool has_seen_all(const struct view *v)
{
	event_id newest = v->sub.n_channels > 1 ? v->all->registry->newest_id : view_published(v);
	return v->seen >= newest && !v->missed;
}

/* Whether the loop can afford it again. */
static bool has_place(struct view *v)
{
	budget_begin_turn(&v->all->budget, loop_now(view_loop(v)));
	return budget_reserve(&v->all->budget, &v->spender);
}

static void on_read(struct replay *r)
{
	struct view *v = r->owner;
	v->replay = NULL;
	subscription_release(&v->sub);
	if (!v->n_readers) {
		replay_free(r);
		view_free(v);
		return;
	}
	if (r->slow) {
		view_lose(v, r->slow);
	} else if (r->has_run) {
		v->seen = r->last;
		v->n_events += r->n_events;
		if (r->out.len)
			view_log_put_rendered(&v->log, buf_str(&r->out), r->last);
		tell_missed(v);
		if (has_seen_all(v) && loop_now(view_loop(v)) >= v->aside_until_ns && has_place(v))
			come_back(v);
		view_flush(v);
		if (v->is_aside && v->seen < view_published(v))
			arrange(v);
		view_wake_waiting(v);
	}
	replay_free(r);
}

/* The newest that any of its channels may hold. */
static event_id newest_of(const struct view *v)
{
	event_id newest = 0;
	for (size_t i = 0; i < v->sub.n_channels; i++)
		newest = MAX(newest, v->sub.channels[i].channel->journal.last);
	return newest;
}

static void read_on(struct view *v)
{
	event_id upto = view_published(v);
	v->read_ns = loop_now(view_loop(v));
	if (v->seen >= upto)
		return;
	if (newest_of(v) <= v->seen) { /* only transient ones, or none of its own */
		v->seen = upto;
		tell_missed(v);
		view_flush(v);
		return;
	}
	struct replay *r = v->replay = view_replay(v, v->seen, upto, 0);
	r->owner = v;
	r->done = on_read;
	if (v->sub.format != FORMAT_PAGE)
		r->budget = PIECE_BYTES;
	for (size_t i = 0; i < v->sub.n_channels; i++)
		r->channels[i].gap_to = gap_of(v, v->sub.channels[i].channel);
	subscription_hold(&v->sub);
	replay_submit(v->all->readers, r, v->owner);
}

static void on_again(struct loop_timer *t)
{
	struct view *v = container_of(t, struct view, again);
	struct loop *l = view_loop(v);
	if (!loop_share_enter(l, &v->all->reading, READING_NS)) {
		loop_timer_set(l, t, loop_now(l) + READING_NS);
		return;
	}
	read_on(v);
	loop_share_leave(&v->all->reading);
}

static void note_missed(struct view *v, const struct event *ev)
{
	if (!(ev->flags & EVENT_TRANSIENT))
		return;
	if (!v->missed)
		v->missed_after = ev->id - 1;
	v->missed = MAX(v->missed, ev->id);
}

void view_aside_note(struct view *v, const struct event *ev)
{
	if (ev)
		note_missed(v, ev);
	arrange(v);
}

static void drop_held(struct view *v)
{
	list_each_safe (e, &v->held) {
		list_remove(e);
		free(list_entry(e, struct view_held, link));
	}
	v->held_bytes = 0;
}

/* Events that wait for an older one are read as well. */
static void give_up_held(struct view *v)
{
	if (!list_is_empty(&v->held))
		v->seen = MIN(v->seen, list_entry(v->held.next, struct view_held, link)->id - 1);
	list_each (e, &v->held) {
		struct view_held *held = list_entry(e, struct view_held, link);
		struct str rest = {held->record, held->len};
		struct record rec;
		if (record_next(&rest, &rec) == 1)
			note_missed(v, &rec.event);
	}
	drop_held(v);
}

void view_put_aside(struct view *v, const struct event *ev)
{
	int64_t now = loop_now(view_loop(v));
	event_id published = view_published(v);
	/* What is in the log goes out in its time: many views may be put aside in one turn. */
	v->seen = MIN(published, ev->id - 1);
	give_up_held(v);
	v->is_aside = true;
	v->all->n_aside++;
	v->all->n_put_aside++;
	/* One that has just come back stays longer. */
	bool is_again = v->back_ns && now - v->back_ns < 2 * v->aside_ns;
	v->aside_ns = is_again ? MIN(2 * v->aside_ns, ASIDE_MAX_NS) : ASIDE_MIN_NS;
	v->aside_until_ns = now + v->aside_ns / 2 + random() % v->aside_ns;
	v->again.fn = on_again;
}

bool view_aside_end(struct view *v)
{
	loop_timer_cancel(view_loop(v), &v->again);
	v->all->n_aside -= v->is_aside;
	if (!v->replay)
		return false;
	if (!replay_cancel(v->replay))
		return true;
	subscription_release(&v->sub);
	return false;
}

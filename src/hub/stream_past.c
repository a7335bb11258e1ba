/* SPDX-License-Identifier: MIT
 *
 * What a stream has to do to get on: it reads the journal, joins its view, or is
 * too slow for its channels.
 */
#include "base/mem.h"
#include "channel/channel.h"
#include "channel/regexes.h"
#include "hub/stream_internal.h"
#include "hub/view.h"
#include "past/replay.h"
#include "wire/fcgi.h"

enum {
	REPLAY_BUDGET_MAX = 512 * 1024,
	REPLAY_BUDGET_MIN = 16 * 1024,
	REPLAY_BUDGET_ALL = 64 * 1024 * 1024,
	POLL_BYTES = 256 * 1024,
	LATEST_AMONG = 1000, /* events that are looked at for the newest of each kind */
};

/* ---- from the journal ------------------------------------------------------------------- */

void stream_give_up_regex(struct stream *s, struct regex *slow)
{
	struct buf why = {0};
	struct str own = buf_str(&s->view->sub.filter);
	bool is_own =
		slow && own.len && memmem(own.data, own.len, slow->pattern, strlen(slow->pattern));
	if (slow)
		regexes_switch_off(s->hub->registry.regexes, slow);
	if (is_own)
		buf_printf(&why,
			   "the regex /%.200s/ took too many steps on one event and is switched "
			   "off (write it without nested repetition such as (a+)+)",
			   slow->pattern);
	else if (slow)
		buf_puts(&why, "a regex of the channel's own filter took too many steps on one "
			       "event and is switched off");
	else
		buf_puts(&why, "the filter took too long for too many events and is switched off "
			       "for 10 minutes (fewer or simpler regexes)");
	stream_say_bye(s, "filter", buf_text(&why));
	s->hub->n_filters_lost++;
	buf_fini(&why);
}

static void send_replayed(struct stream *s, struct replay *r)
{
	if (r->out.len <= r->head_room)
		return;
	if (s->outlet.framing == DOOR_FCGI)
		fcgi_frame_stdout(&r->out, 0, s->outlet.fcgi_id);
	outlet_put_framed(&s->outlet, &r->out);
	if (s->is_poll && s->phase != STREAM_ENDED)
		stream_end_poll(s);
}

static void on_replayed(struct replay *r)
{
	struct stream *s = r->owner;
	s->replay = NULL;
	if (s->phase == STREAM_ENDED || s->outlet.ends) {
		replay_free(r);
		if (s->phase == STREAM_ENDED)
			loop_defer(s->hub->loop, &s->reaper);
		return;
	}
	if (s->tail && !s->is_poll) {
		struct buf hello = {0};
		stream_put_state(s, &hello, r->start, "hello", "fresh");
		stream_say(s, buf_str(&hello));
		buf_fini(&hello);
	}
	s->tail = 0;
	s->wants_latest = false;
	s->after = r->last;
	s->is_caught_up = r->is_complete && s->joined_whole;
	if (s->phase != STREAM_ENDED)
		send_replayed(s, r);
	struct regex *slow = r->slow;
	if (slow && s->phase != STREAM_ENDED && !s->outlet.ends)
		stream_give_up_regex(s, slow);
	bool is_over = r->is_complete;
	replay_free(r);
	if (s->is_late && is_over)
		stream_say_bye(s, "timeout", NULL);
	if (s->phase != STREAM_ENDED && outlet_is_clear(&s->outlet))
		stream_set_catching_up(s, false);
	stream_advance(s);
}

/* What has been dropped of a channel since this stream looked. */
static event_id gap_of(const struct stream *s, size_t i)
{
	event_id head = view_head(s->view);
	event_id floor = journal_floor(&s->view->sub.channels[i].channel->journal);
	/* The floor may be the id of cursors alone, newer than any event; the head
	 * may be another channel's event, which is no gap.
	 */
	if (floor > head)
		floor = head - 1;
	bool known = s->known_floors && floor <= s->known_floors[i];
	return floor > s->after && !known ? floor : 0;
}

static size_t fair_budget(const struct stream *s)
{
	if (s->is_poll)
		return POLL_BYTES;
	int64_t each = REPLAY_BUDGET_ALL / (int64_t)MAX(s->hub->n_catching_up, (size_t)1);
	return (size_t)MIN(MAX(each, REPLAY_BUDGET_MIN), REPLAY_BUDGET_MAX);
}

/* Has the helper read on from s->after up to what is published now.  The
 * view's next event begins a new group, where the stream can join.
 */
static void start_replay(struct stream *s)
{
	struct hub *h = s->hub;
	struct view *v = s->view;
	const struct subscription *sub = &v->sub;
	uint64_t tail = s->wants_latest ? LATEST_AMONG : s->tail;
	struct replay *r = view_replay(v, s->after, view_head(v), tail);
	stream_set_catching_up(s, true);
	s->pos = view_join(v);
	s->joined_whole = view_may_join(v, 0);
	stream_set_behind(s, true);
	r->owner = s;
	r->done = on_replayed;
	r->is_latest = s->wants_latest;
	r->budget = fair_budget(s);
	r->head_room = s->outlet.framing == DOOR_FCGI ? FCGI_HEADER : 0;
	buf_reserve(&r->out, r->head_room + 4096);
	r->out.len = r->head_room;
	for (size_t i = 0; i < sub->n_channels; i++)
		r->channels[i].gap_to = r->tail ? 0 : gap_of(s, i);
	s->replay = r;
	replay_submit(h->helper, r, reader_owner(&s->who, READS_STREAM));
}

/* ---- too slow --------------------------------------------------------------------------- */

/* Fell out of the view's window, or was behind for too long, and its channels do
 * not want it to read all that from the journal.
 */
static void leave_out(struct stream *s)
{
	struct buf text = {0};
	event_id head = view_head(s->view);
	s->hub->n_slow++;
	if (s->view->sub.slow == SLOW_DISCONNECT) {
		stream_say_bye(s, "slow", "this client was too far behind (see max_lag)");
		return;
	}
	s->wants_latest = s->view->sub.slow == SLOW_LATEST;
	s->phase = STREAM_REPLAYING;
	s->behind_since_ns = 0;
	s->is_caught_up = false;
	if (!s->wants_latest) {
		if (head > s->after)
			stream_put_gap(s, &text, s->after, head, "slow");
		s->pos = view_join(s->view);
		s->is_caught_up = view_may_join(s->view, head);
		s->after = MAX(s->after, head);
	}
	stream_say(s, buf_str(&text));
	buf_fini(&text);
}

bool stream_is_too_slow(const struct stream *s)
{
	if (s->view->sub.slow == SLOW_CATCH_UP || !s->behind_since_ns || s->phase != STREAM_LIVE)
		return false;
	return s->pos < s->view->first_group ||
	       loop_now(s->hub->loop) - s->behind_since_ns > s->view->sub.max_lag_ns;
}

/* Does what comes next, once nothing is pending and no replay is under way. */
void stream_advance(struct stream *s)
{
	if (s->phase == STREAM_ENDED || s->outlet.ends || s->replay || !outlet_is_clear(&s->outlet))
		return;
	if (s->next) {
		stream_apply_change(s);
		if (s->phase == STREAM_ENDED || s->outlet.ends || !outlet_is_clear(&s->outlet))
			return;
	}
	if (s->phase == STREAM_REPLAYING && s->is_caught_up) {
		s->phase = STREAM_LIVE;
		s->behind_since_ns = loop_now(s->hub->loop); /* lag counts from here */
	}
	if (stream_is_too_slow(s)) {
		leave_out(s);
		if (s->phase == STREAM_ENDED || s->outlet.ends || !outlet_is_clear(&s->outlet))
			return;
		if (s->is_caught_up)
			s->phase = STREAM_LIVE;
	}
	if (s->phase == STREAM_LIVE && s->pos < s->view->first_group)
		s->phase = STREAM_REPLAYING; /* fell out of the window meanwhile */
	if (s->phase == STREAM_LIVE) {
		stream_flush(s);
		return;
	}
	s->is_caught_up = false;
	if (!s->tail && !s->wants_latest && s->after >= view_head(s->view) &&
	    !view_may_join(s->view, s->after)) {
		list_remove(&s->ready);
		list_append(&s->view->waiting, &s->ready);
		return;
	}
	start_replay(s);
}

void stream_wake(struct stream *s)
{
	stream_advance(s);
}

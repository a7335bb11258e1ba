/* SPDX-License-Identifier: MIT
 *
 * What a stream gets from the journal, or does without: it is too slow for its channels, or
 * its filter is.
 */
#include <string.h>

#include "channel/regexes.h"
#include "past/replay.h"
#include "stream/stream_internal.h"
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
	struct str own = buf_str(&s->reader.view->sub.filter);
	bool is_own =
		slow && own.len && memmem(own.data, own.len, slow->pattern, strlen(slow->pattern));
	if (slow)
		regexes_switch_off(s->all->registry->regexes, slow);
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
	s->all->n_filters_lost++;
	buf_fini(&why);
}

static void say_hello_of_tail(struct stream *s, const struct replay *r)
{
	struct buf hello = {0};
	stream_put_state(s, &hello, r->start, "hello", "fresh");
	stream_say(s, buf_str(&hello));
	buf_fini(&hello);
}

static void send_read(struct stream *s, struct replay *r)
{
	if (r->out.len <= r->head_room)
		return;
	if (s->outlet.framing == HANDOFF_FCGI)
		fcgi_frame_stdout(&r->out, 0, s->outlet.fcgi_id);
	outlet_put_framed(&s->outlet, &r->out);
	if (s->is_poll)
		stream_finish(s); /* one group is its answer */
}

void stream_take_read(struct stream *s, struct replay *r)
{
	if (s->tail && !s->is_poll)
		say_hello_of_tail(s, r);
	s->tail = 0;
	s->wants_latest = false;
	s->after = r->last;
	stream_set_state(s, r->is_complete && s->joined_whole ? STREAM_CAUGHT_UP : STREAM_BEHIND);
	send_read(s, r);
	if (r->slow && !stream_is_leaving(s))
		stream_give_up_regex(s, r->slow);
	if (s->is_late && r->is_complete)
		stream_say_bye(s, "timeout", NULL);
	replay_free(r);
}

/* What has been dropped of a channel since this stream looked. */
static event_id gap_of(const struct stream *s, size_t i)
{
	event_id newest = view_newest_id(s->reader.view);
	event_id low = journal_low_watermark(&s->reader.view->sub.channels[i].channel->journal);
	/* The low-watermark may be the id of cursors alone, newer than any event; the newest id
	 * may be that of another channel, which is no gap.
	 */
	if (low > newest)
		low = newest - 1;
	bool known = s->known_lows && low <= s->known_lows[i];
	return low > s->after && !known ? low : 0;
}

static size_t fair_budget(const struct stream *s)
{
	if (s->is_poll)
		return POLL_BYTES;
	int64_t each = REPLAY_BUDGET_ALL / (int64_t)MAX(s->all->n_catching_up, (size_t)1);
	return (size_t)MIN(MAX(each, REPLAY_BUDGET_MIN), REPLAY_BUDGET_MAX);
}

/* The view's next event begins a new group, where the stream can join. */
static void start_reading(struct stream *s, void (*done)(struct replay *r))
{
	struct view *v = s->reader.view;
	stream_set_state(s, STREAM_READING);
	struct replay *r = view_replay(v, s->after, view_newest_id(v),
				       s->wants_latest ? LATEST_AMONG : s->tail);
	s->pos = view_log_join(&v->log);
	s->joined_whole = view_may_join(v, 0);
	r->owner = s;
	r->done = done;
	r->is_latest = s->wants_latest;
	r->budget = fair_budget(s);
	r->head_room = s->outlet.framing == HANDOFF_FCGI ? FCGI_HEADER : 0;
	buf_reserve(&r->out, r->head_room + 4096);
	r->out.len = r->head_room;
	for (size_t i = 0; i < v->sub.n_channels; i++)
		r->channels[i].gap_to = r->tail ? 0 : gap_of(s, i);
	s->replay = r;
	replay_submit(s->all->readers, r, reader_owner(&s->who, READS_STREAM));
}

void stream_read_past(struct stream *s, void (*done)(struct replay *r))
{
	const struct view *v = s->reader.view;
	bool is_search = s->tail || s->wants_latest;
	if (!is_search && s->after >= view_newest_id(v) && !view_may_join(v, s->after))
		stream_set_state(s, STREAM_WAITING);
	else
		start_reading(s, done);
}

/* ---- too slow --------------------------------------------------------------------------- */

bool stream_is_too_slow(const struct stream *s)
{
	const struct view *v = s->reader.view;
	if (v->sub.slow == SLOW_CATCH_UP || s->state != STREAM_LAGGING)
		return false;
	return s->pos < v->log.first_group ||
	       loop_now(stream_loop(s)) - s->lags_since_ns > v->sub.max_lag_ns;
}

void stream_leave_out(struct stream *s)
{
	const struct view *v = s->reader.view;
	s->all->n_slow++;
	if (v->sub.slow == SLOW_DISCONNECT) {
		stream_say_bye(s, "slow", "this client was too far behind (see max_lag)");
		return;
	}
	if (v->sub.slow == SLOW_LATEST) {
		s->wants_latest = true;
		stream_set_state(s, STREAM_BEHIND);
		return;
	}
	struct buf text = {0};
	event_id newest = view_newest_id(v);
	if (newest > s->after)
		stream_put_gap(s, &text, s->after, newest, "slow");
	s->after = MAX(s->after, newest);
	stream_join(s);
	stream_say(s, buf_str(&text));
	buf_fini(&text);
}

/* SPDX-License-Identifier: MIT */
#include "hub/stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "hub/channel.h"
#include "hub/quota.h"
#include "hub/regexes.h"
#include "hub/replay.h"
#include "hub/view.h"
#include "wire/fcgi.h"

enum {
	REPLAY_BUDGET_MAX = 512 * 1024,
	REPLAY_BUDGET_MIN = 16 * 1024,
	REPLAY_BUDGET_ALL = 64 * 1024 * 1024,
	POLL_EVENTS_MAX = 1000,
	POLL_BYTES = 256 * 1024,
	LATEST_AMONG = 1000, /* events that are looked at for the newest of each kind */
};

static void advance(struct stream *s);
static void apply_change(struct stream *s);

int64_t jittered_ms(int64_t from)
{
	return from + (int64_t)(random() % (from > 0 ? from : 1));
}

struct stream *stream_of_ready(struct list *e)
{
	return list_entry(e, struct stream, ready);
}

static struct stream *stream_of(struct outlet *o)
{
	return container_of(o, struct stream, outlet);
}

/* ---- the end ---------------------------------------------------------------------- */

static void set_behind(struct stream *s, bool behind)
{
	if (s->counts_behind != behind)
		s->view->n_behind += behind ? 1 : (size_t)-1;
	s->counts_behind = behind;
	if (!behind)
		s->behind_since_ns = 0;
	else if (!s->behind_since_ns)
		s->behind_since_ns = loop_now(s->hub->loop);
}

static void set_catching_up(struct stream *s, bool catching_up)
{
	if (s->counts_catching_up != catching_up)
		s->hub->n_catching_up += catching_up ? 1 : (size_t)-1;
	s->counts_catching_up = catching_up;
}

static void reap(struct loop_task *t)
{
	struct stream *s = container_of(t, struct stream, reaper);
	if (s->replay)
		return; /* its done() comes here again */
	outlet_close(&s->outlet);
	free(s->known_floors);
	if (s->next)
		subscription_fini(s->next);
	free(s->next);
	view_put(s->view);
	free(s);
}

/* The descriptor goes at once, the memory at the end of the turn. */
static void end(struct stream *s)
{
	if (s->phase == STREAM_ENDED)
		return;
	s->phase = STREAM_ENDED;
	set_behind(s, false);
	set_catching_up(s, false);
	list_remove(&s->ready);
	list_remove(&s->link);
	s->hub->n_streams--;
	quota_give(s->quotas[0]);
	quota_give(s->quotas[1]);
	loop_timer_cancel(s->hub->loop, &s->heartbeat);
	outlet_close(&s->outlet);
	loop_defer(s->hub->loop, &s->reaper);
}

static void on_gone(struct outlet *o)
{
	end(stream_of(o));
}

/* Nothing more is to come but what is pending. */
static void finish(struct stream *s)
{
	list_remove(&s->ready);
	outlet_end(&s->outlet); /* the heartbeat's timer watches whether it is taken */
}

/* ---- what is said beside events ---------------------------------------------------------- */

/* Text for this client alone.  In a compressed stream only where what follows looks
 * back on nothing: before it joins, or at its end.
 */
static void say(struct stream *s, struct str text)
{
	struct buf packed = {0};
	if (s->view->sub.gzips)
		gzip_put_stored(&packed, text);
	outlet_put(&s->outlet, s->view->sub.gzips ? buf_str(&packed) : text);
	buf_fini(&packed);
}

static void put_id(struct json *j, struct hub *h, const char *key, event_id id)
{
	char text[ID_TEXT_MAX];
	json_str(j, key, (struct str){text, id_put(text, hub_epoch(h), id)});
}

/* hello and changed: what the stream is from here on. */
static void put_state(struct stream *s, struct buf *out, event_id cursor, const char *type,
		      const char *mode)
{
	struct hub *h = s->hub;
	const struct subscription *sub = &s->view->sub;
	event_id oldest = UINT64_MAX;
	struct buf data = {0};
	struct json j = {&data, false};
	for (size_t i = 0; i < sub->n_channels; i++)
		oldest = MIN(oldest, journal_floor(&sub->channels[i].channel->journal));
	json_open(&j, NULL, '{');
	json_cstr(&j, "mode", mode);
	put_id(&j, h, "head", view_head(s->view));
	put_id(&j, h, "oldest", oldest);
	json_int(&j, "heartbeat_ms", sub->heartbeat_ns / NS_PER_MS);
	json_raw(&j, "channels", buf_str(&sub->names));
	if (sub->filter.len)
		json_str(&j, "filter", buf_str(&sub->filter));
	json_cstr(&j, "token", s->token);
	json_close(&j, '}');
	if (strcmp(type, "hello") == 0)
		format_retry(out, sub->format, sub->retry_ns / NS_PER_MS);
	format_control(out, sub->format, hub_epoch(h), cursor, type, buf_str(&data));
	buf_fini(&data);
}

static void put_gap(struct stream *s, struct buf *out, event_id from, event_id to,
		    const char *reason)
{
	enum format f = s->view->sub.format;
	format_begin(out, f);
	format_gap(out, f, hub_epoch(s->hub),
		   &(struct gap){.from = from, .to = to, .count = -1, .reason = reason}, true);
	format_end(out, f, hub_epoch(s->hub), to);
	s->hub->n_gaps_told++;
}

void stream_say_bye(struct stream *s, const char *reason, const char *message)
{
	enum format f = s->view->sub.format;
	struct buf text = {0}, data = {0};
	struct json j = {&data, false};
	json_open(&j, NULL, '{');
	json_cstr(&j, "reason", reason);
	if (message)
		json_cstr(&j, "message", message);
	json_close(&j, '}');
	format_retry(&text, f, jittered_ms(MAX(s->view->sub.retry_ns / NS_PER_MS, 1)));
	/* It has no id of its own: the cursor stays where it is. */
	format_control(&text, f, hub_epoch(s->hub), FORMAT_NO_ID, "bye", buf_str(&data));
	if (s->is_poll && !s->has_sent && outlet_is_clear(&s->outlet)) {
		text.len = 0;
		format_begin(&text, f);
		format_end(&text, f, hub_epoch(s->hub), s->after);
	}
	say(s, buf_str(&text));
	buf_fini(&text);
	buf_fini(&data);
	if (s->phase != STREAM_ENDED)
		finish(s);
}

/* ---- live ----------------------------------------------------------------------------- */

/* The view's records carry id 1; for another one a copy is made. */
static struct str with_own_id(struct stream *s, struct str bytes, struct buf *copy)
{
	if (s->outlet.framing != DOOR_FCGI || s->outlet.fcgi_id == 1)
		return bytes;
	buf_put_str(copy, bytes);
	fcgi_patch_id(copy->data, copy->len, s->outlet.fcgi_id);
	return buf_str(copy);
}

/* A poll is answered by one group. */
static void end_poll(struct stream *s)
{
	s->has_sent = true;
	finish(s);
}

static void fall_behind(struct stream *s, struct str own, size_t sent)
{
	/* The rest of the group it stopped in is kept; what comes after it stays in
	 * the view for as long as the window holds it.
	 */
	list_remove(&s->ready);
	struct str rest = view_cut(s->view, &s->pos, sent, &s->after);
	outlet_keep(&s->outlet, own.data + sent, rest.len);
	set_behind(s, true);
}

void stream_flush(struct stream *s)
{
	struct str bytes;
	if (view_read(s->view, s->pos, s->is_poll, &bytes)) {
		list_remove(&s->ready);
		s->phase = STREAM_REPLAYING;
		advance(s);
		return;
	}
	struct buf copy = {0};
	struct str own = with_own_id(s, bytes, &copy);
	size_t sent = outlet_try(&s->outlet, own.data, own.len);
	if (s->phase == STREAM_ENDED) {
		buf_fini(&copy);
		return;
	}
	if (sent < bytes.len) {
		fall_behind(s, own, sent);
	} else {
		s->pos = view_end(s->view);
		if (bytes.len)
			s->after = s->view->last;
		if (list_is_empty(&s->ready))
			list_append(&s->view->ready, &s->ready);
		set_behind(s, false);
	}
	buf_fini(&copy);
	if (s->is_poll && bytes.len)
		end_poll(s);
}

/* ---- from the journal ------------------------------------------------------------------- */

static void give_up_regex(struct stream *s, struct regex *slow)
{
	struct buf why = {0};
	regexes_switch_off(s->hub->regexes, slow);
	buf_printf(&why,
		   "the regex /%.200s/ took too many steps on one event and is switched off "
		   "(write it without nested repetition such as (a+)+)",
		   slow->pattern);
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
		end_poll(s);
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
		put_state(s, &hello, r->start, "hello", "fresh");
		say(s, buf_str(&hello));
		buf_fini(&hello);
	}
	s->tail = 0;
	s->wants_latest = false;
	s->after = r->last;
	s->is_caught_up = r->is_complete;
	if (s->phase != STREAM_ENDED)
		send_replayed(s, r);
	struct regex *slow = r->slow;
	if (slow && s->phase != STREAM_ENDED && !s->outlet.ends)
		give_up_regex(s, slow);
	replay_free(r);
	if (s->next && s->phase != STREAM_ENDED && !s->outlet.ends)
		apply_change(s);
	if (s->phase != STREAM_ENDED && outlet_is_clear(&s->outlet))
		set_catching_up(s, false);
	advance(s);
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
	struct replay *r = replay_new(sub->n_channels);
	set_catching_up(s, true);
	s->pos = view_join(v);
	set_behind(s, true);
	r->owner = s;
	r->done = on_replayed;
	r->run = h->reader_run;
	r->epoch = hub_epoch(h);
	r->format = sub->format;
	r->gzips = sub->gzips;
	r->is_latest = s->wants_latest;
	r->after = s->after;
	r->upto = view_head(v);
	r->tail = s->wants_latest ? LATEST_AMONG : s->tail;
	r->budget = fair_budget(s);
	r->group = s->is_poll ? 0 : VIEW_GROUP;
	r->limit = s->is_poll ? POLL_EVENTS_MAX : 0;
	r->head_room = s->outlet.framing == DOOR_FCGI ? FCGI_HEADER : 0;
	buf_reserve(&r->out, r->head_room + 4096);
	r->out.len = r->head_room;
	for (size_t i = 0; i < sub->n_channels; i++) {
		const struct journal *j = &sub->channels[i].channel->journal;
		struct past_channel *c = &r->channels[i];
		c->name = str_of(sub->channels[i].channel->settings.name);
		c->filter = filter_ref(sub->channels[i].filter);
		if (r->tail)
			journal_snapshot_back(j, r->upto, &c->snapshot);
		else
			journal_snapshot(j, s->after, &c->snapshot);
		c->snapshot.last = MIN(c->snapshot.last, r->upto);
		c->gap_to = r->tail ? 0 : gap_of(s, i);
	}
	if (r->tail)
		locate_init(&r->locate, r->channels, r->n_channels, r->upto, r->tail);
	s->replay = r;
	replay_submit(h->helper, r);
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
		put_gap(s, &text, s->after, head, "slow");
		s->pos = view_join(s->view);
		s->is_caught_up = true;
		s->after = head;
	}
	say(s, buf_str(&text));
	buf_fini(&text);
}

static bool is_too_slow(const struct stream *s)
{
	if (s->view->sub.slow == SLOW_CATCH_UP || !s->behind_since_ns || s->phase != STREAM_LIVE)
		return false;
	return s->pos < s->view->first_group ||
	       loop_now(s->hub->loop) - s->behind_since_ns > s->view->sub.max_lag_ns;
}

/* Does what comes next, once nothing is pending and no replay is under way. */
static void advance(struct stream *s)
{
	if (s->phase == STREAM_ENDED || s->outlet.ends || s->replay || !outlet_is_clear(&s->outlet))
		return;
	if (s->phase == STREAM_REPLAYING && s->is_caught_up)
		s->phase = STREAM_LIVE;
	if (is_too_slow(s)) {
		leave_out(s);
		if (s->phase == STREAM_ENDED || s->outlet.ends ||
		    !outlet_is_clear(&s->outlet))
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
	start_replay(s);
}

static void on_room(struct outlet *o)
{
	struct stream *s = stream_of(o);
	if (!s->replay)
		set_catching_up(s, false);
	advance(s);
}

/* ---- heartbeats ------------------------------------------------------------------------- */

/* Whether it has to be let go: it takes nothing, though there is something. */
static bool is_stalled(const struct stream *s, int64_t now)
{
	return !outlet_is_clear(&s->outlet) &&
	       now - s->outlet.moved_ns > s->hub->settings->hub.max_stall_ns;
}

static void beat(struct stream *s)
{
	bool is_live = s->phase == STREAM_LIVE && !list_is_empty(&s->ready);
	if (is_live) {
		/* The id must not run ahead of events that wait to be flushed. */
		view_flush(s->view);
		is_live = s->phase == STREAM_LIVE && !list_is_empty(&s->ready);
	}
	/* One that is behind gets, or does not take, bytes anyway; one that searches
	 * the journal has got so far.
	 */
	if (s->phase == STREAM_ENDED || !outlet_is_clear(&s->outlet) || s->tail ||
	    (!is_live && !s->replay))
		return;
	if (is_live)
		s->after = MAX(s->after, view_head(s->view));
	struct buf text = {0};
	format_heartbeat(&text, s->view->sub.format, hub_epoch(s->hub), s->after,
			 s->view->sub.pings);
	s->hub->n_heartbeats++;
	outlet_put(&s->outlet, buf_str(&text));
	buf_fini(&text);
	if (is_live && s->phase == STREAM_LIVE && !outlet_is_clear(&s->outlet)) {
		list_remove(&s->ready);
		set_behind(s, true);
	}
}

static void on_heartbeat(struct loop_timer *t)
{
	struct stream *s = container_of(t, struct stream, heartbeat);
	int64_t now = loop_now(s->hub->loop);
	if (is_stalled(s, now)) {
		s->hub->n_stalled++;
		end(s);
		return;
	}
	if (s->view->sub.slow == SLOW_DISCONNECT && is_too_slow(s)) {
		s->hub->n_slow++;
		end(s);
		return;
	}
	if (s->is_poll && !s->outlet.ends) {
		stream_say_bye(s, "timeout", NULL);
		return;
	}
	loop_timer_set(s->hub->loop, t, now + s->view->sub.heartbeat_ns);
	/* In a compressed one the view does it for all. */
	if (!s->view->sub.gzips && !s->outlet.ends)
		beat(s);
}

/* ---- life ----------------------------------------------------------------------------------- */

static event_id *floors_of(const struct view *v)
{
	event_id *floors = mem_zero((v->sub.n_channels + 1) * sizeof(floors[0]));
	for (size_t i = 0; i < v->sub.n_channels; i++)
		floors[i] = journal_floor(&v->sub.channels[i].channel->journal);
	return floors;
}

static void make_token(char token[TOKEN_LEN + 1])
{
	unsigned char bytes[TOKEN_LEN / 2];
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		abort(); /* nothing may ever be guessable */
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(token + 2 * i, 3, "%02x", bytes[i]);
}

/* Puts the hello and sets where it begins. */
static void begin(struct stream *s, const struct subscription *from, struct buf *hello)
{
	event_id head = view_head(s->view), oldest = UINT64_MAX, newest_floor = 0;
	event_id *floors = floors_of(s->view);
	const char *mode = "fresh";
	for (size_t i = 0; i < s->view->sub.n_channels; i++) {
		oldest = MIN(oldest, floors[i]);
		newest_floor = MAX(newest_floor, floors[i]);
	}
	s->after = head;
	switch (from->start) {
	case START_NOW: break;
	case START_UNKNOWN: mode = "gap"; break;
	case START_AFTER:
		s->after = from->after;
		mode = s->after < newest_floor ? "gap" : "resumed";
		break;
	case START_EARLIEST: s->after = oldest; break;
	case START_TAIL: s->tail = from->tail; break;
	}
	if (from->start == START_EARLIEST || from->start == START_TAIL)
		s->known_floors = floors;
	else
		free(floors);
	if (!s->tail && !s->is_poll)
		put_state(s, hello, s->after, "hello", mode);
	if (from->start == START_UNKNOWN)
		put_gap(s, hello, 0, head, "epoch");
}

void stream_open(struct hub *h, int fd, const struct door_request *r, struct subscription *sub)
{
	struct subscription from = *sub; /* its plain members, for what view_get() takes */
	struct view *v = view_get(h, sub);
	if (!v) {
		fd_close(&fd);
		return;
	}
	struct stream *s = mem_zero(sizeof(*s));
	s->hub = h;
	s->view = v;
	s->phase = STREAM_REPLAYING;
	s->is_poll = v->sub.format == FORMAT_PAGE;
	s->heartbeat.fn = on_heartbeat;
	s->reaper.fn = reap;
	s->outlet.on_room = on_room;
	s->outlet.on_gone = on_gone;
	s->quotas[0] = quota_take(h->quota_addresses, r->address);
	s->quotas[1] = quota_take(h->quota_users, r->user);
	make_token(s->token);
	list_init(&s->ready);
	list_init(&s->reaper.link);
	list_append(&h->streams, &s->link);
	h->n_streams++;
	h->n_streams_ever++;
	if (outlet_open(&s->outlet, h->loop, fd, r->fcgi_id, r->framing)) {
		end(s);
		return;
	}
	/* Spread over the interval from the start: never all in one turn. */
	int64_t beat_ns = v->sub.heartbeat_ns;
	int64_t first = s->is_poll ? from.timeout_ns
				   : beat_ns / 2 + (int64_t)(random() % (beat_ns / 2 + 1));
	loop_timer_set(h->loop, &s->heartbeat, loop_now(h->loop) + first);
	struct buf hello = {0}, head = {0};
	begin(s, &from, &hello);
	/* Nothing may be published between here and the position in the view. */
	s->pos = view_join(v);
	set_behind(s, true);
	s->is_caught_up = !s->tail && s->after >= view_head(v);
	if (v->sub.gzips) {
		gzip_put_header(&head);
		outlet_put(&s->outlet, buf_str(&head));
	}
	if (s->phase != STREAM_ENDED)
		say(s, buf_str(&hello));
	if (s->is_poll && hello.len && s->phase != STREAM_ENDED)
		end_poll(s); /* the gap is its answer */
	buf_fini(&hello);
	buf_fini(&head);
	advance(s);
}

struct stream *stream_find(struct hub *h, struct str token)
{
	if (token.len != TOKEN_LEN)
		return NULL;
	list_each (e, &h->streams) {
		struct stream *s = list_entry(e, struct stream, link);
		if (memcmp(s->token, token.data, TOKEN_LEN) == 0)
			return s;
	}
	return NULL;
}

/* Channels that it did not have begin here: what they had dropped is no gap. */
static event_id *floors_after_change(const struct stream *s, const struct view *old)
{
	event_id *floors = floors_of(s->view);
	for (size_t i = 0; i < s->view->sub.n_channels; i++)
		for (size_t k = 0; k < old->sub.n_channels; k++)
			if (old->sub.channels[k].channel == s->view->sub.channels[i].channel)
				floors[i] = s->known_floors ? s->known_floors[k] : 0;
	return floors;
}

/* What the old view had for it is sent or pending; from `after` on it is the new
 * one's, by the journal where there is something between.
 */
static void apply_change(struct stream *s)
{
	struct view *old = s->view, *v = view_get(s->hub, s->next);
	subscription_fini(s->next);
	free(s->next);
	s->next = NULL;
	if (!v) {
		stream_say_bye(s, "hub.limits.subscriptions", NULL);
		return;
	}
	if (s->phase == STREAM_LIVE && !list_is_empty(&s->ready))
		s->after = MAX(s->after, view_head(old));
	set_behind(s, false);
	list_remove(&s->ready);
	s->view = v;
	event_id *floors = floors_after_change(s, old);
	free(s->known_floors);
	s->known_floors = floors;
	s->pos = view_join(v);
	set_behind(s, true);
	s->phase = STREAM_REPLAYING;
	s->is_caught_up = s->after >= view_head(v);
	struct buf text = {0};
	put_state(s, &text, s->after, "changed", "resumed");
	say(s, buf_str(&text));
	buf_fini(&text);
	view_put(old);
}

bool stream_change(struct stream *s, struct subscription *sub)
{
	subscription_liken(sub, &s->view->sub);
	if (view_is_one_too_many(s->hub, sub))
		return false;
	if (s->next)
		subscription_fini(s->next);
	free(s->next);
	s->next = mem_zero(sizeof(*s->next));
	*s->next = *sub;
	*sub = (struct subscription){0};
	if (s->replay)
		return true; /* once that is sent */
	view_flush(s->view);
	if (s->phase == STREAM_ENDED || s->outlet.ends)
		return true;
	apply_change(s);
	advance(s);
	return true;
}

void streams_lose_filter(struct view *v, struct regex *slow)
{
	struct hub *h = v->hub;
	list_each_safe (e, &h->streams) {
		struct stream *s = list_entry(e, struct stream, link);
		if (s->view == v && !s->outlet.ends)
			give_up_regex(s, slow);
	}
}

void streams_of_derived_come_back(struct hub *h)
{
	list_each_safe (e, &h->streams) {
		struct stream *s = list_entry(e, struct stream, link);
		if (s->view->sub.is_derived && !s->outlet.ends)
			stream_say_bye(s, "reload", "the channel is defined anew");
	}
}

void streams_end_all(struct hub *h)
{
	list_each_safe (e, &h->streams)
		end(list_entry(e, struct stream, link));
}

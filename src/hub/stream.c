/* SPDX-License-Identifier: MIT */
#include "hub/manager.h"
#include "hub/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "channel/channel.h"
#include "hub/quota.h"
#include "hub/stream_internal.h"
#include "hub/view.h"
#include "past/replay.h"
#include "wire/fcgi.h"

struct stream *stream_of_ready(struct list *e)
{
	return list_entry(e, struct stream, ready);
}

static struct stream *stream_of(struct outlet *o)
{
	return container_of(o, struct stream, outlet);
}

/* ---- the end ---------------------------------------------------------------------- */

void stream_set_behind(struct stream *s, bool behind)
{
	if (s->counts_behind != behind)
		s->view->n_behind += behind ? 1 : (size_t)-1;
	s->counts_behind = behind;
	if (!behind)
		s->behind_since_ns = 0;
	else if (!s->behind_since_ns)
		s->behind_since_ns = loop_now(s->hub->loop);
}

void stream_set_catching_up(struct stream *s, bool catching_up)
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
	stream_forget_change(s);
	view_put(s->view);
	identity_fini(&s->who);
	free(s);
}

/* The descriptor goes at once, the memory at the end of the turn. */
void stream_end(struct stream *s)
{
	if (s->phase == STREAM_ENDED)
		return;
	s->phase = STREAM_ENDED;
	stream_set_behind(s, false);
	stream_set_catching_up(s, false);
	list_remove(&s->ready);
	list_remove(&s->link);
	s->hub->n_streams--;
	quota_give(s->quotas[0]);
	quota_give(s->quotas[1]);
	manager_leave(s);
	loop_timer_cancel(s->hub->loop, &s->heartbeat);
	outlet_close(&s->outlet);
	if (s->replay && replay_cancel(s->replay))
		s->replay = NULL;
	loop_defer(s->hub->loop, &s->reaper);
}

static void on_gone(struct outlet *o)
{
	stream_end(stream_of(o));
}

/* Nothing more is to come but what is pending. */
void stream_finish(struct stream *s)
{
	list_remove(&s->ready);
	outlet_end(&s->outlet); /* the heartbeat's timer watches whether it is taken */
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
void stream_end_poll(struct stream *s)
{
	s->has_sent = true;
	stream_finish(s);
}

static void fall_behind(struct stream *s, struct str own, size_t sent)
{
	/* The rest of the group it stopped in is kept; what comes after it stays in
	 * the view for as long as the window holds it.
	 */
	list_remove(&s->ready);
	struct str rest = view_cut(s->view, &s->pos, sent, &s->after);
	outlet_keep(&s->outlet, own.data + sent, rest.len);
	stream_set_behind(s, true);
}

void stream_flush(struct stream *s)
{
	struct str bytes;
	if (view_read(s->view, s->pos, s->is_poll, &bytes)) {
		list_remove(&s->ready);
		s->phase = STREAM_REPLAYING;
		stream_advance(s);
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
		stream_set_behind(s, false);
	}
	buf_fini(&copy);
	if (s->is_poll && sent)
		stream_end_poll(s);
}

static void on_room(struct outlet *o)
{
	struct stream *s = stream_of(o);
	if (!s->replay)
		stream_set_catching_up(s, false);
	stream_advance(s);
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
	format_heartbeat(&text, s->view->sub.format, registry_epoch(&s->hub->registry), s->after,
			 s->view->sub.heartbeat);
	s->hub->n_heartbeats++;
	stream_say(s, buf_str(&text));
	buf_fini(&text);
	if (is_live && s->phase == STREAM_LIVE && !outlet_is_clear(&s->outlet)) {
		list_remove(&s->ready);
		stream_set_behind(s, true);
	}
}

/* When its timer is next: for a sign of life, or because its ticket expires. */
static int64_t next_beat(const struct stream *s, int64_t after_ns)
{
	int64_t now = loop_now(s->hub->loop);
	if (!s->who.ticket)
		return now + after_ns;
	int64_t left_ns = s->who.ticket->expires_s * NS_PER_SEC - clock_wall_ns();
	return now + MAX(MIN(after_ns, left_ns), (int64_t)0);
}

static void on_heartbeat(struct loop_timer *t)
{
	struct stream *s = container_of(t, struct stream, heartbeat);
	int64_t now = loop_now(s->hub->loop);
	if (is_stalled(s, now)) {
		s->hub->n_stalled++;
		stream_end(s);
		return;
	}
	if (s->view->sub.slow == SLOW_DISCONNECT && stream_is_too_slow(s)) {
		s->hub->n_slow++;
		stream_end(s);
		return;
	}
	const char *lost =
		s->who.ticket && !s->outlet.ends
			? access_lost(&s->hub->access, &s->who, (struct str){NULL, 0}, RIGHT_READ)
			: NULL;
	if (lost) {
		stream_say_bye(s, "ticket", lost);
		if (s->phase == STREAM_ENDED)
			return;
	}
	if (s->is_poll && !s->outlet.ends) {
		s->is_late = s->replay != NULL; /* what is being read is its answer */
		if (!s->is_late)
			stream_say_bye(s, "timeout", NULL);
		if (s->phase == STREAM_ENDED)
			return;
	}
	loop_timer_set(s->hub->loop, t,
		       s->outlet.ends ? now + s->view->sub.heartbeat_ns
				      : next_beat(s, s->view->sub.heartbeat_ns));
	/* In a compressed one that is live the view does it for all. */
	if ((!s->view->sub.gzips || s->replay) && !s->outlet.ends)
		beat(s);
}

/* ---- life ----------------------------------------------------------------------------------- */

event_id *stream_floors(const struct view *v)
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
	event_id *floors = stream_floors(s->view);
	const char *mode = "fresh";
	for (size_t i = 0; i < s->view->sub.n_channels; i++) {
		oldest = MIN(oldest, floors[i]);
		newest_floor = MAX(newest_floor, floors[i]);
	}
	s->after = head;
	switch (from->start) {
	case START_NOW: break;
	case START_UNKNOWN:
	case START_BARRED: mode = "gap"; break;
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
		stream_put_state(s, hello, s->after, "hello", mode);
	if (from->start == START_UNKNOWN)
		stream_put_gap(s, hello, 0, head, "epoch");
	else if (from->start == START_BARRED)
		stream_put_gap(s, hello, from->after, head, "access");
}

void stream_open(struct hub *h, int fd, const struct door_request *r, const struct identity *who,
		 struct subscription *sub)
{
	struct subscription from = *sub; /* its plain members, for what view_get() takes */
	struct view *v = view_get(h, sub, reader_owner(who, READS_VIEW));
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
	s->quotas[0] = quota_take(h->quota_addresses, str_of(who->address));
	s->quotas[1] = quota_take(h->quota_users, str_of(who->user));
	identity_copy(who, &s->who);
	make_token(s->token);
	list_init(&s->ready);
	list_init(&s->reaper.link);
	list_append(&h->streams, &s->link);
	h->n_streams++;
	h->n_streams_ever++;
	if (outlet_open(&s->outlet, h->loop, fd, r->fcgi_id, r->framing)) {
		stream_end(s);
		return;
	}
	manager_join(h, (pid_t)r->manager, s);
	/* Spread over the interval from the start: never all in one turn. */
	int64_t beat_ns = v->sub.heartbeat_ns;
	int64_t first = s->is_poll ? from.timeout_ns
				   : beat_ns / 2 + (int64_t)(random() % (beat_ns / 2 + 1));
	loop_timer_set(h->loop, &s->heartbeat, next_beat(s, first));
	struct buf hello = {0}, head = {0};
	begin(s, &from, &hello);
	/* Nothing may be published between here and the position in the view. */
	s->pos = view_join(v);
	stream_set_behind(s, true);
	s->is_caught_up = !s->tail && s->after >= view_head(v) && view_may_join(v, s->after);
	if (v->sub.gzips) {
		gzip_put_header(&head);
		outlet_put(&s->outlet, buf_str(&head));
	}
	if (s->phase != STREAM_ENDED)
		stream_say(s, buf_str(&hello));
	if (s->is_poll && hello.len && s->phase != STREAM_ENDED)
		stream_end_poll(s); /* the gap is its answer */
	buf_fini(&hello);
	buf_fini(&head);
	stream_advance(s);
}

bool stream_is_live(const struct stream *s)
{
	return s->phase == STREAM_LIVE && !list_is_empty(&s->ready) && !s->next;
}

struct stream *stream_find(struct hub *h, struct str token)
{
	if (token.len != TOKEN_LEN)
		return NULL;
	list_each (e, &h->streams) {
		struct stream *s = list_entry(e, struct stream, link);
		if (!s->outlet.ends && memcmp(s->token, token.data, TOKEN_LEN) == 0)
			return s;
	}
	return NULL;
}

void streams_lose_filter(struct view *v, struct regex *slow)
{
	struct hub *h = v->hub;
	list_each_safe (e, &h->streams) {
		struct stream *s = list_entry(e, struct stream, link);
		if (s->view == v && !s->outlet.ends)
			stream_give_up_regex(s, slow);
	}
}

void streams_of_derived_come_back(struct hub *h)
{
	list_each_safe (e, &h->streams) {
		struct stream *s = list_entry(e, struct stream, link);
		bool is_derived = s->view->sub.is_derived || (s->next && s->next->is_derived);
		if (is_derived && !s->outlet.ends)
			stream_say_bye(s, "reload", "the channel is defined anew");
	}
}

void streams_check_access(struct hub *h)
{
	list_each_safe (e, &h->streams) {
		struct stream *s = list_entry(e, struct stream, link);
		const struct subscription *sub = s->next ? s->next : &s->view->sub;
		/* One that is live may go on without the right to see the past. */
		enum right needs = stream_is_live(s) || s->is_poll ? RIGHT_READ : RIGHT_REPLAY;
		const char *lost = access_lost(&h->access, &s->who, buf_str(&sub->names), needs);
		if (lost && !s->outlet.ends)
			stream_say_bye(s, s->who.ticket ? "ticket" : "access", lost);
	}
}

void streams_end_all(struct hub *h)
{
	list_each_safe (e, &h->streams)
		stream_end(list_entry(e, struct stream, link));
}

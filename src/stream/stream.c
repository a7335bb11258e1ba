/* SPDX-License-Identifier: MIT */
#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "past/replay.h"
#include "stream/quota.h"
#include "stream/stream_internal.h"
#include "stream/views.h"
#include "wire/gzip.h"

/* ---- what comes next ------------------------------------------------------------------ */

static void on_read(struct replay *r);

/* The next step of one that has nothing pending; returns whether another one follows. */
static bool step(struct stream *s)
{
	if (s->next && s->state < STREAM_LEAVING && s->state != STREAM_READING) {
		stream_apply_change(s);
		return true;
	}
	switch (s->state) {
	case STREAM_CAUGHT_UP:
		stream_set_state(s, STREAM_LAGGING); /* its lag counts from here */
		return true;
	case STREAM_LAGGING:
		if (stream_is_too_slow(s))
			stream_leave_out(s);
		else
			stream_flush(s);
		return true;
	case STREAM_BEHIND: stream_read_past(s, on_read); return false;
	case STREAM_APART:
	case STREAM_READING:
	case STREAM_WAITING:
	case STREAM_READY:
	case STREAM_LEAVING:
	case STREAM_ENDED: break;
	}
	return false;
}

static void advance(struct stream *s)
{
	while (outlet_is_clear(&s->outlet) && step(s))
		;
}

static void on_read(struct replay *r)
{
	struct stream *s = r->owner;
	s->replay = NULL;
	if (s->state == STREAM_ENDED)
		loop_defer(stream_loop(s), &s->reaper);
	if (stream_is_leaving(s)) {
		replay_free(r);
		return;
	}
	stream_take_read(s, r);
	advance(s);
}

static struct stream *stream_of(struct outlet *o)
{
	return container_of(o, struct stream, outlet);
}

static void on_room(struct outlet *o)
{
	struct stream *s = stream_of(o);
	if (s->state != STREAM_READING)
		stream_set_catching_up(s, false);
	advance(s);
}

static void on_gone(struct outlet *o)
{
	stream_end(stream_of(o));
}

static const struct outlet_ops outlet_ops = {on_room, on_gone};

static struct stream *reading(struct view_reader *r)
{
	return container_of(r, struct stream, reader);
}

static void on_flush(struct view_reader *r)
{
	struct stream *s = reading(r);
	stream_flush(s);
	if (s->state == STREAM_BEHIND)
		advance(s);
}

static void on_wake(struct view_reader *r)
{
	struct stream *s = reading(r);
	stream_set_state(s, STREAM_BEHIND);
	advance(s);
}

static void on_lose(struct view_reader *r, struct regex *slow)
{
	if (!stream_is_leaving(reading(r)))
		stream_give_up_regex(reading(r), slow);
}

static const struct view_reader_ops reader_ops = {on_flush, on_wake, on_lose};

bool stream_change(struct stream *s, struct subscription *sub)
{
	subscription_liken(sub, &s->reader.view->sub);
	if (view_is_one_too_many(s->all->views, sub))
		return false;
	stream_note_change(s, sub);
	if (s->state != STREAM_READING)
		view_flush(s->reader.view);
	advance(s); /* at once, or when what is under way has been taken */
	return true;
}

/* ---- its time ------------------------------------------------------------------------- */

/* Whether it has to be let go: it takes nothing, though there is something. */
static bool is_stalled(const struct stream *s, int64_t now)
{
	return !outlet_is_clear(&s->outlet) &&
	       now - s->outlet.moved_ns > s->all->registry->settings->hub.max_stall_ns;
}

/* When its timer is next: for a sign of life, or because its ticket expires. */
static int64_t next_beat(const struct stream *s, int64_t after_ns)
{
	int64_t now = loop_now(stream_loop(s));
	if (!s->who.ticket)
		return now + after_ns;
	int64_t left_ns = s->who.ticket->expires_s * NS_PER_SEC - clock_wall_ns();
	return now + MAX(MIN(after_ns, left_ns), (int64_t)0);
}

/* Says bye if its ticket is not good any more, or if its time is over. */
static void check_time(struct stream *s)
{
	const char *lost = s->who.ticket ? access_lost(s->all->access, &s->who,
						       (struct str){NULL, 0}, RIGHT_READ)
					 : NULL;
	if (lost)
		stream_say_bye(s, "ticket", lost);
	else if (s->is_poll && s->state == STREAM_READING)
		s->is_late = true; /* it is answered with what is being read now */
	else if (s->is_poll)
		stream_say_bye(s, "timeout", NULL);
}

static void on_heartbeat(struct loop_timer *t)
{
	struct stream *s = container_of(t, struct stream, heartbeat);
	const struct subscription *sub = &s->reader.view->sub;
	int64_t now = loop_now(stream_loop(s));
	if (is_stalled(s, now)) {
		s->all->n_stalled++;
		stream_end(s);
		return;
	}
	if (sub->slow == SLOW_DISCONNECT && stream_is_too_slow(s)) {
		s->all->n_slow++;
		stream_end(s);
		return;
	}
	if (!stream_is_leaving(s))
		check_time(s);
	if (stream_is_leaving(s)) {
		loop_timer_set(stream_loop(s), t, now + sub->heartbeat_ns);
		return;
	}
	loop_timer_set(stream_loop(s), t, next_beat(s, sub->heartbeat_ns));
	/* In a compressed one that is live the view does it for all. */
	if (!sub->gzips || s->state == STREAM_READING)
		stream_beat(s);
}

/* ---- life ----------------------------------------------------------------------------------- */

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
	event_id newest = view_newest_id(s->reader.view), oldest = UINT64_MAX, highest_low = 0;
	event_id *lows = stream_lows(s->reader.view);
	const char *mode = "fresh";
	for (size_t i = 0; i < s->reader.view->sub.n_channels; i++) {
		oldest = MIN(oldest, lows[i]);
		highest_low = MAX(highest_low, lows[i]);
	}
	s->after = newest;
	switch (from->start) {
	case START_NOW: break;
	case START_UNKNOWN:
	case START_BARRED: mode = "gap"; break;
	case START_AFTER:
		s->after = from->after;
		mode = s->after < highest_low ? "gap" : "resumed";
		break;
	case START_EARLIEST: s->after = oldest; break;
	case START_TAIL: s->tail = from->tail; break;
	}
	if (from->start == START_EARLIEST || from->start == START_TAIL)
		s->known_lows = lows;
	else
		free(lows);
	if (!s->tail && !s->is_poll)
		stream_put_state(s, hello, s->after, "hello", mode);
	if (from->start == START_UNKNOWN)
		stream_put_gap(s, hello, 0, newest, "epoch");
	else if (from->start == START_BARRED)
		stream_put_gap(s, hello, from->after, newest, "access");
}

/* Its names are kept once for all streams of a client: where these are counted. */
static void take_identity(struct stream *s, struct admission *a)
{
	admission_give_quotas(a, s->quotas);
	s->who = (struct identity){.address = quota_name(s->quotas[0]),
				   .user = quota_name(s->quotas[1]),
				   .is_proxy = a->who.is_proxy,
				   .ticket = a->who.ticket};
	a->who.ticket = NULL;
}

static struct stream *stream_new(struct streams *all, struct view *v, struct admission *a)
{
	struct stream *s = mem_zero(sizeof(*s));
	s->all = all;
	s->is_poll = v->sub.format == FORMAT_PAGE;
	s->heartbeat.fn = on_heartbeat;
	s->reader.ops = &reader_ops;
	view_add(v, &s->reader);
	take_identity(s, a);
	make_token(s->token);
	list_init(&s->reaper.link);
	list_append(&all->all, &s->link);
	all->n++;
	all->n_ever++;
	return s;
}

static void start_heartbeat(struct stream *s, int64_t timeout_ns)
{
	/* Spread over the interval from the start: never all in one turn. */
	int64_t beat_ns = s->reader.view->sub.heartbeat_ns;
	int64_t first =
		s->is_poll ? timeout_ns : beat_ns / 2 + (int64_t)(random() % (beat_ns / 2 + 1));
	loop_timer_set(stream_loop(s), &s->heartbeat, next_beat(s, first));
}

/* What stands before its first event; a poll that begins with a gap has its answer. */
static void say_hello(struct stream *s, struct str hello)
{
	if (s->reader.view->sub.gzips) {
		struct buf head = {0};
		gzip_put_header(&head);
		outlet_put(&s->outlet, buf_str(&head));
		buf_fini(&head);
	}
	stream_say(s, hello);
	if (s->is_poll && hello.len)
		stream_finish(s);
}

void stream_open(struct streams *all, int fd, const struct handoff_request *r, struct admission *a)
{
	struct subscription from = a->sub; /* its plain members, for what view_get() takes */
	struct view *v = view_get(all->views, &a->sub, reader_owner(&a->who, READS_VIEW));
	if (!v) {
		fd_close(&fd);
		return;
	}
	struct stream *s = stream_new(all, v, a);
	if (outlet_open(&s->outlet, stream_loop(s), fd, r->fcgi_id, r->framing, &outlet_ops)) {
		stream_end(s);
		return;
	}
	manager_join(&all->managers, (pid_t)r->manager, &s->managed);
	start_heartbeat(s, from.timeout_ns);
	struct buf hello = {0};
	begin(s, &from, &hello);
	stream_join(s); /* nothing may be published since begin() */
	say_hello(s, buf_str(&hello));
	buf_fini(&hello);
	advance(s);
}

bool stream_is_live(const struct stream *s)
{
	return s->state == STREAM_READY && !s->next;
}

/* SPDX-License-Identifier: MIT */
#include "hub/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "hub/channel.h"
#include "hub/replay.h"
#include "hub/view.h"
#include "wire/fcgi.h"

enum {
	REPLAY_BUDGET_MAX = 512 * 1024,
	REPLAY_BUDGET_MIN = 16 * 1024,
	REPLAY_BUDGET_ALL = 64 * 1024 * 1024,
	WAIT_EVENTS = EPOLLIN | EPOLLRDHUP,
};

static void advance(struct stream *s);

int64_t jittered_ms(int64_t from)
{
	return from + (int64_t)(random() % (from > 0 ? from : 1));
}

struct stream *stream_of_ready(struct list *e)
{
	return list_entry(e, struct stream, ready);
}

/* ---- the end ---------------------------------------------------------------------- */

static void set_behind(struct stream *s, bool behind)
{
	if (s->counts_behind != behind)
		s->view->n_behind += behind ? 1 : (size_t)-1;
	s->counts_behind = behind;
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
	buf_fini(&s->pending);
	free(s->known_floors);
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
	loop_timer_cancel(s->hub->loop, &s->heartbeat);
	loop_remove(s->hub->loop, &s->io);
	fd_close(&s->fd);
	loop_defer(s->hub->loop, &s->reaper);
}

/* ---- writing ------------------------------------------------------------------------ */

/* What the socket takes of `p`; ends the stream when it is broken. */
static size_t try_send(struct stream *s, const char *p, size_t n)
{
	size_t done = 0;
	while (done < n) {
		ssize_t w = send(s->fd, p + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (w < 0 && errno == ENOTSOCK)
			w = write(s->fd, p + done, n - done);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (w < 0) {
			end(s);
			break;
		}
		done += (size_t)w;
	}
	return done;
}

static void wait_for_room(struct stream *s)
{
	loop_change(s->hub->loop, &s->io, WAIT_EVENTS | EPOLLOUT);
}

static void send_pending(struct stream *s)
{
	s->pending_at +=
		try_send(s, s->pending.data + s->pending_at, s->pending.len - s->pending_at);
	if (s->phase == STREAM_ENDED)
		return;
	if (s->pending_at < s->pending.len) {
		wait_for_room(s);
		return;
	}
	buf_fini(&s->pending);
	s->pending_at = 0;
	if (!s->replay)
		set_catching_up(s, false);
	loop_change(s->hub->loop, &s->io, WAIT_EVENTS);
}

/* Frames `text` and sends it behind whatever is pending. */
static void send_text(struct stream *s, struct str text)
{
	if (s->framing == DOOR_FCGI)
		fcgi_put_stdout(&s->pending, s->fcgi_id, text);
	else
		buf_put_str(&s->pending, text);
	send_pending(s);
}

/* ---- live ----------------------------------------------------------------------------- */

/* The view's records carry id 1; for another one a copy is made. */
static struct str with_own_id(struct stream *s, struct str bytes, struct buf *copy)
{
	if (s->framing != DOOR_FCGI || s->fcgi_id == 1)
		return bytes;
	buf_put_str(copy, bytes);
	fcgi_patch_id(copy->data, copy->len, s->fcgi_id);
	return buf_str(copy);
}

void stream_flush(struct stream *s)
{
	struct str bytes;
	if (view_read(s->view, s->pos, &bytes)) {
		list_remove(&s->ready);
		s->phase = STREAM_REPLAYING;
		advance(s);
		return;
	}
	struct buf copy = {0};
	struct str own = with_own_id(s, bytes, &copy);
	size_t sent = try_send(s, own.data, own.len);
	if (s->phase == STREAM_ENDED) {
		buf_fini(&copy);
		return;
	}
	if (sent == bytes.len) {
		s->pos = view_end(s->view);
		if (bytes.len)
			s->after = s->view->last;
		if (list_is_empty(&s->ready))
			list_append(&s->view->ready, &s->ready);
		set_behind(s, false);
	} else {
		/* The rest of the group it stopped in is kept; what comes after
		 * it stays in the view for as long as the window holds it.
		 */
		list_remove(&s->ready);
		struct str rest = view_cut(s->view, &s->pos, sent, &s->after);
		buf_put(&s->pending, own.data + sent, rest.len);
		set_behind(s, true);
		wait_for_room(s);
	}
	buf_fini(&copy);
}

/* ---- from the journal ------------------------------------------------------------------- */

static void put_hello(struct stream *s, struct buf *out, event_id cursor, const char *mode)
{
	struct hub *h = s->hub;
	event_id oldest = UINT64_MAX;
	struct buf data = {0};
	struct json j = {&data, false};
	char id[ID_TEXT_MAX];
	for (size_t i = 0; i < s->view->n_channels; i++)
		oldest = MIN(oldest, journal_floor(&s->view->channels[i]->journal));
	json_open(&j, NULL, '{');
	json_cstr(&j, "mode", mode);
	json_str(&j, "head", (struct str){id, id_put(id, hub_epoch(h), h->head)});
	json_str(&j, "oldest", (struct str){id, id_put(id, hub_epoch(h), oldest)});
	json_int(&j, "heartbeat_ms", s->view->heartbeat_ns / NS_PER_MS);
	json_open(&j, "channels", '[');
	for (size_t i = 0; i < s->view->n_channels; i++)
		json_cstr(&j, NULL, s->view->channels[i]->settings.name);
	json_close(&j, ']');
	json_close(&j, '}');
	sse_put_retry(out, s->view->retry_ns / NS_PER_MS);
	sse_put_line(out, hub_epoch(h), cursor, "hello", buf_str(&data));
	buf_fini(&data);
}

static void on_replayed(struct replay *r)
{
	struct stream *s = r->owner;
	s->replay = NULL;
	if (s->phase == STREAM_ENDED) {
		replay_free(r);
		loop_defer(s->hub->loop, &s->reaper);
		return;
	}
	if (s->tail) {
		struct buf hello = {0};
		put_hello(s, &hello, r->start, "fresh");
		send_text(s, buf_str(&hello));
		buf_fini(&hello);
		s->tail = 0;
	}
	s->after = r->last;
	s->is_caught_up = r->is_complete;
	if (s->phase != STREAM_ENDED && r->out.len > r->head_room) {
		if (s->framing == DOOR_FCGI)
			fcgi_frame_stdout(&r->out, 0, s->fcgi_id);
		if (s->pending.len) {
			buf_put_str(&s->pending, buf_str(&r->out));
		} else {
			s->pending = r->out;
			r->out = (struct buf){0};
		}
		send_pending(s);
	}
	replay_free(r);
	if (s->phase != STREAM_ENDED && !s->pending.len)
		set_catching_up(s, false);
	advance(s);
}

/* Has the helper read on from s->after up to what is published now.  The
 * view's next event begins a new group, where the stream can join.
 */
static void start_replay(struct stream *s)
{
	struct hub *h = s->hub;
	struct view *v = s->view;
	struct replay *r = replay_new(v->n_channels);
	set_catching_up(s, true);
	s->pos = view_end(v);
	set_behind(s, true);
	r->owner = s;
	r->done = on_replayed;
	r->epoch = hub_epoch(h);
	r->data = v->data;
	r->after = s->after;
	r->upto = h->head;
	r->tail = s->tail;
	r->budget =
		(size_t)MIN(MAX(REPLAY_BUDGET_ALL / (int64_t)h->n_catching_up, REPLAY_BUDGET_MIN),
			    REPLAY_BUDGET_MAX);
	r->head_room = s->framing == DOOR_FCGI ? FCGI_HEADER : 0;
	buf_reserve(&r->out, r->head_room + 4096);
	r->out.len = r->head_room;
	for (size_t i = 0; i < v->n_channels; i++) {
		const struct journal *j = &v->channels[i]->journal;
		/* The floor may be the id of cursors alone, newer than any event;
		 * the head may be another channel's event, which is no gap.
		 */
		event_id floor = journal_floor(j);
		if (floor > h->head)
			floor = h->head - 1;
		r->channels[i].name = str_of(v->channels[i]->settings.name);
		if (s->tail)
			journal_snapshot_tail(j, s->tail, &r->channels[i].snapshot);
		else
			journal_snapshot(j, s->after, &r->channels[i].snapshot);
		r->channels[i].snapshot.last = MIN(r->channels[i].snapshot.last, h->head);
		if (!s->tail && floor > s->after &&
		    (!s->known_floors || floor > s->known_floors[i]))
			r->channels[i].gap_to = floor;
	}
	s->replay = r;
	replay_submit(h->helper, r);
}

/* Does what comes next, once nothing is pending and no replay is under way. */
static void advance(struct stream *s)
{
	if (s->phase == STREAM_ENDED || s->replay || s->pending.len)
		return;
	if (s->phase == STREAM_REPLAYING && s->is_caught_up)
		s->phase = STREAM_LIVE;
	if (s->phase == STREAM_LIVE && s->pos < s->view->first_group)
		s->phase = STREAM_REPLAYING; /* fell out of the window meanwhile */
	if (s->phase == STREAM_LIVE) {
		stream_flush(s);
		return;
	}
	s->is_caught_up = false;
	start_replay(s);
}

/* ---- reading, heartbeats ------------------------------------------------------------------ */

/* After the hand-over a front server has nothing to say but that it is over. */
static void on_io(struct loop_io *io, uint32_t events)
{
	struct stream *s = container_of(io, struct stream, io);
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		unsigned char waste[4096];
		ssize_t n = read(s->fd, waste, sizeof(waste));
		bool aborted = n >= 2 && waste[0] == 1 && waste[1] == FCGI_TYPE_ABORT;
		if (n == 0 || aborted || (n < 0 && errno != EAGAIN && errno != EINTR) ||
		    (events & (EPOLLHUP | EPOLLERR))) {
			end(s);
			return;
		}
	}
	if (events & EPOLLOUT) {
		send_pending(s);
		advance(s);
	}
}

static void on_heartbeat(struct loop_timer *t)
{
	struct stream *s = container_of(t, struct stream, heartbeat);
	loop_timer_set(s->hub->loop, t, loop_now(s->hub->loop) + s->view->heartbeat_ns);
	/* One that is behind gets, or does not take, bytes anyway. */
	if (s->phase != STREAM_LIVE || list_is_empty(&s->ready))
		return;
	/* The id must not run ahead of events that wait to be flushed. */
	view_flush(s->view);
	if (s->phase != STREAM_LIVE || list_is_empty(&s->ready))
		return;
	struct buf text = {0};
	sse_put_heartbeat(&text, hub_epoch(s->hub), s->hub->head);
	send_text(s, buf_str(&text));
	buf_fini(&text);
	s->hub->n_heartbeats++;
	if (s->pending.len) {
		list_remove(&s->ready);
		s->after = s->hub->head;
		set_behind(s, true);
	}
}

/* ---- the beginning --------------------------------------------------------------------------- */

static event_id *floors_of(const struct subscription *sub)
{
	event_id *floors = mem_zero(sub->n_channels * sizeof(floors[0]));
	for (size_t i = 0; i < sub->n_channels; i++)
		floors[i] = journal_floor(&sub->channels[i]->journal);
	return floors;
}

void stream_open(struct hub *h, int fd, uint16_t fcgi_id, const struct subscription *sub)
{
	struct stream *s = mem_zero(sizeof(*s));
	s->hub = h;
	s->fd = fd;
	s->fcgi_id = fcgi_id;
	s->framing = sub->framing;
	s->view = view_get(h, sub);
	s->phase = STREAM_REPLAYING;
	s->io.fd = -1;
	s->heartbeat.fn = on_heartbeat;
	s->reaper.fn = reap;
	list_init(&s->ready);
	list_init(&s->reaper.link);
	list_append(&h->streams, &s->link);
	h->n_streams++;
	h->n_streams_ever++;
	if (fd_set_nonblocking(fd) || loop_add(h->loop, &s->io, fd, WAIT_EVENTS, on_io)) {
		end(s);
		return;
	}
	/* Spread over the interval from the start: never all in one turn. */
	loop_timer_set(h->loop, &s->heartbeat,
		       loop_now(h->loop) + s->view->heartbeat_ns / 2 +
			       (int64_t)(random() % (s->view->heartbeat_ns / 2 + 1)));
	event_id oldest = UINT64_MAX, newest_floor = 0;
	for (size_t i = 0; i < sub->n_channels; i++) {
		event_id floor = journal_floor(&sub->channels[i]->journal);
		oldest = MIN(oldest, floor);
		newest_floor = MAX(newest_floor, floor);
	}
	struct buf hello = {0};
	switch (sub->start) {
	case START_NOW:
		s->after = h->head;
		put_hello(s, &hello, h->head, "fresh");
		break;
	case START_UNKNOWN:
		s->after = h->head;
		put_hello(s, &hello, h->head, "gap");
		sse_put_gap(&hello, hub_epoch(h), (struct str){NULL, 0}, 0, h->head, -1, "epoch");
		break;
	case START_AFTER:
		s->after = sub->after;
		put_hello(s, &hello, s->after, s->after < newest_floor ? "gap" : "resumed");
		break;
	case START_EARLIEST:
		s->after = oldest;
		s->known_floors = floors_of(sub);
		put_hello(s, &hello, s->after, "fresh");
		break;
	case START_TAIL:
		s->tail = sub->tail;
		s->after = h->head;
		s->known_floors = floors_of(sub);
		if (!sub->tail)
			put_hello(s, &hello, h->head, "fresh");
		break;
	}
	/* Nothing may be published between here and the position in the view. */
	s->pos = view_end(s->view);
	set_behind(s, true);
	s->is_caught_up = !s->tail && s->after >= h->head;
	send_text(s, buf_str(&hello));
	buf_fini(&hello);
	advance(s);
}

void stream_say_bye(struct stream *s)
{
	struct buf text = {0};
	/* The block has no id of its own: the cursor stays where it is. */
	sse_put_retry(&text, jittered_ms(MAX(s->view->retry_ns / NS_PER_MS, 1)));
	buf_puts(&text, "event: bye\ndata: {\"reason\":\"shutdown\"}\n\n");
	send_text(s, buf_str(&text));
	buf_fini(&text);
	if (s->phase == STREAM_ENDED)
		return;
	if (s->framing == DOOR_FCGI)
		fcgi_put_end(&s->pending, s->fcgi_id);
	if (s->pending.len)
		send_pending(s);
	end(s);
}

void streams_end_all(struct hub *h)
{
	list_each_safe (e, &h->streams)
		end(list_entry(e, struct stream, link));
}

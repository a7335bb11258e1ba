/* SPDX-License-Identifier: MIT */
#include "source/sources.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "hub/channel.h"
#include "hub/cursors.h"
#include "source/opening.h"
#include "source/plugin.h"

#define BACKOFF_FIRST_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS   (60 * NS_PER_SEC)
#define STUCK_RETRY_NS   (500 * NS_PER_MS)
#define STOP_PATIENCE_NS (3 * NS_PER_SEC)

enum {
	CREDIT_WINDOW = 1024 * 1024,
	CREDIT_STEP = 128 * 1024,
	READ_SIZE = 256 * 1024,
	READS_PER_TURN = 4,
	READS_AT_END = 4096,
	FRAME_SLACK = 2 * 1024 * 1024, /* what a frame may hold beside one message */
	SOCKET_BUFFER = 1024 * 1024,
	COUNTERS_MAX = 64,
};

enum source_state {
	STATE_STARTING,
	STATE_RUNNING,
	STATE_WAITING,
	STATE_FAILED,
	STATE_STOPPING,
	STATE_GONE
};

static const char *const state_names[] = {"starting", "running",  "waiting",
					  "failed",   "stopping", "gone"};

struct counter {
	char *name;
	uint64_t value;
};

struct source {
	struct sources *all;
	const struct source_settings *settings; /* borrowed */
	struct channel *channel;
	enum source_state state;
	struct loop_child child; /* pid 0 while there is none */
	struct loop_io io;
	int fd;                  /* -1 while there is none */
	struct buf in;           /* bytes that are no whole frame yet, or wait */
	struct buf out;          /* bytes for it that its socket did not take yet */
	bool is_stuck;           /* the journal takes nothing: its frames wait */
	uint32_t owed;           /* bytes taken for which no credit was given back */
	struct loop_timer timer; /* start again, offer again, or end of patience */
	int64_t started_ns, backoff_ns;
	uint64_t n_events, n_bytes, n_restarts;
	uint64_t n_events_before; /* n_events when it was started last */
	char *last_error;         /* owned; NULL: none yet */
	struct counter counters[COUNTERS_MAX];
	size_t n_counters;
};

struct sources {
	struct hub *hub;
	struct source *all;
	size_t n;
	bool stopping;
	void (*done)(void *ctx);
	void *ctx;
};

static void start(struct source *s);
static void on_timer(struct loop_timer *t);

static struct loop *loop_of(const struct source *s)
{
	return s->all->hub->loop;
}

static void set_error(struct source *s, char *owned)
{
	free(s->last_error);
	s->last_error = owned;
}

static void hang_up(struct source *s)
{
	loop_remove(loop_of(s), &s->io);
	fd_close(&s->fd);
	buf_fini(&s->in);
	buf_fini(&s->out);
	s->is_stuck = false;
}

static void wait_for_io(struct source *s)
{
	loop_change(loop_of(s), &s->io, (s->is_stuck ? 0 : EPOLLIN) | (s->out.len ? EPOLLOUT : 0));
}

/* Sends what is queued for it, as far as its socket takes it. */
static void send_out(struct source *s)
{
	while (s->fd >= 0 && s->out.len) {
		ssize_t w = send(s->fd, s->out.data, s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno != EAGAIN)
			s->out.len = 0; /* it has ended; reading will tell */
		if (w <= 0)
			break;
		buf_drop(&s->out, (size_t)w);
	}
	if (!s->out.len)
		buf_fini(&s->out);
	wait_for_io(s);
}

static void kill_child(struct source *s)
{
	if (s->child.pid)
		kill(s->child.pid, SIGKILL);
}

static void tell_if_all_gone(struct sources *all)
{
	if (!all->stopping || !all->done)
		return;
	for (size_t i = 0; i < all->n; i++)
		if (all->all[i].state != STATE_GONE)
			return;
	void (*done)(void *) = all->done;
	all->done = NULL;
	done(all->ctx);
}

/* ---- what a source process says ---------------------------------------------------- */

/* Gives credit back for what was taken, in steps. */
static void pay(struct source *s)
{
	if (s->owed < CREDIT_STEP || s->fd < 0)
		return;
	size_t begun = frame_begin(&s->out, FRAME_CREDIT);
	buf_put_u32(&s->out, s->owed);
	frame_end(&s->out, begun);
	s->owed = 0;
	send_out(s);
}

static void take_log(struct source *s, struct str body)
{
	struct reader r = reader_of(body.data, body.len);
	uint8_t level = get_byte(&r);
	struct str text = get_short_str(&r);
	if (level <= LOG_DEBUG)
		log_line((enum log_level)level, "source %s: %.*s", s->settings->name, (int)text.len,
			 text.data);
	if (level == LOG_ERROR)
		set_error(s, mem_strndup(text.data, text.len));
}

static void take_counter(struct source *s, struct str body)
{
	struct reader r = reader_of(body.data, body.len);
	struct str name = get_short_str(&r);
	uint64_t value = get_long(&r);
	size_t i = 0;
	while (i < s->n_counters && !str_is(name, s->counters[i].name))
		i++;
	if (r.failed || i == COUNTERS_MAX || name.len > NAME_MAX_LEN)
		return;
	if (i == s->n_counters)
		s->counters[s->n_counters++].name = mem_strndup(name.data, name.len);
	s->counters[i].value = value;
}

static void take_refusal(struct source *s, struct str body)
{
	struct reader r = reader_of(body.data, body.len);
	struct str option = get_short_str(&r), message = get_short_str(&r);
	set_error(s, mem_printf("%.*s%s%.*s", (int)option.len, option.data, option.len ? ": " : "",
				(int)message.len, message.data));
	log_error("source %s: %s", s->settings->name, s->last_error);
	s->state = STATE_FAILED;
}

static void take_end(struct source *s, struct str body)
{
	struct reader r = reader_of(body.data, body.len);
	bool fatal = get_byte(&r) != 0;
	struct str why = get_bytes(&r, reader_left(&r));
	if (fatal)
		s->state = STATE_FAILED;
	if (fatal && s->last_error)
		return; /* the plugin has said more in its log */
	set_error(s, mem_strndup(why.data, why.len));
}

/* 0; 1 when the frame must be offered again later; -EBADMSG. */
static int take_frame(struct source *s, const struct frame *f)
{
	uint64_t n = 0;
	int r;
	switch (f->type) {
	case FRAME_EVENTS:
		r = channel_take(s->channel, s->settings->name, f->body, &n);
		if (r == -EBADMSG)
			return r;
		if (r)
			return 1;
		s->n_events += n;
		s->n_bytes += f->body.len;
		s->owed += FRAME_HEAD + (uint32_t)f->body.len;
		return 0;
	case FRAME_OPENED:
		if (s->state == STATE_STARTING)
			s->state = STATE_RUNNING;
		return 0;
	case FRAME_LOG: take_log(s, f->body); return 0;
	case FRAME_COUNTER: take_counter(s, f->body); return 0;
	case FRAME_REFUSED: take_refusal(s, f->body); return 0;
	case FRAME_END: take_end(s, f->body); return 0;
	case FRAME_OPEN:
	case FRAME_CREDIT:
	case FRAME_STOP:
	case FRAME_DESCRIBE: break;
	}
	return -EBADMSG;
}

static int take_frames(struct source *s)
{
	size_t max = (size_t)s->all->hub->settings->hub.event_size + FRAME_SLACK;
	struct str rest = buf_str(&s->in);
	struct frame f;
	int r = 0, got;
	struct str before = rest;
	while ((got = frame_next(&rest, max, &f)) == 1) {
		r = take_frame(s, &f);
		if (r)
			break;
		before = rest;
	}
	buf_drop(&s->in, s->in.len - before.len);
	pay(s);
	return r ? r : MIN(got, 0);
}

static void accuse(struct source *s)
{
	log_error("source %s: its process sent what is no frame: it is ended and started again",
		  s->settings->name);
	set_error(s, mem_strdup("sent what is no frame"));
	hang_up(s);
	kill_child(s);
}

/* Reads and takes until there is no more for now.  False when reading is over. */
static bool read_some(struct source *s, int reads)
{
	while (s->fd >= 0 && reads--) {
		ssize_t n = recv(s->fd, buf_reserve(&s->in, READ_SIZE), READ_SIZE, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			hang_up(s);
			return false;
		}
		s->in.len += (size_t)n;
		int r = take_frames(s);
		if (r < 0) {
			accuse(s);
			return false;
		}
		if (r > 0) {
			/* The journal cannot be written: leave the rest where it is. */
			s->is_stuck = true;
			wait_for_io(s);
			loop_timer_set(loop_of(s), &s->timer,
				       loop_now(loop_of(s)) + STUCK_RETRY_NS);
			return false;
		}
	}
	return s->fd >= 0;
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct source *s = container_of(io, struct source, io);
	if (events & EPOLLOUT)
		send_out(s);
	if (events & ~(uint32_t)EPOLLOUT)
		read_some(s, READS_PER_TURN);
}

/* ---- life ------------------------------------------------------------------------------- */

static void start_again_later(struct source *s)
{
	int64_t now = loop_now(loop_of(s));
	/* One that got something done, or lasted, is in no crash loop. */
	if (s->n_events > s->n_events_before || now - s->started_ns > 2 * s->backoff_ns)
		s->backoff_ns = BACKOFF_FIRST_NS;
	int64_t wait = s->backoff_ns / 2 + random() % s->backoff_ns;
	s->backoff_ns = MIN(s->backoff_ns * 2, BACKOFF_MAX_NS);
	s->state = STATE_WAITING;
	s->n_restarts++;
	log_warning("source %s: its process has ended (%s); starts again in %.1f s",
		    s->settings->name, s->last_error ? s->last_error : "no reason known",
		    (double)wait / (double)NS_PER_SEC);
	loop_timer_set(loop_of(s), &s->timer, now + wait);
}

static void on_child_end(struct loop_child *c, int status)
{
	struct source *s = container_of(c, struct source, child);
	c->pid = 0;
	/* What it has sent before it ended counts; nobody writes any more. */
	read_some(s, READS_AT_END);
	hang_up(s);
	s->owed = 0;
	if (WIFSIGNALED(status) || WEXITSTATUS(status) > 1)
		set_error(s, process_describe_status(status));
	loop_timer_cancel(loop_of(s), &s->timer);
	if (s->all->stopping)
		s->state = STATE_GONE;
	else if (s->state != STATE_FAILED)
		start_again_later(s);
	tell_if_all_gone(s->all);
}

static void on_timer(struct loop_timer *t)
{
	struct source *s = container_of(t, struct source, timer);
	if (s->state == STATE_WAITING) {
		start(s);
	} else if (s->state == STATE_STOPPING) {
		log_warning("source %s: did not stop in time and is ended", s->settings->name);
		kill_child(s);
	} else if (s->fd >= 0) {
		int r = take_frames(s);
		if (r < 0) {
			accuse(s);
		} else if (r > 0) {
			loop_timer_set(loop_of(s), t, loop_now(loop_of(s)) + STUCK_RETRY_NS);
		} else {
			s->is_stuck = false;
			wait_for_io(s);
		}
	}
}

static void start_failed(struct source *s, char *why)
{
	set_error(s, why);
	start_again_later(s);
}

/* What the new process is told. */
static void queue_opening(struct source *s, char *path)
{
	struct hub *h = s->all->hub;
	struct buf cursors = {0};
	cursors_put_of_source(h->cursors, s->settings->name, &cursors);
	struct opening o = {.mode = OPENING_RUN,
			    .event_size = (uint32_t)h->settings->hub.event_size,
			    .name = s->settings->name,
			    .path = path,
			    .options = s->settings->options,
			    .cursors = buf_str(&cursors)};
	opening_put(&s->out, &o);
	size_t begun = frame_begin(&s->out, FRAME_CREDIT);
	buf_put_u32(&s->out, CREDIT_WINDOW);
	frame_end(&s->out, begun);
	buf_fini(&cursors);
}

static void start(struct source *s)
{
	int pair[2];
	char *why = NULL;
	s->started_ns = loop_now(loop_of(s));
	s->n_events_before = s->n_events;
	s->state = STATE_STARTING;
	char *path = plugin_find(&s->all->hub->settings->hub, s->settings->type, &why);
	if (!path) {
		start_failed(s, why);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		free(path);
		start_failed(s, mem_printf("no socket: %s", strerror(errno)));
		return;
	}
	int size = SOCKET_BUFFER;
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	char parent[16];
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	char *argv[] = {(char[]){"sluice"}, (char[]){"source"}, parent,
			s->settings->name,  s->settings->type,  NULL};
	pid_t pid = 0;
	int r = process_spawn(argv, &(struct fd_map){pair[1], SOURCE_FD}, 1, &pid);
	fd_close(&pair[1]);
	if (!r) {
		loop_watch_child(loop_of(s), &s->child, pid, on_child_end);
		s->fd = pair[0];
		queue_opening(s, path);
		if (loop_add(loop_of(s), &s->io, s->fd, EPOLLIN, on_io))
			kill_child(s); /* its end starts it again */
		else
			send_out(s);
	} else {
		fd_close(&pair[0]);
		start_failed(s, mem_printf("no process: %s", strerror(-r)));
	}
	free(path);
}

/* ---- for the hub ---------------------------------------------------------------------------- */

static void report(void *ctx, struct json *j)
{
	struct sources *all = ctx;
	json_open(j, "sources", '[');
	for (size_t i = 0; i < all->n; i++) {
		const struct source *s = &all->all[i];
		json_open(j, NULL, '{');
		json_cstr(j, "name", s->settings->name);
		json_cstr(j, "type", s->settings->type);
		json_cstr(j, "channel", s->settings->channel);
		json_cstr(j, "state", state_names[s->state]);
		json_int(j, "pid", s->child.pid);
		json_int(j, "events", (int64_t)s->n_events);
		json_int(j, "bytes", (int64_t)s->n_bytes);
		json_int(j, "restarts", (int64_t)s->n_restarts);
		json_cstr(j, "last_error", s->last_error);
		json_open(j, "counters", '{');
		for (size_t k = 0; k < s->n_counters; k++)
			json_int(j, s->counters[k].name, (int64_t)s->counters[k].value);
		json_close(j, '}');
		json_close(j, '}');
	}
	json_close(j, ']');
}

static bool are_ready(void *ctx)
{
	struct sources *all = ctx;
	for (size_t i = 0; i < all->n; i++)
		if (all->all[i].state != STATE_RUNNING)
			return false;
	return true;
}

struct sources *sources_start(struct hub *h)
{
	struct sources *all = mem_zero(sizeof(*all));
	all->hub = h;
	all->n = h->settings->n_sources;
	all->all = mem_zero(all->n * sizeof(all->all[0]));
	for (size_t i = 0; i < all->n; i++) {
		struct source *s = &all->all[i];
		s->all = all;
		s->settings = &h->settings->sources[i];
		s->channel = hub_channel(h, s->settings->channel);
		s->fd = s->io.fd = -1;
		s->timer.fn = on_timer;
		s->backoff_ns = BACKOFF_FIRST_NS;
		start(s);
	}
	h->report_sources = report;
	h->sources_are_ready = are_ready;
	h->report_ctx = all;
	return all;
}

void sources_stop(struct sources *all, void (*done)(void *ctx), void *ctx)
{
	all->stopping = true;
	all->done = done;
	all->ctx = ctx;
	for (size_t i = 0; i < all->n; i++) {
		struct source *s = &all->all[i];
		loop_timer_cancel(loop_of(s), &s->timer);
		if (!s->child.pid) {
			s->state = STATE_GONE;
			continue;
		}
		s->state = STATE_STOPPING;
		size_t begun = frame_begin(&s->out, FRAME_STOP);
		frame_end(&s->out, begun);
		if (s->fd < 0)
			kill_child(s);
		else
			send_out(s);
		loop_timer_set(loop_of(s), &s->timer, loop_now(loop_of(s)) + STOP_PATIENCE_NS);
	}
	tell_if_all_gone(all);
}

void sources_free(struct sources *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct source *s = &all->all[i];
		hang_up(s);
		loop_timer_cancel(loop_of(s), &s->timer);
		loop_unwatch_child(&s->child);
		for (size_t k = 0; k < s->n_counters; k++)
			free(s->counters[k].name);
		free(s->last_error);
	}
	free(all->all);
	free(all);
}

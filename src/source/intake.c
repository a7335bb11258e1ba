/* SPDX-License-Identifier: MIT */
#include "source/intake.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "channel/channel.h"
#include "channel/cursors.h"
#include "source/names.h"
#include "source/sources.h"

#define STUCK_RETRY_NS (500 * NS_PER_MS)
#define LOG_WINDOW_NS  (10 * NS_PER_SEC)
#define REST_NS        (5 * NS_PER_MS)
#define NAMES_RETRY_NS (10 * NS_PER_MS)
#define FLOOD_NS       (10 * NS_PER_SEC)

enum {
	CREDIT_STEP = 128 * 1024,
	READ_SIZE = 64 * 1024,
	PIPE_SIZE = 64 * 1024,
	/* of frames that are no events, a second and at once */
	CONTROL_RATE = 2000,
	CONTROL_BURST = 10000,
	READS_PER_TURN = 16,
	READS_AT_END = 4096,
	FRAME_SLACK = 2 * 1024 * 1024, /* what a frame may hold beside one message */
	LOGS_PER_WINDOW = 20,
	LOG_LINE_MAX = 1024,
	TEXT_MAX = 512,
};

static struct loop *loop_of(const struct source *s)
{
	return s->hub->loop;
}

/* ---- its log -------------------------------------------------------------------------- */

static void begin_log_window(struct source *s)
{
	int64_t now = loop_now(loop_of(s));
	if (now - s->log_window_ns <= LOG_WINDOW_NS)
		return;
	if (s->n_logged > LOGS_PER_WINDOW)
		log_warning("source %s: %llu more lines were not logged (more than %d in 10 s)",
			    s->settings.name, (unsigned long long)(s->n_logged - LOGS_PER_WINDOW),
			    LOGS_PER_WINDOW);
	s->log_window_ns = now;
	s->n_logged = 0;
}

static void drop_lines(struct source *s, uint64_t n)
{
	s->n_logged += n;
	s->n_log_dropped += n;
}

/* Checked before the line costs anything. */
static bool may_log(struct source *s)
{
	begin_log_window(s);
	if (s->n_logged >= LOGS_PER_WINDOW) {
		drop_lines(s, 1);
		return false;
	}
	s->n_logged++;
	return true;
}

static void put_in_log(struct source *s, int level, struct str text)
{
	if (s->redactor)
		text = redact_text(s->redactor, text);
	log_line((enum log_level)level, "source %s: %.*s", s->settings.name, (int)text.len,
		 text.data);
}

void intake_log(struct source *s, int level, struct str text)
{
	if (may_log(s))
		put_in_log(s, level, text);
}

static void tell_line(struct child_output *c)
{
	struct str text = buf_str(&c->line);
	if (!may_log(c->source)) {
		c->line.len = 0;
		return;
	}
	char *line = mem_printf("wrote to its standard %s: %.*s", c->name,
				(int)MIN(text.len, (size_t)TEXT_MAX), text.data);
	put_in_log(c->source, LOG_WARNING, str_of(line));
	free(line);
	c->line.len = 0;
}

/* Lines are only counted while there are too many; then it is read now and then, a whole
 * pipe at once, so that one that writes without end waits instead of keeping the hub busy.
 */
static void skip_lines(struct child_output *c, const char *bytes, size_t n)
{
	uint64_t lines = 0;
	const char *end = bytes + n;
	for (const char *p = bytes; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		lines++;
	drop_lines(c->source, lines);
	if (lines)
		c->line.len = 0; /* what begins behind the last one is told without its beginning */
	loop_change(loop_of(c->source), &c->io, 0);
	loop_timer_set(loop_of(c->source), &c->rest, loop_now(loop_of(c->source)) + REST_NS);
}

static void on_rested(struct loop_timer *t)
{
	struct child_output *c = container_of(t, struct child_output, rest);
	loop_change(loop_of(c->source), &c->io, EPOLLIN);
}

static void on_output(struct loop_io *io, uint32_t events)
{
	struct child_output *c = container_of(io, struct child_output, io);
	static char bytes[PIPE_SIZE];
	begin_log_window(c->source);
	bool skips = c->source->n_logged >= LOGS_PER_WINDOW;
	if (!(events & EPOLLIN) && !(events & (EPOLLHUP | EPOLLERR)))
		return;
	ssize_t n = read(c->fd, bytes, skips ? sizeof(bytes) : sizeof(bytes) / 16);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && skips) {
		skip_lines(c, bytes, (size_t)n);
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] != '\n' && c->line.len < LOG_LINE_MAX)
			buf_putc(&c->line, bytes[i]);
		else if (bytes[i] == '\n' && c->line.len)
			tell_line(c);
	}
	if (n <= 0)
		child_output_close(c);
}

void child_output_open(struct child_output *c, struct source *s, int fd, const char *name)
{
	c->source = s;
	c->fd = fd;
	c->name = name;
	c->rest.fn = on_rested;
	if (fd_set_nonblocking(fd) || loop_add(loop_of(s), &c->io, fd, EPOLLIN, on_output))
		fd_close(&c->fd);
}

void child_output_close(struct child_output *c)
{
	if (c->fd < 0)
		return;
	if (c->line.len)
		tell_line(c);
	loop_timer_cancel(loop_of(c->source), &c->rest);
	loop_remove(loop_of(c->source), &c->io);
	fd_close(&c->fd);
	buf_fini(&c->line);
}

/* ---- frames ----------------------------------------------------------------------------- */

/* Gives credit back for what was taken, in steps. */
static void pay(struct source *s)
{
	if (s->owed < CREDIT_STEP || s->fd < 0)
		return;
	size_t begun = frame_begin(&s->frames, FRAME_CREDIT);
	buf_put_u32(&s->frames, s->owed);
	frame_end(&s->frames, begun);
	s->owed = 0;
	source_send(s);
}

/* Fit to be shown. */
static char *text_of(struct source *source, struct str s)
{
	struct buf clean = {0};
	if (source->redactor)
		s = redact_text(source->redactor, s);
	s.len = MIN(s.len, (size_t)TEXT_MAX);
	utf8_put(&clean, s);
	char *ret = mem_strdup(buf_text(&clean));
	buf_fini(&clean);
	return ret;
}

/* Takes the text.  One that comes again moves to the end. */
static void keep_warning(struct source *s, char *text)
{
	struct source_warning *all = s->warnings;
	size_t i = 0;
	while (i < s->n_warnings && strcmp(all[i].text, text) != 0)
		i++;
	if (i == s->n_warnings && s->n_warnings == WARNINGS_MAX)
		i = 0;
	if (i < s->n_warnings) {
		free(all[i].text);
		memmove(all + i, all + i + 1, (--s->n_warnings - i) * sizeof(all[0]));
	}
	all[s->n_warnings++] = (struct source_warning){text, clock_wall_ns()};
}

static void take_log(struct source *s, struct str body)
{
	struct reader r = reader_of(body.data, body.len);
	uint8_t level = get_byte(&r);
	struct str text = get_short_str(&r);
	if (level <= LOG_DEBUG)
		intake_log(s, level, text);
	if (level <= LOG_WARNING)
		keep_warning(s, text_of(s, text));
	if (level == LOG_ERROR)
		source_set_error(s, text_of(s, text));
}

static void take_log_dropped(struct source *s, struct str body)
{
	struct reader r = reader_of(body.data, body.len);
	uint64_t n = get_long(&r);
	if (!r.failed && n < 1u << 31)
		drop_lines(s, n);
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
		s->counters[s->n_counters++].name = text_of(s, name);
	s->counters[i].value = value;
}

/* Only the first reason for its end counts. */
static void take_refusal(struct source *s, struct str body)
{
	if (s->has_ended)
		return;
	struct reader r = reader_of(body.data, body.len);
	struct str option = get_short_str(&r), message = get_short_str(&r);
	char *name = text_of(s, option), *text = text_of(s, message);
	char *why = mem_printf("%s%s%s", name, option.len ? ": " : "", text);
	free(name);
	free(text);
	source_set_error(s, why);
	source_over(s, STATE_FAILED);
}

static void take_end(struct source *s, struct str body)
{
	if (s->has_ended)
		return;
	struct reader r = reader_of(body.data, body.len);
	uint8_t kind = get_byte(&r);
	struct str why = get_bytes(&r, reader_left(&r));
	/* A plugin that gives up has said more in its log. */
	if (kind == END_FINISHED)
		source_set_reason(s, text_of(s, why));
	else if (kind != END_FOR_GOOD)
		source_set_end(s, text_of(s, why));
	else if (!s->error)
		source_set_error(s, text_of(s, why));
	source_over(s, kind == END_FOR_GOOD   ? STATE_FAILED
		       : kind == END_FINISHED ? STATE_FINISHED
					      : s->state);
}

static void take_confined(struct source *s, struct str body)
{
	static bool told; /* of this kernel; once is enough */
	struct reader r = reader_of(body.data, body.len);
	struct str has = get_short_str(&r), lacks = get_short_str(&r);
	uint32_t flags = get_word(&r);
	if (r.failed)
		return;
	free(s->sandbox);
	free(s->sandbox_lacks);
	s->sandbox = text_of(s, has);
	s->sandbox_lacks = lacks.len ? text_of(s, lacks) : NULL;
	s->plugin_flags = flags;
	if (lacks.len && !told)
		log_warning("source %s: not all of the sandbox is there: %s", s->settings.name,
			    s->sandbox_lacks);
	told = told || lacks.len;
}

static void answer(struct source *s, int fd, const char *why)
{
	if (grant_answer(s->grant_fd, MIN(fd, 0), fd, why))
		source_kill(s, mem_strdup("requests sockets or files, and does not read the "
					  "responses"));
}

/* 0; 1 when it must be offered again, for the name service has not answered yet. */
static int answer_listen(struct source *s, struct str body)
{
	char *why = NULL;
	struct grant_wish wish;
	int fd = grant_get_wish(&s->settings, body, &wish, &why);
	if (!fd)
		fd = names_find(sources_names(s->hub), wish.owner, wish.group, &wish.how, &why);
	if (fd == -EAGAIN)
		return 1;
	if (!fd) {
		sources_move_socket(s, wish.address);
		fd = grant_listen(&s->grants, &wish, &why);
	}
	answer(s, fd, why);
	free(why);
	return 0;
}

static void answer_open(struct source *s, struct str body)
{
	char *why = NULL;
	int fd = grant_open(&s->settings, body, &why);
	answer(s, fd, why);
	fd_close(&fd);
	free(why);
}

static int take_events(struct source *s, struct str body)
{
	struct channel_taken taken;
	const struct channel_from from = {s->settings.name, s->filter, s->redactor};
	if (s->lacks_redactor)
		return 1;
	int r = channel_take(s->channel, &from, body, &taken);
	if (r == -EBADMSG || r == -E2BIG)
		return r;
	if (r)
		return 1;
	s->n_events += taken.n_events;
	s->n_filtered += taken.n_filtered;
	s->n_redacted += taken.n_redacted;
	s->n_bytes += body.len;
	s->tokens -= (double)taken.n_events;
	s->owed += FRAME_HEAD + (uint32_t)body.len;
	return 0;
}

/* 0; 1 when the frame must be offered again later; -EBADMSG; -E2BIG. */
static int take_frame(struct source *s, const struct frame *f)
{
	s->pinged_ns = 0;
	switch (f->type) {
	case FRAME_EVENTS: return take_events(s, f->body);
	case FRAME_OPENED:
		if (s->state == STATE_STARTING)
			source_set_state(s, STATE_RUNNING, NULL);
		return 0;
	case FRAME_LOG: take_log(s, f->body); return 0;
	case FRAME_LOG_DROPPED: take_log_dropped(s, f->body); return 0;
	case FRAME_COUNTER: take_counter(s, f->body); return 0;
	case FRAME_REFUSED: take_refusal(s, f->body); return 0;
	case FRAME_END: take_end(s, f->body); return 0;
	case FRAME_CONFINED: take_confined(s, f->body); return 0;
	case FRAME_WANT_LISTEN: return answer_listen(s, f->body);
	case FRAME_WANT_OPEN: answer_open(s, f->body); return 0;
	case FRAME_PONG: return 0;
	case FRAME_RELOADED:
		if (f->body.len == 1 && !f->body.data[0] && s->state == STATE_RUNNING &&
		    s->child.pid)
			s->on_stale(s);
		return 0;
	case FRAME_OPEN:
	case FRAME_CREDIT:
	case FRAME_STOP:
	case FRAME_PING:
	case FRAME_RELOAD:
	case FRAME_DESCRIBE: break;
	}
	return -EBADMSG;
}

/* ---- rate_limit ------------------------------------------------------------------------------ */

static void refill(struct source *s)
{
	int64_t now = loop_now(loop_of(s)), rate = s->settings.rate_limit;
	int64_t burst = s->settings.rate_burst ? s->settings.rate_burst : rate;
	s->tokens += (double)(now - s->refilled_ns) * (double)rate / (double)NS_PER_SEC;
	s->tokens = MIN(s->tokens, (double)burst);
	s->refilled_ns = now;
}

/* Whether it has to wait; then it is not read until there are tokens again. */
static bool throttle(struct source *s)
{
	int64_t rate = s->settings.rate_limit;
	if (!rate || s->state == STATE_STOPPING)
		return false;
	refill(s);
	if (s->tokens > 0)
		return false;
	if (!s->is_throttled)
		s->n_throttled++;
	s->is_throttled = true;
	int64_t wait = (int64_t)((1 - s->tokens) * (double)NS_PER_SEC / (double)rate);
	loop_timer_set(loop_of(s), &s->refill, loop_now(loop_of(s)) + MAX(wait, 10 * NS_PER_MS));
	source_wait_for_io(s);
	return true;
}

/* ---- frames that are no events ---------------------------------------------------------------
 */

/* Their cost is refunded only over time. */
static double cost_of(enum frame_type type)
{
	if (type == FRAME_EVENTS)
		return 0; /* they cost credit */
	return type == FRAME_WANT_LISTEN ? 20 : type == FRAME_WANT_OPEN ? 5 : 1;
}

/* Whether it has sent too many; then it is not read for a while, and ended when it does not
 * stop.
 */
static bool floods(struct source *s)
{
	int64_t now = loop_now(loop_of(s));
	s->control += (double)(now - s->control_ns) * CONTROL_RATE / (double)NS_PER_SEC;
	s->control = MIN(s->control, (double)CONTROL_BURST);
	s->control_ns = now;
	if (s->control > CONTROL_BURST / 2)
		s->flooding_since_ns = 0;
	if (s->control > 0)
		return false;
	if (!s->flooding_since_ns) {
		s->flooding_since_ns = now;
		s->n_throttled++;
	}
	s->is_throttled = true;
	loop_timer_set(loop_of(s), &s->refill, now + 10 * NS_PER_MS);
	if (now - s->flooding_since_ns > FLOOD_NS && !s->is_accused)
		source_kill(s, mem_printf("floods the hub: more than %d frames a second that are "
					  "not events (requests for files and sockets, log "
					  "lines, counters) for %d s",
					  CONTROL_RATE, (int)(FLOOD_NS / NS_PER_SEC)));
	source_wait_for_io(s);
	return true;
}

/* At its end, no answers are sent and no more excess is reported. */
static bool is_idle_talk(const struct source *s, const struct frame *f)
{
	return f->type != FRAME_EVENTS &&
	       (s->control <= 0 || f->type == FRAME_WANT_LISTEN || f->type == FRAME_WANT_OPEN);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static int take_frames(struct source *s, bool at_end)
{
	size_t max = (size_t)s->hub->settings->hub.event_size + FRAME_SLACK;
	struct str rest = buf_str(&s->in);
	struct frame f;
	int r = 0, got = 1;
	struct str before = rest;
	while ((at_end || (!throttle(s) && !floods(s))) &&
	       (got = frame_next(&rest, max, &f)) == 1) {
		r = at_end && is_idle_talk(s, &f) ? 0 : take_frame(s, &f);
		if (r)
			break;
		s->control -= cost_of(f.type);
		before = rest;
	}
	buf_drop(&s->in, s->in.len - before.len);
	pay(s);
	return r ? r : MIN(got, 0);
}

static void accuse(struct source *s, int r)
{
	buf_reset(&s->in, 0);
	s->in.len = 0;
	source_kill(s, r == -E2BIG
			       ? mem_printf("keeps more than %d cursors, or more than %d MiB of "
					    "them (split its input between several sources)",
					    CURSORS_OF_SOURCE_MAX, CURSOR_BYTES_OF_SOURCE_MAX >> 20)
			       : mem_strdup("sent data that is not a frame (the plugin has "
					    "damaged its host's memory, or written to descriptor "
					    "3)"));
}

static void get_stuck(struct source *s)
{
	/* The journal cannot be written, or a name is being looked up: leave the rest where it
	 * is.
	 */
	struct frame f;
	struct str rest = buf_str(&s->in);
	bool is_name = frame_next(&rest, SIZE_MAX, &f) == 1 && f.type == FRAME_WANT_LISTEN;
	s->is_stuck = true;
	source_wait_for_io(s);
	loop_timer_set(loop_of(s), &s->timer,
		       loop_now(loop_of(s)) + (is_name ? NAMES_RETRY_NS : STUCK_RETRY_NS));
}

static void read_some(struct source *s, int reads, bool at_end)
{
	while (s->fd >= 0 && reads-- && (at_end || !s->is_throttled)) {
		ssize_t n = recv(s->fd, buf_reserve(&s->in, READ_SIZE), READ_SIZE, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			/* It has ended, or its plugin has closed what is not its own. */
			loop_remove(loop_of(s), &s->io);
			if (s->child.pid && !at_end)
				kill(s->child.pid, SIGKILL);
			return;
		}
		s->in.len += (size_t)n;
		int r = take_frames(s, at_end);
		if (r < 0) {
			accuse(s, r);
			return;
		}
		if (r > 0) {
			get_stuck(s);
			return;
		}
		if (!at_end && loop_is_late(loop_of(s)))
			return;
	}
}

void intake_on_io(struct loop_io *io, uint32_t events)
{
	struct source *s = container_of(io, struct source, io);
	if (events & EPOLLOUT)
		source_send(s);
	if (events & ~(uint32_t)EPOLLOUT)
		read_some(s, READS_PER_TURN, false);
}

void intake_drain(struct source *s)
{
	if (s->in.len && take_frames(s, true))
		return;
	read_some(s, READS_AT_END, true);
}

void intake_resume(struct source *s)
{
	s->is_throttled = false;
	if (s->is_accused)
		return; /* it is being ended */
	int r = take_frames(s, false);
	if (r < 0) {
		accuse(s, r);
	} else if (r > 0) {
		get_stuck(s);
	} else {
		s->is_stuck = false;
		source_wait_for_io(s);
	}
}

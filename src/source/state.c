/* SPDX-License-Identifier: MIT
 *
 * state - what a source is at, told to everybody; and what is sent to its process.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "channel/internal_event.h"
#include "hub/hub.h"
#include "source/instance.h"

const char *const source_state_names[] = {"starting", "running",  "waiting", "failed",
					  "finished", "stopping", "gone"};

static struct loop *loop_of(const struct source *s)
{
	return s->hub->loop;
}

void source_set_reason(struct source *s, char *owned)
{
	free(s->error);
	s->error = owned;
}

void source_set_error(struct source *s, char *owned)
{
	source_set_reason(s, owned);
	free(s->last_error);
	s->last_error = mem_strdup(owned);
	s->last_error_ns = clock_wall_ns();
}

void source_set_end(struct source *s, char *owned)
{
	char *why = s->error ? mem_printf("%s; its last error: %s", owned, s->error) : NULL;
	source_set_error(s, why ? why : owned);
	if (why)
		free(owned);
}

static int severity_of(enum source_state state)
{
	switch (state) {
	case STATE_FAILED: return 3;
	case STATE_WAITING: return 4;
	case STATE_STARTING:
	case STATE_RUNNING:
	case STATE_FINISHED:
	case STATE_STOPPING:
	case STATE_GONE: break;
	}
	return 6;
}

void source_set_state(struct source *s, enum source_state state, const char *reason)
{
	const char *name = source_state_names[state];
	const char *source = s->settings.name;
	struct buf fields = {0};
	if (s->state == state)
		return;
	s->state = state;
	if (state == STATE_FAILED)
		log_error("source %s: failed: %s", source, reason);
	else if (state == STATE_WAITING)
		log_warning("source %s: %s", source, reason);
	else if (state == STATE_FINISHED)
		log_info("source %s: has finished", source);
	/* Starting is no news; that it runs is. */
	if (state == STATE_STARTING || state == STATE_STOPPING)
		return;
	internal_event_put(&fields, "source", source);
	internal_event_put(&fields, "state", name);
	internal_event_put(&fields, "reason", reason);
	field_put(&fields, &(struct field){.name = STR("restarts"),
					   .type = FIELD_INT,
					   .integer = (int64_t)s->n_restarts});
	internal_event_publish(&s->hub->registry, "source", severity_of(state), buf_str(&fields),
			       "source %s: %s%s%s", source, name, reason ? ": " : "",
			       reason ? reason : "");
	buf_fini(&fields);
}

/* ---- its connection ------------------------------------------------------------------ */

void source_wait_for_io(struct source *s)
{
	bool read = !s->is_stuck && !s->is_throttled;
	loop_change(loop_of(s), &s->io,
		    (read ? (uint32_t)EPOLLIN : 0) | (s->frames.len ? (uint32_t)EPOLLOUT : 0));
}

void source_send(struct source *s)
{
	while (s->fd >= 0 && s->frames.len) {
		ssize_t w = send(s->fd, s->frames.data, s->frames.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno != EAGAIN)
			s->frames.len = 0; /* it has ended; reading will tell */
		if (w <= 0)
			break;
		buf_drop(&s->frames, (size_t)w);
	}
	if (!s->frames.len)
		buf_fini(&s->frames);
	source_wait_for_io(s);
}

void source_send_simple(struct source *s, enum frame_type type)
{
	size_t begun = frame_begin(&s->frames, type);
	frame_end(&s->frames, begun);
	source_send(s);
}

void source_kill(struct source *s, char *why)
{
	source_set_error(s, why);
	loop_remove(loop_of(s), &s->io);
	s->has_ended = false;
	s->is_accused = true;
	if (s->child.pid)
		kill(s->child.pid, SIGKILL);
}

void source_over(struct source *s, enum source_state state)
{
	s->has_ended = true;
	if (s->state == STATE_STOPPING)
		return;
	source_set_state(s, state, s->error);
	if (!s->child.pid)
		return;
	source_send_simple(s, FRAME_STOP);
	loop_timer_set(loop_of(s), &s->timer, loop_now(loop_of(s)) + STOP_PATIENCE_NS);
}

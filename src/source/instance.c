/* SPDX-License-Identifier: MIT */
#include "source/instance.h"

#include <errno.h>
#include <fcntl.h>
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
#include "base/unit.h"
#include "channel/channel.h"
#include "channel/cursors.h"
#include "channel/internal_event.h"
#include "channel/regexes.h"
#include "conf/packed.h"
#include "host/opening.h"
#include "source/intake.h"
#include "source/sources.h"

#define CLAIM_PATIENCE_NS (5 * NS_PER_SEC)
#define STEADY_NS         (5 * 60 * NS_PER_SEC)

enum { CONTROL_START = 10000, CREDIT_WINDOW = 1024 * 1024, SOCKET_BUFFER = 1024 * 1024 };

static struct loop *loop_of(const struct source *s)
{
	return s->hub->loop;
}

static void hang_up(struct source *s)
{
	loop_remove(loop_of(s), &s->io);
	loop_timer_cancel(loop_of(s), &s->watchdog);
	loop_timer_cancel(loop_of(s), &s->refill);
	child_output_close(&s->out);
	child_output_close(&s->err);
	fd_close(&s->fd);
	fd_close(&s->grant_fd);
	buf_fini(&s->in);
	buf_fini(&s->frames);
	s->is_stuck = s->is_throttled = false;
	s->owed = 0;
}

/* ---- watchdog --------------------------------------------------------------------------- */

static int64_t watch_every(const struct source *s)
{
	return MAX(s->settings.watchdog_ns / 4, 10 * NS_PER_MS);
}

static void watch_running(struct source *s, int64_t now)
{
	/* What we do not read, it cannot answer. */
	if ((s->plugin_flags & SLUICE_MAY_BLOCK) || s->is_stuck || s->is_throttled) {
		s->pinged_ns = 0;
	} else if (!s->pinged_ns) {
		s->pinged_ns = now;
		source_send_simple(s, FRAME_PING);
	} else if (now - s->pinged_ns > s->settings.watchdog_ns) {
		source_kill(s, mem_printf("hung: its plugin has not called its host for %.1f s "
					  "(watchdog)",
					  (double)s->settings.watchdog_ns / (double)NS_PER_SEC));
	}
}

static void on_watchdog(struct loop_timer *t)
{
	struct source *s = container_of(t, struct source, watchdog);
	int64_t now = loop_now(loop_of(s));
	if (s->state == STATE_RUNNING)
		watch_running(s, now);
	else if (s->state == STATE_STARTING && now - s->started_ns > s->settings.watchdog_ns)
		source_kill(s, mem_printf("hung: its plugin's open() took more than %.1f s "
					  "(watchdog)",
					  (double)s->settings.watchdog_ns / (double)NS_PER_SEC));
	loop_timer_set(loop_of(s), t, now + watch_every(s));
}

/* ---- its end ------------------------------------------------------------------------------ */

static void start_again_later(struct source *s)
{
	int64_t now = loop_now(loop_of(s));
	/* One that got something done, or lasted, is in no crash loop. */
	if (s->n_events > s->n_events_before || now - s->started_ns > STEADY_NS) {
		s->backoff_ns = s->settings.backoff_ns;
		s->n_crashes = 0;
	}
	if (!s->has_ended)
		s->n_crashes++;
	if (s->settings.attempts && s->n_crashes >= s->settings.attempts) {
		char *why = mem_printf("gave up after %d %s in a row; the last one: %s (sluice "
				       "reload tries again)",
				       s->n_crashes,
				       plural((uint64_t)s->n_crashes, "failure", "failures"),
				       s->error ? s->error : "not known");
		source_set_state(s, STATE_FAILED, why);
		free(why);
		return;
	}
	int64_t wait = s->backoff_ns / 2 + random() % MAX(s->backoff_ns, 1);
	s->backoff_ns = MIN(s->backoff_ns * 2, s->settings.backoff_max_ns);
	s->n_restarts++;
	char *why = mem_printf("its process has ended (%s); starts again in %.1f s",
			       s->error ? s->error : "the reason is not known",
			       (double)wait / (double)NS_PER_SEC);
	source_set_state(s, STATE_WAITING, why);
	free(why);
	loop_timer_set(loop_of(s), &s->timer, now + wait);
}

static void on_gone(struct loop_task *t)
{
	struct source *s = container_of(t, struct source, task);
	s->on_gone(s);
}

static void use_settings(struct source *s, struct source_settings *taken)
{
	source_settings_fini(&s->settings);
	s->settings = *taken;
	*taken = (struct source_settings){0};
	/* A channel may have gone meanwhile, and then this source is about to go. */
	struct channel *c = registry_channel(&s->hub->registry, s->settings.channel);
	s->channel = c ? c : registry_channel(&s->hub->registry, SETTINGS_OWN_CHANNEL);
	struct buf why = {0};
	filter_unref(s->filter);
	s->filter = s->settings.filter
			    ? filter_parse(regexes_pool_of_sources(s->hub->registry.regexes),
					   str_of(s->settings.filter), &why)
			    : NULL; /* it was checked with the configuration */
	why.len = 0;
	redactor_free(s->redactor);
	s->redactor = s->settings.n_redact ? redactor_new(s->settings.redact, s->settings.n_redact,
							  &s->hub->redact_key, &why)
					   : NULL;
	redact_go_on_from(s->redactor, channel_redact_place(&s->hub->registry, s->settings.name));
	/* It was checked with the configuration; yet nothing may get through without. */
	s->lacks_redactor = s->settings.n_redact && !s->redactor;
	if (s->lacks_redactor)
		source_set_error(
			s, mem_printf("its redaction rules cannot be used: %s", buf_text(&why)));
	buf_fini(&why);
	s->backoff_ns = s->settings.backoff_ns;
	s->n_crashes = 0;
}

static void forget_warnings(struct source *s)
{
	for (size_t k = 0; k < s->n_warnings; k++)
		free(s->warnings[k].text);
	s->n_warnings = 0;
}

/* What was wrong with the settings before is no error of these. */
static void forget_error(struct source *s)
{
	free(s->last_error);
	s->last_error = NULL;
	forget_warnings(s);
}

static void after_stop(struct source *s)
{
	if (!s->is_restarting) {
		grants_fini(&s->grants);
		source_set_state(s, STATE_GONE, NULL);
		loop_defer(loop_of(s), &s->task);
		return;
	}
	s->is_restarting = false;
	if (s->has_next) {
		forget_error(s);
		use_settings(s, &s->next);
	}
	s->has_next = false;
	source_start(s);
}

/* It has ended without a word on why. */
static void explain_end(struct source *s, int status)
{
	source_set_end(s, WIFSIGNALED(status)
				  ? process_describe_status(status)
				  : mem_printf("the plugin called exit(%d)", WEXITSTATUS(status)));
}

static void on_child_end(struct loop_child *c, int status)
{
	struct source *s = container_of(c, struct source, child);
	c->pid = 0;
	/* What it has sent before it ended counts; nobody writes any more. */
	intake_drain(s);
	hang_up(s);
	sources_end_orphans(loop_of(s));
	if (!s->has_ended && !s->is_accused)
		explain_end(s, status);
	loop_timer_cancel(loop_of(s), &s->timer);
	if (s->state == STATE_STOPPING)
		after_stop(s);
	else if (s->state != STATE_FAILED && s->state != STATE_FINISHED)
		start_again_later(s);
}

static void on_timer(struct loop_timer *t)
{
	struct source *s = container_of(t, struct source, timer);
	if (s->state == STATE_WAITING) {
		source_start(s);
	} else if (s->state == STATE_STOPPING || s->has_ended) {
		log_warning("source %s: did not stop in time and is ended", s->settings.name);
		if (s->child.pid)
			kill(s->child.pid, SIGKILL);
	} else if (s->is_stuck) {
		intake_resume(s);
	} else {
		grants_drop_unclaimed(&s->grants);
	}
}

static void on_refill(struct loop_timer *t)
{
	intake_resume(container_of(t, struct source, refill));
}

/* ---- its start --------------------------------------------------------------------------- */

/* What the new process is told. */
static void queue_opening(struct source *s)
{
	struct hub *h = s->hub;
	struct buf cursors = {0};
	cursors_put_of_source(h->registry.cursors, s->settings.name, &cursors);
	opening_put(&s->frames, OPENING_RUN, (uint32_t)h->settings->hub.event_size, &s->settings,
		    buf_str(&cursors));
	size_t begun = frame_begin(&s->frames, FRAME_CREDIT);
	buf_put_u32(&s->frames, CREDIT_WINDOW);
	frame_end(&s->frames, begun);
	buf_fini(&cursors);
}

struct ends {
	int link[2], grant[2], out[2], err[2];
};

static void close_ends(struct ends *e)
{
	for (int i = 0; i < 2; i++) {
		fd_close(&e->link[i]);
		fd_close(&e->grant[i]);
		fd_close(&e->out[i]);
		fd_close(&e->err[i]);
	}
}

static int open_ends(struct ends *e)
{
	*e = (struct ends){{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->link) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, e->grant) < 0 ||
	    pipe2(e->out, O_CLOEXEC) < 0 || pipe2(e->err, O_CLOEXEC) < 0)
		return -errno;
	int size = SOCKET_BUFFER;
	setsockopt(e->link[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd_set_nonblocking(e->grant[0]);
}

static int spawn(struct source *s, struct ends *e, pid_t *pid)
{
	const struct fd_map map[] = {{e->link[1], SOURCE_FD},
				     {e->grant[1], GRANT_FD},
				     {e->out[1], STDOUT_FILENO},
				     {e->err[1], STDERR_FILENO}};
	return sources_spawn(s, map, array_size(map), pid);
}

void source_start(struct source *s)
{
	struct ends e;
	pid_t pid = 0;
	int64_t now = loop_now(loop_of(s));
	s->started_ns = now;
	s->n_events_before = s->n_events;
	s->has_ended = s->is_accused = false;
	s->pinged_ns = 0;
	/* What the run before has said does not explain the end of this one. */
	source_set_reason(s, NULL);
	if (s->settings.trouble) {
		source_set_error(s, mem_strdup(s->settings.trouble));
		source_set_state(s, STATE_FAILED, s->error);
		return;
	}
	source_set_state(s, STATE_STARTING, NULL);
	s->identity = plugin_identify(s->settings.plugin);
	grants_unclaim(&s->grants);
	int r = open_ends(&e);
	if (!r)
		r = spawn(s, &e, &pid);
	if (r) {
		close_ends(&e);
		source_set_error(s, mem_printf("no process: %s", strerror(-r)));
		start_again_later(s);
		return;
	}
	loop_watch_child(loop_of(s), &s->child, pid, on_child_end);
	s->fd = e.link[0];
	s->grant_fd = e.grant[0];
	child_output_open(&s->out, s, e.out[0], "output");
	child_output_open(&s->err, s, e.err[0], "error");
	e.link[0] = e.grant[0] = e.out[0] = e.err[0] = -1;
	close_ends(&e);
	queue_opening(s);
	s->tokens = (double)MAX(s->settings.rate_burst, 1);
	s->refilled_ns = s->control_ns = now;
	s->control = CONTROL_START;
	s->flooding_since_ns = 0;
	if (s->settings.watchdog_ns)
		loop_timer_set(loop_of(s), &s->watchdog, now + watch_every(s));
	if (s->grants.n)
		loop_timer_set(loop_of(s), &s->timer, now + CLAIM_PATIENCE_NS);
	if (loop_add_first(loop_of(s), &s->io, s->fd, EPOLLIN, intake_on_io))
		kill(pid, SIGKILL); /* its end starts it again */
	else
		source_send(s);
}

void source_stop(struct source *s)
{
	loop_timer_cancel(loop_of(s), &s->timer);
	s->is_restarting = false;
	s->state = STATE_STOPPING;
	if (!s->child.pid) {
		after_stop(s);
		return;
	}
	if (s->is_throttled) {
		/* What it has sent is taken at its end. */
		s->is_throttled = false;
		loop_timer_cancel(loop_of(s), &s->refill);
	}
	source_send_simple(s, FRAME_STOP);
	loop_timer_set(loop_of(s), &s->timer, loop_now(loop_of(s)) + STOP_PATIENCE_NS);
}

void source_restart(struct source *s, struct source_settings *taken)
{
	bool was_stopping = s->state == STATE_STOPPING;
	if (taken) {
		source_settings_fini(&s->next);
		s->next = *taken;
		*taken = (struct source_settings){0};
		s->has_next = true;
	}
	if (was_stopping) {
		s->is_restarting = true;
		return;
	}
	loop_timer_cancel(loop_of(s), &s->timer);
	s->state = STATE_STOPPING;
	s->is_restarting = true;
	if (!s->child.pid) {
		after_stop(s);
		return;
	}
	s->is_throttled = false;
	source_send_simple(s, FRAME_STOP);
	loop_timer_set(loop_of(s), &s->timer, loop_now(loop_of(s)) + STOP_PATIENCE_NS);
}

/* ---- other settings ----------------------------------------------------------------------- */

/* Whether all that differs are options that may change while it runs. */
static bool may_take_over(const struct source *s, const struct source_settings *fresh)
{
	struct source_settings x = s->settings, y = *fresh;
	if (s->state != STATE_RUNNING)
		return false;
	x.options = y.options = (struct option_values){0};
	bool same = settings_equal(source_rows, &x, &y);
	const struct option_values *sets[2] = {&s->settings.options, &fresh->options};
	for (int side = 0; same && side < 2; side++) {
		const struct option_values *other = sets[!side];
		for (size_t i = 0; i < sets[side]->n; i++) {
			const struct option_value *v = &sets[side]->all[i];
			const struct option_value *o = option_find(other, v->name);
			same &= (v->flags & SLUICE_RELOADABLE) || (o && option_value_equals(v, o));
		}
	}
	return same;
}

static void send_settings(struct source *s)
{
	size_t begun = frame_begin(&s->frames, FRAME_RELOAD);
	packed_put_source(&s->frames, &s->settings);
	frame_end(&s->frames, begun);
	source_send(s);
}

void source_change(struct source *s, struct source_settings *taken)
{
	if (!may_take_over(s, taken)) {
		source_restart(s, taken);
		return;
	}
	use_settings(s, taken);
	send_settings(s);
}

void source_reread(struct source *s)
{
	const uint32_t both = SLUICE_READ | SLUICE_RELOADABLE;
	bool has_files = false;
	for (size_t i = 0; i < s->settings.options.n; i++) {
		const struct option_value *v = &s->settings.options.all[i];
		has_files |= v->type == SLUICE_PATH && v->n && (v->flags & both) == both;
	}
	if (has_files && s->state == STATE_RUNNING)
		send_settings(s);
}

static void on_stale(struct source *s)
{
	source_restart(s, NULL);
}

struct source *source_new(struct hub *h, struct source_settings *taken,
			  void (*gone)(struct source *))
{
	struct source *s = mem_zero(sizeof(*s));
	s->hub = h;
	s->state = STATE_GONE;
	s->fd = s->grant_fd = s->io.fd = -1;
	s->out.fd = s->out.io.fd = s->err.fd = s->err.io.fd = -1;
	s->timer.fn = on_timer;
	s->refill.fn = on_refill;
	s->watchdog.fn = on_watchdog;
	s->task.fn = on_gone;
	s->on_gone = gone;
	s->on_stale = on_stale;
	use_settings(s, taken);
	return s;
}

void source_free(struct source *s)
{
	hang_up(s);
	loop_timer_cancel(loop_of(s), &s->timer);
	loop_unwatch_child(&s->child);
	grants_fini(&s->grants);
	for (size_t k = 0; k < s->n_counters; k++)
		free(s->counters[k].name);
	filter_unref(s->filter);
	redactor_free(s->redactor);
	source_settings_fini(&s->settings);
	source_settings_fini(&s->next);
	free(s->sandbox);
	free(s->sandbox_lacks);
	free(s->error);
	free(s->last_error);
	forget_warnings(s);
	free(s);
}

/* SPDX-License-Identifier: MIT
 *
 * A run is over when its process has ended and both pipes are at their end; a
 * grandchild that holds a pipe open delays that by a second at most, and is
 * then ended with the whole group.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

#define DRAIN_NS SEC

static void end_run(struct state *s);

static void cancel(struct state *s, int *timer)
{
	if (*timer)
		s->src->host->cancel(s->src, *timer);
	*timer = 0;
}

/* ---- its end ------------------------------------------------------------------------- */

static bool is_success(struct state *s, int code)
{
	const char *text;
	char want[16];
	bool any = false;
	snprintf(want, sizeof(want), "%d", code);
	for (size_t i = 0; (text = s->src->host->option(s->src, "success_codes", i)); i++) {
		any = true;
		if (strcmp(text, want) == 0)
			return true;
	}
	return !any && code == 0;
}

static void emit(struct state *s, const char *type, int severity, uint32_t flags,
		 const char *message)
{
	struct sluice_event ev = {
		.type = type,
		.severity = severity,
		.flags = flags,
		.body = message,
		.body_len = strlen(message),
		.fields = s->fields.all,
		.n_fields = s->fields.n,
	};
	int ignored = s->src->host->emit(s->src, &ev);
	(void)ignored;
}

static void emit_dropped(struct state *s)
{
	char message[200];
	fields_reset(&s->fields);
	fields_cstr(&s->fields, "reason", "max_output_per_run");
	fields_int(&s->fields, "bytes", (int64_t)s->dropped);
	snprintf(message, sizeof(message), "%llu %s of its output dropped (max_output_per_run)",
		 (unsigned long long)s->dropped, plural(s->dropped, "byte", "bytes"));
	emit(s, "gap", 4, SLUICE_GAP, message);
}

static void emit_exit(struct state *s, bool good)
{
	char message[200];
	bool signalled = WIFSIGNALED(s->status);
	double seconds = (double)(mono_ns() - s->started_ns) / (double)SEC;
	fields_reset(&s->fields);
	if (signalled)
		fields_int(&s->fields, "signal", WTERMSIG(s->status));
	else
		fields_int(&s->fields, "code", WEXITSTATUS(s->status));
	fields_bool(&s->fields, "success", good);
	fields_bool(&s->fields, "timed_out", s->is_timed_out);
	fields_double(&s->fields, "duration", seconds);
	fields_int(&s->fields, "bytes", (int64_t)s->taken);
	fields_int(&s->fields, "run", (int64_t)s->n_runs);
	if (signalled)
		snprintf(message, sizeof(message), "%s: ended by signal %d (%s)%s after %.3f s",
			 s->argv[0], WTERMSIG(s->status), strsignal(WTERMSIG(s->status)),
			 s->is_timed_out ? ", for it took longer than timeout," : "", seconds);
	else
		snprintf(message, sizeof(message), "%s: ended with code %d%s after %.3f s",
			 s->argv[0], WEXITSTATUS(s->status),
			 s->is_timed_out ? ", told to, for it took longer than timeout," : "",
			 seconds);
	emit(s, "exit", good ? 6 : 3, 0, message);
}

static void end_run(struct state *s)
{
	/* Whatever is left of its group. */
	s->src->host->stop_child(s->src, s->pid, SIGKILL, 0);
	cancel(s, &s->timeout);
	cancel(s, &s->drain);
	output_close(&s->out);
	output_close(&s->err);
	bool good = !WIFSIGNALED(s->status) && is_success(s, WEXITSTATUS(s->status));
	s->n_failed += !good;
	if (s->dropped)
		emit_dropped(s);
	if (s->options.emit_exit == EMIT_ALWAYS || (s->options.emit_exit == EMIT_FAILURES && !good))
		emit_exit(s, good);
	s->pid = 0;
	s->on_run_ended(s, good);
}

static void end_if_over(struct state *s)
{
	if (s->has_exited && s->out.fd < 0 && s->err.fd < 0)
		end_run(s);
}

static void on_drained(struct sluice_source *src, void *ctx)
{
	struct state *s = ctx;
	s->drain = 0;
	if (s->is_paused) {
		/* The hub is behind: what is in the pipe waits there. */
		s->drain = src->host->timer(src, DRAIN_NS, 0, on_drained, s);
		return;
	}
	/* Someone else holds the pipe: what it has written so far counts. */
	if (s->out.fd >= 0)
		output_read(&s->out);
	if (s->err.fd >= 0)
		output_read(&s->err);
	end_run(s);
}

static void on_exit_of(struct sluice_source *src, pid_t pid, int status, void *ctx)
{
	struct state *s = ctx;
	if (pid != s->pid)
		return;
	s->has_exited = true;
	s->status = status;
	s->drain = src->host->timer(src, DRAIN_NS, 0, on_drained, s);
	end_if_over(s);
}

static void on_output(struct sluice_source *src, int fd, short revents, void *ctx)
{
	struct output *o = ctx;
	struct state *s = o->s;
	(void)src;
	(void)fd;
	(void)revents;
	if (output_read(o))
		return;
	output_close(o);
	end_if_over(s);
}

/* ---- its time -------------------------------------------------------------------------- */

void run_kill(struct state *s)
{
	if (!s->pid || s->has_exited || s->is_killed)
		return;
	s->is_killed = true;
	s->src->host->stop_child(s->src, s->pid, s->options.kill_signal, s->options.kill_grace_ns);
}

static void on_timeout(struct sluice_source *src, void *ctx)
{
	struct state *s = ctx;
	(void)src;
	s->timeout = 0;
	s->is_timed_out = true;
	s->n_timeouts++;
	run_kill(s);
}

void run_watch(struct state *s, bool on)
{
	struct output *both[] = {&s->out, &s->err};
	for (size_t i = 0; i < 2; i++) {
		struct output *o = both[i];
		int ignored = 0;
		if (o->fd >= 0)
			ignored = s->src->host->watch(s->src, o->fd, on ? POLLIN : 0, on_output, o);
		(void)ignored;
	}
}

static void discard(const struct output *o)
{
	char bytes[4096];
	while (o->fd >= 0 && read(o->fd, bytes, sizeof(bytes)) > 0)
		continue;
}

void run_abandon(struct state *s)
{
	int64_t grace = s->options.kill_grace_ns < 2 * SEC ? s->options.kill_grace_ns : 2 * SEC;
	int64_t until = mono_ns() + grace;
	if (!s->pid)
		return;
	if (!s->has_exited)
		s->src->host->stop_child(s->src, s->pid, s->options.kill_signal, grace);
	/* Nobody takes events any more; its last words must neither hold it up nor
	 * end it.
	 */
	while (!s->has_exited && waitpid(s->pid, NULL, WNOHANG) == 0 && mono_ns() < until) {
		discard(&s->out);
		discard(&s->err);
		usleep(2000);
	}
	s->src->host->stop_child(s->src, s->pid, SIGKILL, 0);
	output_close(&s->out);
	output_close(&s->err);
}

int run_begin(struct state *s, run_ended_fn *on_run_ended)
{
	const struct options *o = &s->options;
	struct sluice_spawn spawn = {
		.argv = s->argv,
		.env = (const char *const *)(uintptr_t)s->env,
		.cwd = o->cwd,
		.umask = o->umask,
		.nice = o->nice,
		.merge_stderr = o->err == SINK_MERGE,
		.on_exit = on_exit_of,
		.ctx = s,
	};
	pid_t pid = s->src->host->spawn(s->src, &spawn);
	if (pid < 0)
		return (int)pid;
	s->pid = pid;
	s->n_runs++;
	s->has_exited = s->is_killed = s->is_timed_out = false;
	s->on_run_ended = on_run_ended;
	s->started_ns = mono_ns();
	outputs_open(s, spawn.out, spawn.err);
	if (!s->is_paused)
		run_watch(s, true);
	s->timeout =
		o->timeout_ns ? s->src->host->timer(s->src, o->timeout_ns, 0, on_timeout, s) : 0;
	return 0;
}

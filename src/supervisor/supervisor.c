/* SPDX-License-Identifier: MIT */
#include "supervisor/supervisor.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/unit.h"
#include "hub/open_files.h"
#include "supervisor/commands.h"
#include "supervisor/front.h"
#include "supervisor/reload.h"
#include "supervisor/sockets.h"
#include "supervisor/systemd.h"
#include "supervisor/upgrade.h"
#include "supervisor/watchdog.h"
#include "supervisor/workers.h"

/* ---- what the processes tell ------------------------------------------------------------ */

static void hub_says(struct supervisor *s, char what, const char *text)
{
	switch (what) {
	case CONTROL_READY:
		s->hub_is_ready = s->hub_was_ready = true;
		systemd_notify("READY=1\nSTATUS=running");
		if (s->is_attached)
			front_start_worked(s->settings->hub.state_dir);
		if (s->is_drained && workers_drain_hub(s, 0))
			log_warning("the new hub accepts streams, although the hub was drained "
				    "before it restarted (run sluice drain again)");
		break;
	case CONTROL_PONG: watchdog_hears_hub(s); break;
	case CONTROL_DRAINING: commands_answer(s->commands, COMMAND_DRAIN, true, text); break;
	case CONTROL_UNUSED:
		if (s->stopping)
			break;
		log_info("sluice has been unused for hub.linger: it exits and starts again with "
			 "the next request");
		workers_stop(s);
		break;
	default: reload_hub_says(s->reloader, what == CONTROL_TAKEN, text); break;
	}
}

static void hub_is_gone(struct supervisor *s)
{
	reload_hub_is_gone(s->reloader);
	commands_answer(s->commands, COMMAND_DRAIN, false, "the hub has just ended");
}

static bool worker_ended(struct supervisor *s)
{
	return upgrade_worker_ended(s->upgrader);
}

static const struct worker_events events = {hub_says, hub_is_gone, worker_ended};

/* ---- what it is asked ------------------------------------------------------------------- */

static void which(struct supervisor *s)
{
	char *file = realpath(s->settings->file, NULL);
	commands_answer(s->commands, COMMAND_WHICH, true, file ? file : s->settings->file);
	free(file);
}

static void drain(struct supervisor *s, const char *over)
{
	int64_t ms;
	if (unit_parse_int(over, &ms))
		commands_answer(s->commands, COMMAND_DRAIN, false,
				"drain needs a number of milliseconds, or -1 to end draining");
	else if (workers_drain_hub(s, ms))
		commands_answer(s->commands, COMMAND_DRAIN, false,
				"the hub is not running at the moment; try again");
}

static void obey(void *ctx, enum command_kind kind, const char *argument)
{
	struct supervisor *s = ctx;
	switch (kind) {
	case COMMAND_RELOAD: reload_begin(s->reloader); break;
	case COMMAND_UPGRADE: upgrade_begin(s->upgrader); break;
	case COMMAND_WHICH: which(s); break;
	case COMMAND_DRAIN: drain(s, argument); break;
	}
}

static void on_stop(void *ctx, int signo maybe_unused)
{
	workers_stop(ctx);
}

static void on_hangup(void *ctx, int signo maybe_unused)
{
	struct supervisor *s = ctx;
	reload_begin(s->reloader);
}

/* ---- start --------------------------------------------------------------------------- */

static int open_all(struct supervisor *s)
{
	char *why = NULL;
	s->commands = commands_new(s->loop, s->settings->hub.state_dir, obey, s);
	if (!sockets_open(s, &why))
		commands_listen(s->commands, &why);
	if (why) {
		log_error("%s", why);
		free(why);
		return -1;
	}
	s->reloader = reload_new(s);
	s->upgrader = upgrade_new(s);
	s->config_fd = reload_pack(s->settings);
	return s->config_fd < 0 ? -1 : 0;
}

static void close_all(struct supervisor *s)
{
	if (s->reloader)
		reload_free(s->reloader);
	if (s->upgrader)
		upgrade_free(s->upgrader);
	if (s->commands)
		commands_free(s->commands);
	fd_close(&s->config_fd);
	if (s->loop)
		loop_remove(s->loop, &s->control_io);
	fd_close(&s->control_fd);
	sockets_close(s);
	workers_free(s);
	settings_free(s->settings);
	if (s->loop)
		loop_free(s->loop);
}

static bool may_open_enough(const struct settings *s)
{
	int64_t limit = fd_raise_limit(), needed = open_files_needed(s);
	if (limit < needed)
		log_error("cannot start: only %lld files may be open at once, and this "
			  "configuration needs %lld (raise the limit with ulimit -n, or "
			  "LimitNOFILE= of the service)",
			  (long long)limit, (long long)needed);
	return limit >= needed;
}

static void serve(struct supervisor *s)
{
	workers_add_responders(s);
	for (size_t i = 0; i < s->n_listen; i++)
		log_info("listening on %s", s->settings->hub.listen[i]);
	watchdog_start(s);
}

int supervise(struct settings *taken, bool is_attached)
{
	struct supervisor s = {.settings = taken,
			       .is_attached = is_attached,
			       .lock_fd = -1,
			       .gate_fd = -1,
			       .config_fd = -1,
			       .control_fd = -1,
			       .control_io.fd = -1,
			       .on = &events};
	list_init(&s.workers);
	if (is_attached)
		sockets_leave_to_web_server(taken);
	if (!may_open_enough(taken)) {
		settings_free(taken);
		return 1;
	}
	s.loop = loop_new();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (s.loop)
		loop_adopt_orphans(s.loop, workers_end_orphans);
	if (!s.loop || open_all(&s) || loop_signal(s.loop, SIGTERM, on_stop, &s) ||
	    loop_signal(s.loop, SIGINT, on_stop, &s) ||
	    loop_signal(s.loop, SIGHUP, on_hangup, &s)) {
		close_all(&s);
		return 1;
	}
	workers_add(&s, WORKER_HUB);
	if (!s.stopping)
		serve(&s);
	loop_run(s.loop);
	loop_settle(s.loop);
	process_end_children();
	close_all(&s);
	return s.status;
}

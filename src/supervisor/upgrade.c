/* SPDX-License-Identifier: MIT */
#include "supervisor/upgrade.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/commands.h"
#include "supervisor/inherit.h"
#include "supervisor/systemd.h"
#include "supervisor/workers.h"

#define RETIRE_NS     (5 * NS_PER_SEC)
#define END_NS        (10 * NS_PER_SEC)
#define RELOADED_NS   (10 * NS_PER_SEC)
#define LOOK_AGAIN_NS (50 * NS_PER_MS)

enum { ERRORS_MAX = 64 * 1024 };

enum upgrade_state { IDLE, CHECKING, WAITING, RETIRING, ENDING };

struct upgrader {
	struct supervisor *supervisor;
	enum upgrade_state state;
	char *path; /* of the new program; owned */
	struct loop_child checker;
	int errors_fd;
	struct loop_timer patience;
	int64_t waits_until_ns;
};

/* Whether workers are being ended for it: nothing else may begin. */
static bool is_under_way(const struct upgrader *u)
{
	return u->state == RETIRING || u->state == ENDING;
}

static void set_state(struct upgrader *u, enum upgrade_state state)
{
	bool was = is_under_way(u);
	u->state = state;
	if (is_under_way(u))
		u->supervisor->activity = ACTIVITY_UPGRADE;
	else if (was)
		u->supervisor->activity = ACTIVITY_NONE;
}

static void refuse(struct upgrader *u, const char *why)
{
	set_state(u, IDLE);
	log_error("not upgraded: %s", why);
	commands_answer(u->supervisor->commands, COMMAND_UPGRADE, false, why);
}

static void become(struct upgrader *u)
{
	struct supervisor *s = u->supervisor;
	char *argv[] = {(char[]){"sluice"},
			(char[]){"run"},
			(char[]){"-c"},
			s->settings->file,
			s->is_attached ? (char[]){"--attached"} : NULL,
			NULL};
	if (access(u->path, X_OK) < 0) {
		refuse(u, "the new program is gone again");
		workers_start(s);
		return;
	}
	log_info("upgrading: %s takes over", u->path);
	commands_answer(s->commands, COMMAND_UPGRADE, true,
			"the new program takes over: open streams come back to it");
	commands_shut(s->commands);
	log_finish();
	int r = inherit_exec(s, u->path, argv);
	char *why = NULL;
	if (commands_listen(s->commands, &why)) /* it had been open until now */
		log_error("%s", why);
	free(why);
	log_error("%s cannot be started: %s; going on with the old program", u->path, strerror(-r));
	set_state(u, IDLE);
	workers_start(s);
}

static void go_on(struct upgrader *u)
{
	struct supervisor *s = u->supervisor;
	if (u->state == RETIRING && !workers_run(s, WORKER_RESPONDER)) {
		set_state(u, ENDING);
		workers_signal(s, WORKER_HUB, SIGTERM);
		loop_timer_set(s->loop, &u->patience, loop_now(s->loop) + END_NS);
	}
	if (u->state == ENDING && !workers_run(s, WORKER_HUB)) {
		loop_timer_cancel(s->loop, &u->patience);
		become(u);
	}
}

/* Once no reload is under way. */
static void retire(struct upgrader *u)
{
	struct supervisor *s = u->supervisor;
	int64_t now = loop_now(s->loop);
	if (s->stopping) {
		refuse(u, "it is just ending");
		return;
	}
	if (s->activity == ACTIVITY_RELOAD && now > u->waits_until_ns) {
		refuse(u, "a reload does not come to an end; try again");
		return;
	}
	if (s->activity == ACTIVITY_RELOAD) {
		loop_timer_set(s->loop, &u->patience, now + LOOK_AGAIN_NS);
		return;
	}
	set_state(u, RETIRING);
	systemd_notify("STATUS=upgrading");
	workers_hold(s);
	loop_timer_set(s->loop, &u->patience, now + RETIRE_NS);
	workers_signal(s, WORKER_RESPONDER, SIGHUP);
	go_on(u);
}

static void on_impatient(struct loop_timer *t)
{
	struct upgrader *u = container_of(t, struct upgrader, patience);
	if (u->state == WAITING) {
		retire(u);
		return;
	}
	workers_signal(u->supervisor, u->state == RETIRING ? WORKER_RESPONDER : WORKER_HUB,
		       SIGKILL);
}

bool upgrade_worker_ended(struct upgrader *u)
{
	if (!is_under_way(u))
		return false;
	go_on(u);
	return true;
}

static void on_checked(struct loop_child *c, int status)
{
	struct upgrader *u = container_of(c, struct upgrader, checker);
	struct supervisor *s = u->supervisor;
	struct buf text = {0};
	c->pid = 0;
	char *path = mem_printf("/proc/self/fd/%d", u->errors_fd);
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	int ignored = fd_read_file(path, ERRORS_MAX, &text);
	(void)ignored;
	free(path);
	fd_close(&u->errors_fd);
	while (text.len && text.data[text.len - 1] == '\n')
		text.len--;
	if (!good) {
		char *how = process_describe_status(status);
		char *why = mem_printf("%s does not take the configuration: %s", u->path,
				       text.len ? buf_text(&text) : how);
		free(how);
		refuse(u, why);
		free(why);
	} else {
		set_state(u, WAITING);
		u->waits_until_ns = loop_now(s->loop) + RELOADED_NS;
		retire(u);
	}
	buf_fini(&text);
}

void upgrade_begin(struct upgrader *u)
{
	struct supervisor *s = u->supervisor;
	if (u->state != IDLE)
		return; /* who asks waits for the same answer */
	free(u->path);
	u->path = process_own_path();
	if (!u->path) {
		refuse(u, "there is no program where this one was started from");
		return;
	}
	struct errors e = {0};
	struct settings *fresh = settings_load(s->settings->file, &e);
	bool listens_elsewhere =
		!s->is_attached &&
		!setting_equals(settings_find(hub_rows, "listen"), &fresh->hub, &s->settings->hub);
	bool moves = strcmp(fresh->hub.state_dir, s->settings->hub.state_dir) != 0;
	settings_free(fresh);
	errors_fini(&e); /* the check tells them */
	if (moves) {
		refuse(u, "hub.state_dir cannot change while sluice runs (restart it)");
		return;
	}
	if (listens_elsewhere) {
		refuse(u, "hub.listen is another one than sluice has now (reload first)");
		return;
	}
	u->errors_fd = memfd_create("sluice-check", MFD_CLOEXEC);
	const struct fd_map map[] = {{u->errors_fd, STDOUT_FILENO}, {u->errors_fd, STDERR_FILENO}};
	char *argv[] = {(char[]){"sluice"}, (char[]){"check"}, (char[]){"-c"}, s->settings->file,
			NULL};
	pid_t pid;
	int r = u->errors_fd < 0 ? -errno : process_spawn_other(u->path, argv, map, 2, &pid);
	if (r) {
		fd_close(&u->errors_fd);
		refuse(u, strerror(-r));
		return;
	}
	set_state(u, CHECKING);
	loop_watch_child(s->loop, &u->checker, pid, on_checked);
}

struct upgrader *upgrade_new(struct supervisor *s)
{
	struct upgrader *u = mem_zero(sizeof(*u));
	u->supervisor = s;
	u->errors_fd = -1;
	u->patience.fn = on_impatient;
	return u;
}

void upgrade_free(struct upgrader *u)
{
	loop_timer_cancel(u->supervisor->loop, &u->patience);
	loop_unwatch_child(&u->checker);
	if (u->checker.pid)
		kill(u->checker.pid, SIGKILL);
	fd_close(&u->errors_fd);
	free(u->path);
	free(u);
}

/* SPDX-License-Identifier: MIT */
#include "cli/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "cli/cli.h"
#include "cli/listen.h"
#include "hub/loop.h"
#include "hub/state.h"

#define BACKOFF_FIRST_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS   (5 * NS_PER_SEC)
#define STEADY_NS        (2 * NS_PER_SEC)
#define STOP_PATIENCE_NS (4500 * NS_PER_MS)

enum { LOCK_WAIT_MS = 3000 };

struct worker {
	struct supervisor *supervisor;
	bool is_hub;
	struct loop_child child; /* pid 0 while it does not run */
	struct loop_timer timer; /* start it again */
	int64_t started_ns, backoff_ns;
	bool was_steady; /* ran for a while at least once */
};

struct supervisor {
	struct loop *loop;
	struct settings *settings;
	int lock_fd, gate_fd, config_fd;
	char *gate_path;
	struct fd_map listen[LISTEN_MAX];
	size_t n_listen;
	struct worker *workers; /* the hub, then the responders */
	size_t n_workers;
	bool stopping;
	struct loop_timer patience;
	int status;
};

/* ---- workers ---------------------------------------------------------------------- */

static const char *name_of(const struct worker *w)
{
	return w->is_hub ? "hub" : "responder";
}

static const char *console_dir(void)
{
	const char *dir = getenv("SLUICE_CONSOLE_DIR");
	return dir && *dir ? dir : SLUICE_CONSOLE_DIR;
}

static void on_end(struct loop_child *c, int status);

static int spawn(struct worker *w, pid_t *pid)
{
	struct supervisor *s = w->supervisor;
	char parent[16], n[16];
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	snprintf(n, sizeof(n), "%zu", s->n_listen);
	if (w->is_hub) {
		const struct fd_map map[] = {{s->gate_fd, HUB_GATE_FD},
					     {s->config_fd, HUB_CONFIG_FD}};
		char *argv[] = {(char[]){"sluice"}, (char[]){"hub"}, parent, NULL};
		return process_spawn(argv, map, array_size(map), pid);
	}
	char *console = mem_strdup(console_dir());
	char *argv[] = {(char[]){"sluice"},
			(char[]){"responder"},
			parent,
			s->gate_path,
			s->settings->hub.prefix,
			console,
			n,
			NULL};
	int r = process_spawn(argv, s->listen, s->n_listen, pid);
	free(console);
	return r;
}

static void start_later(struct worker *w)
{
	struct loop *l = w->supervisor->loop;
	loop_timer_set(l, &w->timer, loop_now(l) + w->backoff_ns);
	w->backoff_ns = MIN(w->backoff_ns * 2, BACKOFF_MAX_NS);
}

static void start(struct worker *w)
{
	pid_t pid;
	w->started_ns = clock_mono_ns();
	int r = spawn(w, &pid);
	if (r) {
		log_error("cannot start the %s: %s", name_of(w), strerror(-r));
		start_later(w);
		return;
	}
	loop_watch_child(w->supervisor->loop, &w->child, pid, on_end);
}

static void on_timer(struct loop_timer *t)
{
	start(container_of(t, struct worker, timer));
}

static void signal_all(struct supervisor *s, int signo)
{
	for (size_t i = 0; i < s->n_workers; i++)
		if (s->workers[i].child.pid)
			kill(s->workers[i].child.pid, signo);
}

static void stop(struct supervisor *s)
{
	if (s->stopping) {
		signal_all(s, SIGKILL);
		return;
	}
	s->stopping = true;
	bool any = false;
	for (size_t i = 0; i < s->n_workers; i++) {
		loop_timer_cancel(s->loop, &s->workers[i].timer);
		any |= s->workers[i].child.pid != 0;
	}
	signal_all(s, SIGTERM);
	if (!any)
		loop_stop(s->loop);
	loop_timer_set(s->loop, &s->patience, loop_now(s->loop) + STOP_PATIENCE_NS);
}

static void on_end(struct loop_child *c, int status)
{
	struct worker *w = container_of(c, struct worker, child);
	struct supervisor *s = w->supervisor;
	c->pid = 0;
	if (s->stopping) {
		for (size_t i = 0; i < s->n_workers; i++)
			if (s->workers[i].child.pid)
				return;
		loop_stop(s->loop);
		return;
	}
	int64_t ran_ns = clock_mono_ns() - w->started_ns;
	w->was_steady |= ran_ns > STEADY_NS;
	if (WIFEXITED(status) && WEXITSTATUS(status) == HUB_CANNOT_OPEN && w->is_hub &&
	    !w->was_steady) {
		s->status = 1; /* it has said why; another try would not help */
		stop(s);
		return;
	}
	char *how = process_describe_status(status);
	log_warning("the %s has ended (%s) and is started again", name_of(w), how);
	free(how);
	/* At once when it had come up; later and later when it ends right away. */
	if (ran_ns > 2 * BACKOFF_FIRST_NS) {
		w->backoff_ns = BACKOFF_FIRST_NS;
		start(w);
	} else {
		start_later(w);
	}
}

static void on_patience_over(struct loop_timer *t)
{
	struct supervisor *s = container_of(t, struct supervisor, patience);
	log_warning("not all processes have stopped in time; they are ended");
	signal_all(s, SIGKILL);
}

static void on_signal(void *ctx, int signo maybe_unused)
{
	stop(ctx);
}

/* ---- start --------------------------------------------------------------------------- */

/* The configuration as it was checked, for hubs that start later. */
static int keep_config(const char *file)
{
	struct buf text = {0};
	int r = fd_read_file(file, 64 * 1024 * 1024, &text);
	int fd = memfd_create("sluice.yaml", MFD_CLOEXEC);
	if (!r && (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len))
		r = -errno;
	buf_fini(&text);
	if (r)
		log_error("%s: %s", file, strerror(-r));
	return r ? -1 : fd;
}

static int open_all(struct supervisor *s)
{
	const struct hub_settings *hub = &s->settings->hub;
	char *why = NULL;
	s->lock_fd = state_lock(hub->state_dir, LOCK_WAIT_MS, &why);
	if (s->lock_fd >= 0) {
		s->gate_path = mem_printf("%s/hub.sock", hub->state_dir);
		s->gate_fd = listen_open_gate(s->gate_path, &why);
	}
	for (size_t i = 0; !why && i < hub->n_listen && i < LISTEN_MAX; i++) {
		int fd = listen_open(hub->listen[i], &why);
		if (fd >= 0)
			s->listen[s->n_listen++] = (struct fd_map){fd, RESPONDER_FIRST_FD + (int)i};
	}
	if (why) {
		log_error("%s", why);
		free(why);
		return -1;
	}
	s->config_fd = keep_config(s->settings->file);
	return s->config_fd < 0 ? -1 : 0;
}

static void close_all(struct supervisor *s)
{
	for (size_t i = 0; i < s->n_listen; i++) {
		listen_unlink(s->settings->hub.listen[i]);
		fd_close(&s->listen[i].from);
	}
	if (s->gate_fd >= 0)
		unlink(s->gate_path);
	fd_close(&s->gate_fd);
	fd_close(&s->config_fd);
	fd_close(&s->lock_fd);
	free(s->gate_path);
	free(s->workers);
	if (s->loop)
		loop_free(s->loop);
}

int supervise(struct settings *settings)
{
	struct supervisor s = {.settings = settings, .lock_fd = -1, .gate_fd = -1, .config_fd = -1};
	s.loop = loop_new();
	s.patience.fn = on_patience_over;
	if (!s.loop || open_all(&s) || loop_signal(s.loop, SIGTERM, on_signal, &s) ||
	    loop_signal(s.loop, SIGINT, on_signal, &s)) {
		close_all(&s);
		return 1;
	}
	s.n_workers = 1 + (size_t)settings->hub.responders;
	s.workers = mem_zero(s.n_workers * sizeof(s.workers[0]));
	for (size_t i = 0; i < s.n_workers; i++) {
		struct worker *w = &s.workers[i];
		w->supervisor = &s;
		w->is_hub = i == 0;
		w->timer.fn = on_timer;
		w->backoff_ns = BACKOFF_FIRST_NS;
		start(w);
	}
	for (size_t i = 0; i < s.n_listen; i++)
		log_info("listening on %s", settings->hub.listen[i]);
	loop_run(s.loop);
	close_all(&s);
	return s.status;
}

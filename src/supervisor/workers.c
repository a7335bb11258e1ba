/* SPDX-License-Identifier: MIT */
#include "supervisor/workers.h"

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
#include "base/peers.h"
#include "conf/access.h"
#include "conf/paths.h"
#include "conf/values.h"
#include "supervisor/systemd.h"
#include "supervisor/watchdog.h"

#define BACKOFF_FIRST_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS   (5 * NS_PER_SEC)
/* Sources have 3 s, then clients 5 s for what they still read. */
#define STOP_PATIENCE_NS (10 * NS_PER_SEC)

enum { FAILED_STARTS_MAX = 5 };

static void on_end(struct loop_child *c, int status);

static const char *name_of(const struct worker *w)
{
	return w->kind == WORKER_HUB ? "hub" : "responder";
}

/* Reads one message from the hub; false when there are no more. */
static bool hear_hub(struct supervisor *s)
{
	char text[CONTROL_TEXT_MAX + 1];
	int none;
	ssize_t n = fd_recv_packet(s->control_fd, text, CONTROL_TEXT_MAX, &none);
	if (n == -EAGAIN)
		return false;
	fd_close(&none);
	if (n <= 0) {
		loop_remove(s->loop, &s->control_io);
		fd_close(&s->control_fd);
		s->on->hub_is_gone(s);
		return false;
	}
	text[n] = 0;
	s->on->hub_says(s, text[0], text + 1);
	return true;
}

static void on_control(struct loop_io *io, uint32_t events maybe_unused)
{
	bool ignored = hear_hub(container_of(io, struct supervisor, control_io));
	(void)ignored;
}

static int spawn_hub(struct supervisor *s, char *parent, pid_t *pid)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	const struct fd_map map[] = {{s->gate_fd, HUB_GATE_FD},
				     {s->config_fd, HUB_CONFIG_FD},
				     {pair[1], HUB_CONTROL_FD}};
	char *argv[] = {(char[]){"sluice"}, (char[]){"hub"}, parent,
			s->is_attached ? (char[]){"attached"} : NULL, NULL};
	int r = fd_set_nonblocking(pair[0]); /* a hub that hangs must not hold up others */
	if (!r)
		r = process_spawn(argv, map, array_size(map), pid);
	fd_close(&pair[1]);
	loop_remove(s->loop, &s->control_io);
	fd_close(&s->control_fd);
	if (!r)
		r = loop_add(s->loop, &s->control_io, pair[0], EPOLLIN, on_control);
	s->control_fd = pair[0];
	if (r)
		fd_close(&s->control_fd);
	return r;
}

static int spawn_responder(struct worker *w, char *parent, pid_t *pid)
{
	struct supervisor *s = w->supervisor;
	struct fd_map map[LISTEN_MAX + 1];
	char n[16];
	char *console = mem_strdup(path_of_console());
	struct peers peers;
	struct buf uids = {0}, origins = {0}, ancestors = {0};
	settings_peers(&s->settings->hub, &peers);
	peers_put(&peers, &uids);
	access_put_origins(&s->settings->access, &origins);
	access_put_frame_ancestors(&s->settings->access, &ancestors);
	snprintf(n, sizeof(n), "%zu", s->n_listen);
	char *argv[] = {(char[]){"sluice"},
			(char[]){"responder"},
			parent,
			s->gate_path,
			s->settings->hub.prefix,
			console,
			n,
			(char *)(uintptr_t)buf_text(&uids),
			s->settings->access.certificate,
			(char *)(uintptr_t)buf_text(&origins),
			(char *)(uintptr_t)buf_text(&ancestors),
			NULL};
	memcpy(map, s->listen, s->n_listen * sizeof(map[0]));
	map[s->n_listen] = (struct fd_map){watchdog_open(w), RESPONDER_PING_FD};
	int r = map[s->n_listen].from < 0 ? map[s->n_listen].from
					  : process_spawn(argv, map, s->n_listen + 1, pid);
	fd_close(&map[s->n_listen].from);
	if (r)
		watchdog_close(w);
	buf_fini(&uids);
	buf_fini(&origins);
	buf_fini(&ancestors);
	free(console);
	return r;
}

static void start_later(struct worker *w)
{
	struct loop *l = w->supervisor->loop;
	loop_timer_set(l, &w->timer, loop_now(l) + w->backoff_ns);
	w->backoff_ns = MIN(w->backoff_ns * 2, BACKOFF_MAX_NS);
}

/* No hub has ever been ready, and another attempt would not help. */
static void give_up(struct supervisor *s)
{
	s->status = 1;
	workers_stop(s);
}

static void start(struct worker *w)
{
	char parent[16];
	pid_t pid;
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	w->started_ns = clock_mono_ns();
	w->pinged_ns = 0;
	if (w->kind == WORKER_HUB)
		w->supervisor->hub_is_ready = false;
	loop_timer_cancel(w->supervisor->loop, &w->timer);
	int r = w->kind == WORKER_HUB ? spawn_hub(w->supervisor, parent, &pid)
				      : spawn_responder(w, parent, &pid);
	if (r) {
		log_error("cannot start the %s: %s", name_of(w), strerror(-r));
		if (w->kind == WORKER_HUB && !w->supervisor->hub_was_ready)
			give_up(w->supervisor);
		else
			start_later(w);
		return;
	}
	loop_watch_child(w->supervisor->loop, &w->child, pid, on_end);
}

static void on_timer(struct loop_timer *t)
{
	start(container_of(t, struct worker, timer));
}

static void reap(struct loop_task *t)
{
	free(container_of(t, struct worker, task));
}

void workers_add(struct supervisor *s, enum worker_kind kind)
{
	struct worker *w = mem_zero(sizeof(*w));
	*w = (struct worker){.supervisor = s,
			     .kind = kind,
			     .timer.fn = on_timer,
			     .task.fn = reap,
			     .ping_fd = -1,
			     .ping_io.fd = -1,
			     .backoff_ns = BACKOFF_FIRST_NS};
	list_append(&s->workers, &w->link);
	start(w);
}

void workers_add_responders(struct supervisor *s)
{
	for (int64_t i = 0; i < s->settings->hub.responders; i++)
		workers_add(s, WORKER_RESPONDER);
}

static void drop_worker(struct worker *w)
{
	loop_timer_cancel(w->supervisor->loop, &w->timer);
	list_remove(&w->link);
	loop_defer(w->supervisor->loop, &w->task);
}

static bool any_runs(const struct supervisor *s)
{
	list_each (e, &s->workers)
		if (list_entry(e, struct worker, link)->child.pid)
			return true;
	return false;
}

static void signal_all(struct supervisor *s, int signo)
{
	list_each (e, &s->workers) {
		const struct worker *w = list_entry(e, struct worker, link);
		if (w->child.pid)
			kill(w->child.pid, signo);
	}
}

static void on_patience_over(struct loop_timer *t)
{
	struct supervisor *s = container_of(t, struct supervisor, patience);
	log_warning("some processes have not stopped in time and are killed");
	signal_all(s, SIGKILL);
}

void workers_stop(struct supervisor *s)
{
	if (s->stopping) {
		signal_all(s, SIGKILL);
		return;
	}
	s->stopping = true;
	systemd_notify("STOPPING=1");
	list_each (e, &s->workers)
		loop_timer_cancel(s->loop, &list_entry(e, struct worker, link)->timer);
	signal_all(s, SIGTERM);
	if (!any_runs(s))
		loop_stop(s->loop);
	s->patience.fn = on_patience_over;
	loop_timer_set(s->loop, &s->patience, loop_now(s->loop) + STOP_PATIENCE_NS);
}

static void end_orphan(void *ctx, pid_t pid)
{
	if (!loop_watches(ctx, pid))
		kill(pid, SIGKILL);
}

/* What the sources of a hub that is no more had started. */
void workers_end_orphans(struct loop *l)
{
	process_each_child(end_orphan, l);
}

/* Whether a hub that has ended was the last one: none has been ready yet, and this one
 * has refused to start or too many have died over it.  How long they took says nothing:
 * journals may be large, and machines slow.
 */
static bool has_refused(struct supervisor *s, int status)
{
	if (s->hub_was_ready)
		return false;
	char *how = process_describe_status(status);
	bool refuses = WIFEXITED(status) && WEXITSTATUS(status);
	bool is_last = refuses || ++s->n_failed_starts == FAILED_STARTS_MAX;
	if (is_last && !refuses)
		log_error("giving up: the hub has exited %d times before opening its journals "
			  "(%s)",
			  s->n_failed_starts, how);
	else if (refuses && WEXITSTATUS(status) != HUB_CANNOT_OPEN)
		log_error("the hub cannot start (%s)", how);
	free(how);
	return is_last;
}

/* At once when it had come up; later and later when it ends right away.  A hub that had
 * been ready and now refuses to start is tried again, too: what is in its way can be
 * mended while the clients wait at the sockets.
 */
static void start_again(struct worker *w, int status)
{
	bool came_up = w->kind == WORKER_HUB
			       ? w->supervisor->hub_is_ready
			       : clock_mono_ns() - w->started_ns > 2 * BACKOFF_FIRST_NS;
	char *how = process_describe_status(status);
	if (came_up) {
		log_warning("the %s has ended (%s) and is started again", name_of(w), how);
		w->backoff_ns = BACKOFF_FIRST_NS;
		start(w);
	} else {
		log_warning("the %s has ended (%s) and is started again in %.1f s", name_of(w), how,
			    (double)w->backoff_ns / (double)NS_PER_SEC);
		start_later(w);
	}
	free(how);
}

static void on_end(struct loop_child *c, int status)
{
	struct worker *w = container_of(c, struct worker, child);
	struct supervisor *s = w->supervisor;
	c->pid = 0;
	watchdog_close(w);
	while (w->kind == WORKER_HUB && s->control_fd >= 0 && hear_hub(s))
		continue; /* it may have reported that it was ready before it ended */
	if (s->stopping) {
		if (!any_runs(s))
			loop_stop(s->loop);
		return;
	}
	if (w->kind == WORKER_HUB) {
		s->on->hub_is_gone(s);
		workers_end_orphans(s->loop);
	}
	if (w->is_retired)
		drop_worker(w);
	if (s->on->worker_ended(s) || w->is_retired)
		return;
	if (w->kind == WORKER_HUB && has_refused(s, status)) {
		give_up(s);
		return;
	}
	start_again(w, status);
}

/* ---- what is asked of it ----------------------------------------------------------------- */

int workers_drain_hub(struct supervisor *s, int64_t over_ms)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%c%lld", CONTROL_DRAIN, (long long)over_ms);
	if (s->control_fd < 0 || fd_send_packet(s->control_fd, text, (size_t)n, -1))
		return -ENOTCONN;
	s->is_drained = over_ms >= 0;
	return 0;
}

void workers_signal(struct supervisor *s, enum worker_kind kind, int signo)
{
	list_each (e, &s->workers) {
		const struct worker *w = list_entry(e, struct worker, link);
		if (w->kind == kind && w->child.pid)
			kill(w->child.pid, signo);
	}
}

void workers_hold(struct supervisor *s)
{
	list_each (e, &s->workers)
		loop_timer_cancel(s->loop, &list_entry(e, struct worker, link)->timer);
}

void workers_start(struct supervisor *s)
{
	list_each (e, &s->workers) {
		struct worker *w = list_entry(e, struct worker, link);
		if (!w->child.pid && !w->is_retired)
			start(w);
	}
}

int workers_tell_hub(struct supervisor *s, enum control what, int fd)
{
	char byte = (char)what;
	if (s->control_fd < 0)
		return -ENOTCONN;
	return fd_send_packet(s->control_fd, &byte, 1, fd) ? -ENOTCONN : 0;
}

void workers_replace_responders(struct supervisor *s, const struct fd_map *listen, size_t n)
{
	bool keeps[LISTEN_MAX] = {false};
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < s->n_listen; k++)
			keeps[i] |= listen[i].from == s->listen[k].from && s->keeps_file[k];
	memcpy(s->keeps_file, keeps, sizeof(keeps));
	memcpy(s->listen, listen, n * sizeof(listen[0]));
	s->n_listen = n;
	list_each_safe (e, &s->workers) {
		struct worker *w = list_entry(e, struct worker, link);
		if (w->kind == WORKER_HUB || w->is_retired)
			continue;
		w->is_retired = true;
		if (w->child.pid)
			kill(w->child.pid, SIGHUP);
		else
			drop_worker(w);
	}
	workers_add_responders(s);
}

void workers_free(struct supervisor *s)
{
	list_each_safe (e, &s->workers) {
		watchdog_close(list_entry(e, struct worker, link));
		free(list_entry(e, struct worker, link));
	}
}

bool workers_run(const struct supervisor *s, enum worker_kind kind)
{
	list_each (e, &s->workers) {
		const struct worker *w = list_entry(e, struct worker, link);
		if (w->kind == kind && w->child.pid)
			return true;
	}
	return false;
}

/* SPDX-License-Identifier: MIT */
#include "supervisor/watchdog.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "supervisor/systemd.h"

#define PING_NS (5 * NS_PER_SEC)

/* One turn of the hub may take long on a slow disk; a responder's never does. */
static const struct {
	const char *name;
	int64_t patience_ns;
} kinds[] = {
	[WORKER_HUB] = {"the hub", 20 * NS_PER_SEC},
	[WORKER_RESPONDER] = {"a responder", 10 * NS_PER_SEC},
};

static void on_pong(struct loop_io *io, uint32_t events maybe_unused)
{
	struct worker *w = container_of(io, struct worker, ping_io);
	char byte;
	int none;
	ssize_t n = fd_recv_packet(w->ping_fd, &byte, 1, &none);
	if (n == -EAGAIN)
		return;
	fd_close(&none);
	if (n <= 0)
		watchdog_close(w); /* its exit is reported by a signal */
	else
		w->pinged_ns = 0;
}

int watchdog_open(struct worker *w)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	int r = loop_add(w->supervisor->loop, &w->ping_io, pair[0], EPOLLIN, on_pong);
	w->ping_fd = pair[0];
	if (!r)
		return pair[1];
	fd_close(&w->ping_fd);
	fd_close(&pair[1]);
	return r;
}

void watchdog_close(struct worker *w)
{
	loop_remove(w->supervisor->loop, &w->ping_io);
	fd_close(&w->ping_fd);
}

void watchdog_hears_hub(struct supervisor *s)
{
	list_each (e, &s->workers) {
		struct worker *w = list_entry(e, struct worker, link);
		if (w->kind == WORKER_HUB)
			w->pinged_ns = 0;
	}
}

/* The descriptor that it is pinged on; -1 while it cannot answer. */
static int way_to(const struct worker *w)
{
	if (w->kind == WORKER_RESPONDER)
		return w->ping_fd;
	return w->supervisor->hub_is_ready ? w->supervisor->control_fd : -1;
}

static void watch(struct worker *w, int64_t now)
{
	const char ping = CONTROL_PING;
	int64_t patience_ns = kinds[w->kind].patience_ns;
	if (!w->child.pid || way_to(w) < 0)
		return;
	if (!w->pinged_ns) {
		if (fd_send_packet(way_to(w), &ping, 1, -1) == 0)
			w->pinged_ns = now;
	} else if (now - w->pinged_ns >= patience_ns) {
		log_error("%s (process %d) has not answered for %d s: it is killed and restarted",
			  kinds[w->kind].name, (int)w->child.pid, (int)(patience_ns / NS_PER_SEC));
		w->pinged_ns = 0;
		kill(w->child.pid, SIGKILL);
	}
}

static void on_watch(struct loop_timer *t)
{
	struct supervisor *s = container_of(t, struct supervisor, watch);
	int64_t now = loop_now(s->loop), watchdog_ns = systemd_watchdog_ns();
	int64_t every_ns = watchdog_ns ? MIN(watchdog_ns / 3, PING_NS) : PING_NS;
	/* This process was stopped itself, and perhaps the others too: start afresh. */
	bool was_away = now - s->watched_ns > 2 * every_ns;
	list_each (e, &s->workers) {
		struct worker *w = list_entry(e, struct worker, link);
		if (was_away && w->pinged_ns)
			w->pinged_ns = now;
		watch(w, now);
	}
	s->watched_ns = now;
	if (watchdog_ns)
		systemd_notify("WATCHDOG=1");
	loop_timer_set(s->loop, t, now + every_ns);
}

void watchdog_start(struct supervisor *s)
{
	s->watch.fn = on_watch;
	s->watched_ns = loop_now(s->loop);
	on_watch(&s->watch);
}

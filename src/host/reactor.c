/* SPDX-License-Identifier: MIT */
#include "host/reactor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "host/launch.h"
#include "loop/loop.h"

enum { WATCHES_MAX = 1024 * 1024 };

struct watch {
	struct loop_io io;
	struct reactor *reactor;
	sluice_fd_fn *fn;
	void *ctx;
};

struct timer {
	struct list link;
	struct loop_timer timer;
	struct reactor *reactor;
	int id;
	int64_t every_ns;
	sluice_timer_fn *fn;
	void *ctx;
};

struct child {
	struct list link;
	struct loop_child child;
	struct loop_timer grace;
	struct reactor *reactor;
	pid_t group;
	sluice_child_fn *fn;
	void *ctx;
};

struct reactor {
	struct sluice_source *src;
	struct loop *loop;
	struct watch **watches; /* by descriptor */
	size_t watches_room;
	struct list timers, children;
	int last_id;
};

struct reactor *reactor_new(struct sluice_source *src)
{
	struct reactor *r = mem_zero(sizeof(*r));
	r->src = src;
	r->loop = loop_new();
	if (!r->loop)
		abort();
	list_init(&r->timers);
	list_init(&r->children);
	return r;
}

/* ---- descriptors ---- */

static void on_io(struct loop_io *io, uint32_t events)
{
	struct watch *w = container_of(io, struct watch, io);
	w->fn(w->reactor->src, io->fd, (short)events, w->ctx);
}

static void unwatch(struct reactor *r, int fd)
{
	struct watch *w = (size_t)fd < r->watches_room ? r->watches[fd] : NULL;
	if (!w)
		return;
	loop_remove(r->loop, &w->io);
	r->watches[fd] = NULL;
	free(w);
}

int reactor_watch(struct reactor *r, int fd, short events, sluice_fd_fn *fn, void *ctx)
{
	if (fd < 0 || fd >= WATCHES_MAX)
		return -EBADF;
	if (!events) {
		unwatch(r, fd);
		return 0;
	}
	if ((size_t)fd >= r->watches_room) {
		size_t room = (size_t)fd * 2 + 16;
		r->watches = mem_resize(r->watches, room * sizeof(r->watches[0]));
		memset(r->watches + r->watches_room, 0,
		       (room - r->watches_room) * sizeof(r->watches[0]));
		r->watches_room = room;
	}
	struct watch *w = r->watches[fd];
	uint32_t wanted = (uint32_t)(unsigned short)events;
	if (w) {
		w->fn = fn;
		w->ctx = ctx;
		loop_change(r->loop, &w->io, wanted);
		return 0;
	}
	w = mem_zero(sizeof(*w));
	*w = (struct watch){.io.fd = -1, .reactor = r, .fn = fn, .ctx = ctx};
	int ret = loop_add(r->loop, &w->io, fd, wanted, on_io);
	if (ret)
		free(w);
	else
		r->watches[fd] = w;
	return ret;
}

/* ---- timers ---- */

static void drop_timer(struct timer *t)
{
	loop_timer_cancel(t->reactor->loop, &t->timer);
	list_remove(&t->link);
	free(t);
}

static void on_timer(struct loop_timer *lt)
{
	struct timer *t = container_of(lt, struct timer, timer);
	sluice_timer_fn *fn = t->fn;
	void *ctx = t->ctx;
	struct sluice_source *src = t->reactor->src;
	if (t->every_ns) {
		/* By the clock: what was missed is left out, not made up for. */
		int64_t now = clock_mono_ns(), next = lt->due_ns + t->every_ns;
		if (next <= now)
			next += (now - next + t->every_ns) / t->every_ns * t->every_ns;
		loop_timer_set(t->reactor->loop, lt, next);
	} else {
		drop_timer(t);
	}
	fn(src, ctx);
}

int reactor_timer(struct reactor *r, int64_t first_ns, int64_t every_ns, sluice_timer_fn *fn,
		  void *ctx)
{
	struct timer *t = mem_zero(sizeof(*t));
	*t = (struct timer){.reactor = r,
			    .id = ++r->last_id,
			    .every_ns = MAX(every_ns, 0),
			    .timer.fn = on_timer,
			    .fn = fn,
			    .ctx = ctx};
	list_append(&r->timers, &t->link);
	loop_timer_set(r->loop, &t->timer, clock_mono_ns() + MAX(first_ns, 0));
	return t->id;
}

void reactor_cancel(struct reactor *r, int id)
{
	list_each_safe (e, &r->timers) {
		struct timer *t = list_entry(e, struct timer, link);
		if (t->id == id) {
			drop_timer(t);
			return;
		}
	}
}

/* ---- children ---- */

static void on_grace_over(struct loop_timer *t)
{
	kill(-container_of(t, struct child, grace)->group, SIGKILL);
}

static void on_exit_of(struct loop_child *lc, int status)
{
	struct child *c = container_of(lc, struct child, child);
	struct reactor *r = c->reactor;
	sluice_child_fn *fn = c->fn;
	void *ctx = c->ctx;
	pid_t pid = c->group;
	loop_timer_cancel(r->loop, &c->grace);
	list_remove(&c->link);
	free(c);
	if (fn)
		fn(r->src, pid, status, ctx);
}

pid_t reactor_spawn(struct reactor *r, struct sluice_spawn *s, char **why)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	loop_adopt_orphans(r->loop, NULL);
	pid_t pid = launch(s, why);
	if (pid < 0)
		return pid;
	struct child *c = mem_zero(sizeof(*c));
	*c = (struct child){.reactor = r,
			    .group = pid,
			    .grace.fn = on_grace_over,
			    .fn = s->on_exit,
			    .ctx = s->ctx};
	list_append(&r->children, &c->link);
	loop_watch_child(r->loop, &c->child, pid, on_exit_of);
	return pid;
}

void reactor_stop_child(struct reactor *r, pid_t pid, int signo, int64_t grace_ns)
{
	kill(-pid, signo);
	list_each (e, &r->children) {
		struct child *c = list_entry(e, struct child, link);
		if (c->group == pid && signo != SIGKILL && !c->grace.slot)
			loop_timer_set(r->loop, &c->grace, clock_mono_ns() + grace_ns);
	}
}

/* ---- turning ---- */

int reactor_fd(const struct reactor *r)
{
	return loop_fd(r->loop);
}

int reactor_next_ms(const struct reactor *r)
{
	return loop_next_ms(r->loop);
}

void reactor_turn(struct reactor *r)
{
	loop_turn(r->loop);
}

void reactor_free(struct reactor *r)
{
	list_each_safe (e, &r->children) {
		struct child *c = list_entry(e, struct child, link);
		kill(-c->group, SIGKILL);
		loop_timer_cancel(r->loop, &c->grace);
		loop_unwatch_child(&c->child);
		free(c);
	}
	process_end_children();
	list_each_safe (e, &r->timers)
		drop_timer(list_entry(e, struct timer, link));
	for (size_t i = 0; i < r->watches_room; i++)
		free(r->watches[i]);
	free(r->watches);
	loop_free(r->loop);
	free(r);
}

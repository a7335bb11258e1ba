/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#define LATE_NS   (4 * NS_PER_MS)
#define OTHERS_NS (2 * NS_PER_MS) /* in a turn, for callbacks of those that do not go first */

enum { BATCH = 256, SIGNALS_MAX = 8, LOG_RETRY_MS = 100, WAIT_MAX_MS = 60 * 1000 };

struct loop {
	int epoll, epoll_first; /* the second one is in the first; -1 while nothing goes first */
	bool stopping;
	bool adopts; /* reaps children that nobody watches */
	void (*on_orphans)(struct loop *l);
	int64_t now_ns;
	int64_t cpu_ns, longest_ns; /* of this thread, when the last turn ended; of a turn */
	int64_t stolen_ns;          /* of this turn, as told */
	/* Entries before `at` are dispatched; the rest may be left for the next turn. */
	struct ready {
		struct epoll_event events[BATCH];
		int n, at;
	} ready, first;

	struct loop_timer **heap; /* by due_ns, the nearest first */
	size_t n_timers, heap_room;

	struct list tasks;
	struct list children;

	int signal_fd;
	sigset_t signals;
	struct loop_io signal_io;
	struct {
		int signo;
		loop_signal_fn *fn;
		void *ctx;
	} handlers[SIGNALS_MAX];
};

struct loop *loop_new(void)
{
	struct loop *l = mem_zero(sizeof(*l));
	l->signal_fd = -1;
	l->signal_io.fd = -1;
	sigemptyset(&l->signals);
	list_init(&l->tasks);
	list_init(&l->children);
	l->now_ns = clock_mono_ns();
	l->epoll_first = -1;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		free(l);
		return NULL;
	}
	return l;
}

void loop_free(struct loop *l)
{
	fd_close(&l->signal_fd);
	fd_close(&l->epoll_first);
	fd_close(&l->epoll);
	free(l->heap);
	free(l);
}

int64_t loop_now(const struct loop *l)
{
	return l->now_ns;
}

bool loop_is_late(const struct loop *l)
{
	return clock_mono_ns() - l->now_ns > LATE_NS;
}

bool loop_share_enter(const struct loop *l, struct loop_share *s, int64_t max_ns)
{
	if (s->turn_ns != l->now_ns)
		s->spent_ns = 0;
	s->turn_ns = l->now_ns;
	s->entered_ns = clock_mono_ns();
	return s->spent_ns < max_ns;
}

void loop_share_leave(struct loop_share *s)
{
	s->spent_ns += clock_mono_ns() - s->entered_ns;
}

int64_t loop_stolen(struct loop *l)
{
	int64_t used_ns = clock_read(CLOCK_THREAD_CPUTIME_ID) - l->cpu_ns;
	int64_t before_ns = l->stolen_ns;
	l->stolen_ns = MAX(clock_mono_ns() - l->now_ns - used_ns, before_ns);
	return l->stolen_ns - before_ns;
}

int64_t loop_longest_turn(const struct loop *l)
{
	return l->longest_ns;
}

void loop_forget_turns(struct loop *l)
{
	l->longest_ns = 0;
}

static void note_turn(struct loop *l)
{
	int64_t before = l->cpu_ns;
	l->cpu_ns = clock_read(CLOCK_THREAD_CPUTIME_ID);
	if (before)
		l->longest_ns = MAX(l->longest_ns, l->cpu_ns - before);
}

/* ---- what was put off ----------------------------------------------------- */

void loop_defer(struct loop *l, struct loop_task *t)
{
	if (!t->link.next)
		list_init(&t->link);
	if (list_is_empty(&t->link))
		list_append(&l->tasks, &t->link);
}

static void run_tasks(struct loop *l)
{
	struct list now;
	list_init(&now);
	list_splice(&now, &l->tasks);
	while (!list_is_empty(&now)) {
		struct loop_task *t = list_entry(now.next, struct loop_task, link);
		list_remove(&t->link);
		t->fn(t);
	}
}

/* ---- descriptors ------------------------------------------------------- */

static int add(int epoll, struct loop_io *io, int fd, uint32_t events,
	       void (*fn)(struct loop_io *, uint32_t))
{
	struct epoll_event ev = {.events = events, .data.ptr = io};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	*io = (struct loop_io){.fd = fd, .events = events, .fn = fn};
	return 0;
}

int loop_add(struct loop *l, struct loop_io *io, int fd, uint32_t events,
	     void (*fn)(struct loop_io *, uint32_t))
{
	return add(l->epoll, io, fd, events, fn);
}

static int make_first(struct loop *l)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	if (l->epoll_first >= 0)
		return 0;
	l->epoll_first = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_first < 0)
		return -errno;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->epoll_first, &ev) == 0)
		return 0;
	int r = -errno;
	fd_close(&l->epoll_first);
	return r;
}

int loop_add_first(struct loop *l, struct loop_io *io, int fd, uint32_t events,
		   void (*fn)(struct loop_io *, uint32_t))
{
	int r = make_first(l);
	if (!r)
		r = add(l->epoll_first, io, fd, events, fn);
	io->goes_first = !r;
	return r;
}

static int epoll_of(const struct loop *l, const struct loop_io *io)
{
	return io->goes_first ? l->epoll_first : l->epoll;
}

void loop_change(struct loop *l, struct loop_io *io, uint32_t events)
{
	if (io->fd < 0 || io->events == events)
		return;
	struct epoll_event ev = {.events = events, .data.ptr = io};
	epoll_ctl(epoll_of(l, io), EPOLL_CTL_MOD, io->fd, &ev);
	io->events = events;
}

void loop_remove(struct loop *l, struct loop_io *io)
{
	if (io->fd < 0)
		return;
	struct ready *r = io->goes_first ? &l->first : &l->ready;
	epoll_ctl(epoll_of(l, io), EPOLL_CTL_DEL, io->fd, NULL);
	io->fd = -1;
	for (int i = r->at; i < r->n; i++)
		if (r->events[i].data.ptr == io)
			r->events[i].data.ptr = NULL;
}

static void wait_for(struct ready *r, int epoll, int timeout_ms)
{
	int n = epoll_wait(epoll, r->events, BATCH, timeout_ms);
	r->at = 0;
	r->n = MAX(n, 0);
}

/* What is not waited for any more since it was noted is left out. */
static void call_next(struct ready *r)
{
	struct epoll_event *ev = &r->events[r->at++];
	struct loop_io *io = ev->data.ptr;
	uint32_t events = io ? ev->events & (io->events | EPOLLERR | EPOLLHUP) : 0;
	if (events)
		io->fn(io, events);
}

static void dispatch(struct loop *l, int timeout_ms)
{
	if (l->ready.at == l->ready.n)
		wait_for(&l->ready, l->epoll, timeout_ms);
	l->now_ns = clock_mono_ns();
	l->stolen_ns = 0;
	if (l->epoll_first >= 0)
		wait_for(&l->first, l->epoll_first, 0);
	while (l->first.at < l->first.n)
		call_next(&l->first);
	if (l->first.n)
		run_tasks(l);
	int64_t begun = l->first.n ? clock_mono_ns() : l->now_ns;
	while (l->ready.at < l->ready.n) {
		call_next(&l->ready);
		if (l->epoll_first >= 0 && clock_mono_ns() - begun > OTHERS_NS)
			break;
	}
}

/* ---- timers: a binary heap --------------------------------------------- */

static void place(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->slot = i + 1;
}

static void sift(struct loop *l, size_t i, struct loop_timer *t)
{
	while (i > 0 && l->heap[(i - 1) / 2]->due_ns > t->due_ns) {
		place(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= l->n_timers)
			break;
		if (child + 1 < l->n_timers && l->heap[child + 1]->due_ns < l->heap[child]->due_ns)
			child++;
		if (l->heap[child]->due_ns >= t->due_ns)
			break;
		place(l, i, l->heap[child]);
		i = child;
	}
	place(l, i, t);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t due_ns)
{
	t->due_ns = due_ns;
	if (t->slot) {
		sift(l, t->slot - 1, t);
		return;
	}
	if (l->n_timers == l->heap_room) {
		l->heap_room = l->heap_room ? l->heap_room * 2 : 16;
		l->heap = mem_resize(l->heap, l->heap_room * sizeof(l->heap[0]));
	}
	sift(l, l->n_timers++, t);
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	if (!t->slot)
		return;
	size_t i = t->slot - 1;
	t->slot = 0;
	struct loop_timer *last = l->heap[--l->n_timers];
	if (last != t)
		sift(l, i, last);
}

static void run_timers(struct loop *l)
{
	/* Only what was due when the turn began: one that sets itself anew for
	 * now waits for the next turn.
	 */
	while (l->n_timers && l->heap[0]->due_ns <= l->now_ns) {
		struct loop_timer *t = l->heap[0];
		loop_timer_cancel(l, t);
		t->fn(t);
	}
}

/* Rounded up, so that the loop does not spin in the last millisecond. */
static int next_timeout_ms(const struct loop *l)
{
	int longest = log_is_waiting() ? LOG_RETRY_MS : WAIT_MAX_MS;
	if (!list_is_empty(&l->tasks) || l->ready.at < l->ready.n)
		return 0;
	if (!l->n_timers)
		return longest < WAIT_MAX_MS ? longest : -1;
	int64_t left = l->heap[0]->due_ns - clock_mono_ns();
	if (left <= 0)
		return 0;
	return (int)MIN((left + NS_PER_MS - 1) / NS_PER_MS, longest);
}

/* ---- signals and children ------------------------------------------------ */

static void on_signal(struct loop_io *io, uint32_t events maybe_unused)
{
	struct loop *l = container_of(io, struct loop, signal_io);
	struct signalfd_siginfo info;
	while (read(io->fd, &info, sizeof(info)) == sizeof(info)) {
		for (int i = 0; i < SIGNALS_MAX; i++)
			if (l->handlers[i].signo == (int)info.ssi_signo)
				l->handlers[i].fn(l->handlers[i].ctx, l->handlers[i].signo);
	}
}

int loop_signal(struct loop *l, int signo, loop_signal_fn *fn, void *ctx)
{
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, signo);
	sigprocmask(SIG_BLOCK, &one, NULL);
	sigaddset(&l->signals, signo);
	int fd = signalfd(l->signal_fd, &l->signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (int i = 0; i < SIGNALS_MAX; i++) {
		if (l->handlers[i].signo)
			continue;
		l->handlers[i].signo = signo;
		l->handlers[i].fn = fn;
		l->handlers[i].ctx = ctx;
		break;
	}
	if (l->signal_fd >= 0)
		return 0;
	l->signal_fd = fd;
	return loop_add(l, &l->signal_io, fd, EPOLLIN, on_signal);
}

bool loop_watches(const struct loop *l, pid_t pid)
{
	list_each (e, &l->children)
		if (list_entry(e, struct loop_child, link)->pid == pid)
			return true;
	return false;
}

static void reap_orphans(struct loop *l)
{
	siginfo_t info;
	bool any = false;
	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
			break;
		if (loop_watches(l, info.si_pid)) {
			kill(getpid(), SIGCHLD); /* ended just now: its turn comes */
			break;
		}
		waitpid(info.si_pid, NULL, WNOHANG);
		any = true;
	}
	if (any && l->on_orphans)
		l->on_orphans(l);
}

static void on_sigchld(void *ctx, int signo maybe_unused)
{
	struct loop *l = ctx;
	/* Each pid by itself: a library may have children of its own. */
	list_each_safe (e, &l->children) {
		struct loop_child *c = list_entry(e, struct loop_child, link);
		int status;
		if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
			list_remove(&c->link);
			c->fn(c, status);
			e_next = l->children.next; /* the callback may have changed the list */
		}
	}
	if (l->adopts)
		reap_orphans(l);
}

void loop_adopt_orphans(struct loop *l, void (*fn)(struct loop *))
{
	l->adopts = true;
	l->on_orphans = fn;
}

void loop_watch_child(struct loop *l, struct loop_child *c, pid_t pid,
		      void (*fn)(struct loop_child *, int))
{
	if (list_is_empty(&l->children)) {
		bool known = false;
		for (int i = 0; i < SIGNALS_MAX; i++)
			known |= l->handlers[i].signo == SIGCHLD;
		if (!known && loop_signal(l, SIGCHLD, on_sigchld, l) < 0)
			abort();
	}
	c->pid = pid;
	c->fn = fn;
	list_append(&l->children, &c->link);
	/* It may have ended before SIGCHLD was taken here. */
	kill(getpid(), SIGCHLD);
}

void loop_unwatch_child(struct loop_child *c)
{
	if (c->link.next)
		list_remove(&c->link);
}

/* ---- the loop ------------------------------------------------------------- */

void loop_run(struct loop *l)
{
	while (!l->stopping) {
		dispatch(l, next_timeout_ms(l));
		run_timers(l);
		run_tasks(l);
		note_turn(l);
		log_flush();
	}
}

void loop_turn(struct loop *l)
{
	dispatch(l, 0);
	run_timers(l);
	run_tasks(l);
}

int loop_fd(const struct loop *l)
{
	return l->epoll;
}

int loop_next_ms(const struct loop *l)
{
	return next_timeout_ms(l);
}

void loop_settle(struct loop *l)
{
	while (!list_is_empty(&l->tasks))
		run_tasks(l);
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}

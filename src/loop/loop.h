/* SPDX-License-Identifier: MIT
 *
 * loop - one epoll loop: descriptors, timers, signals, children, and work put
 * off to the end of the turn.
 *
 * Every role of sluice runs on one.  Objects embed what they register and find
 * themselves again with container_of().  A callback may remove anything,
 * itself included; what it frees it frees at the end of the turn, by a task.
 */
#ifndef SLUICE_LOOP_LOOP_H
#define SLUICE_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/list.h"

struct loop;

struct loop_io {
	int fd;          /* borrowed; -1 while not registered */
	uint32_t events; /* what epoll waits for now */
	bool goes_first;
	void (*fn)(struct loop_io *io, uint32_t events);
};

struct loop_timer {
	int64_t due_ns; /* CLOCK_MONOTONIC */
	size_t slot;    /* place in the heap + 1; 0 while not set */
	void (*fn)(struct loop_timer *t);
};

struct loop_task {
	struct list link;
	void (*fn)(struct loop_task *t);
};

struct loop_child {
	struct list link;
	pid_t pid;
	/* The process has ended with waitpid(2)'s `status` and is reaped. */
	void (*fn)(struct loop_child *c, int status);
};

/* What one kind of work may take of each turn; all zero at first. */
struct loop_share {
	int64_t turn_ns; /* loop time of the turn that spent_ns is of */
	int64_t spent_ns, entered_ns;
};

typedef void loop_signal_fn(void *ctx, int signo);

/* NULL with errno set. */
struct loop *loop_new(void) must_check;
void loop_free(struct loop *l);

/* 0 or a negative errno. */
int loop_add(struct loop *l, struct loop_io *io, int fd, uint32_t events,
	     void (*fn)(struct loop_io *, uint32_t)) must_check;
/* The same for one that is looked at first in each turn, and whose tasks are done before
 * the others' callbacks; these have some milliseconds in each turn then, and what they do
 * not get done goes on in the next one.
 */
int loop_add_first(struct loop *l, struct loop_io *io, int fd, uint32_t events,
		   void (*fn)(struct loop_io *, uint32_t)) must_check;
/* Nothing when `events` is what is waited for already. */
void loop_change(struct loop *l, struct loop_io *io, uint32_t events);
/* Call it before the descriptor is closed: other processes may share it. */
void loop_remove(struct loop *l, struct loop_io *io);

/* Also moves one that is set. */
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t due_ns);
void loop_timer_cancel(struct loop *l, struct loop_timer *t);

/* Once per turn, however often asked. */
void loop_defer(struct loop *l, struct loop_task *t);

/* Blocks `signo` in this thread and takes it in the loop. */
int loop_signal(struct loop *l, int signo, loop_signal_fn *fn, void *ctx) must_check;

/* Reaps `c->pid` and calls c->fn once. */
void loop_watch_child(struct loop *l, struct loop_child *c, pid_t pid,
		      void (*fn)(struct loop_child *, int));
void loop_unwatch_child(struct loop_child *c);
bool loop_watches(const struct loop *l, pid_t pid);

/* CLOCK_MONOTONIC at the start of this turn, in nanoseconds. */
int64_t loop_now(const struct loop *l);

/* Whether this turn has taken so long that what can wait belongs to the next one.  Who
 * asks has done something first, so that everyone gets on.
 */
bool loop_is_late(const struct loop *l) must_check;

/* Before and after a piece of work of some kind.  False when that kind has taken `max_ns` of
 * this turn already: the piece waits for the next one, and there is no loop_share_leave().
 */
bool loop_share_enter(const struct loop *l, struct loop_share *s, int64_t max_ns) must_check;
void loop_share_leave(struct loop_share *s);

/* For how long others have had the processor in this turn, since it began or was asked
 * last; nanoseconds.
 */
int64_t loop_stolen(struct loop *l);

/* The processor's time that the longest turn has used since the last call of
 * loop_forget_turns(), in nanoseconds.
 */
int64_t loop_longest_turn(const struct loop *l);
void loop_forget_turns(struct loop *l);

/* Children that nobody watches are reaped from now on: those that a subreaper
 * inherits (prctl(2), PR_SET_CHILD_SUBREAPER).  `fn` (may be NULL) is called
 * after some were, for they may have left children of theirs.
 */
void loop_adopt_orphans(struct loop *l, void (*fn)(struct loop *l));

/* One turn that waits for nothing, for a loop inside another one; its
 * descriptor becomes readable when a turn would find something, and the next
 * timer is due in so many milliseconds (-1: there is none).
 */
void loop_turn(struct loop *l);
int loop_fd(const struct loop *l);
int loop_next_ms(const struct loop *l);

void loop_run(struct loop *l);
/* Does what was put off, outside a turn: for the end of a process. */
void loop_settle(struct loop *l);
void loop_stop(struct loop *l);

#endif

/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <pthread.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/helper.h"
#include "loop/lanes.h"
#include "loop/loop.h"

struct timed {
	struct loop_timer timer;
	struct loop *loop;
	int order;
};

static int fired[64], n_fired;

static void on_timed(struct loop_timer *t)
{
	struct timed *x = container_of(t, struct timed, timer);
	fired[n_fired++] = x->order;
	if (x->order == 39)
		loop_stop(x->loop);
}

START_TEST(timers_fire_in_order_and_cancelled_ones_do_not)
{
	struct loop *l = loop_new();
	struct timed t[40] = {0};
	int64_t now = clock_mono_ns();
	for (int i = 0; i < 40; i++) {
		int k = i * 7 % 40;
		t[k] = (struct timed){.timer.fn = on_timed, .loop = l, .order = k};
		loop_timer_set(l, &t[k].timer, now + k * NS_PER_MS / 4);
	}
	for (int i = 1; i < 40; i += 4)
		loop_timer_cancel(l, &t[i].timer);
	n_fired = 0;
	loop_run(l);
	ck_assert_int_eq(n_fired, 30);
	for (int i = 1; i < n_fired; i++)
		ck_assert_int_lt(fired[i - 1], fired[i]);
	loop_free(l);
}
END_TEST

struct pipe_end {
	struct loop_io io;
	struct loop *loop;
	int fd;
	struct pipe_end *other;
	int calls;
};

static void remove_other(struct loop_io *io, uint32_t events maybe_unused)
{
	struct pipe_end *p = container_of(io, struct pipe_end, io);
	p->calls++;
	loop_remove(p->loop, &p->other->io);
	loop_remove(p->loop, &p->io);
	loop_stop(p->loop);
}

START_TEST(a_descriptor_removed_by_another_callback_of_the_turn_is_not_called)
{
	struct loop *l = loop_new();
	int a[2], b[2];
	ck_assert(pipe(a) == 0 && pipe(b) == 0);
	struct pipe_end x = {.loop = l, .fd = a[0]}, y = {.loop = l, .fd = b[0], .other = &x};
	x.other = &y;
	ck_assert_int_eq(loop_add(l, &x.io, a[0], EPOLLIN, remove_other), 0);
	ck_assert_int_eq(loop_add(l, &y.io, b[0], EPOLLIN, remove_other), 0);
	ck_assert(write(a[1], "x", 1) == 1 && write(b[1], "x", 1) == 1);
	loop_run(l);
	ck_assert_int_eq(x.calls + y.calls, 1);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
	loop_free(l);
}
END_TEST

struct parent {
	struct loop_child child;
	struct loop *loop;
	int status;
};

static void on_child(struct loop_child *c, int status)
{
	struct parent *p = container_of(c, struct parent, child);
	p->status = status;
	loop_stop(p->loop);
}

/* Always readable; each call takes half a millisecond. */
struct busy_end {
	struct loop_io io;
	struct loop *loop;
	int calls;
};

static int n_others, n_others_at_most, n_firsts;

static void be_busy(struct loop_io *io, uint32_t events maybe_unused)
{
	int64_t until = clock_mono_ns() + NS_PER_MS / 2;
	container_of(io, struct busy_end, io)->calls++;
	n_others++;
	while (clock_mono_ns() < until)
		continue;
}

static void be_first(struct loop_io *io, uint32_t events maybe_unused)
{
	if (n_firsts++)
		n_others_at_most = MAX(n_others_at_most, n_others);
	n_others = 0;
	if (n_firsts == 60)
		loop_stop(container_of(io, struct busy_end, io)->loop);
}

START_TEST(what_goes_first_does_not_wait_for_all_others_and_these_take_turns)
{
	enum { OTHERS = 40 };
	struct loop *l = loop_new();
	struct busy_end others[OTHERS] = {0}, first = {.loop = l};
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(loop_add_first(l, &first.io, ends[0], EPOLLIN, be_first), 0);
	for (int i = 0; i < OTHERS; i++)
		ck_assert_int_eq(loop_add(l, &others[i].io, dup(ends[0]), EPOLLIN, be_busy), 0);
	loop_run(l);
	ck_assert_int_le(n_others_at_most, 5);
	for (int i = 0; i < OTHERS; i++) {
		int fd = others[i].io.fd;
		ck_assert_int_gt(others[i].calls, 0);
		loop_remove(l, &others[i].io);
		close(fd);
	}
	loop_remove(l, &first.io);
	close(ends[0]);
	close(ends[1]);
	loop_free(l);
}
END_TEST

START_TEST(a_child_is_reaped_also_when_it_ended_before_it_was_watched)
{
	struct parent p = {.loop = loop_new()};
	pid_t pid = fork();
	if (!pid)
		_exit(7);
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	loop_watch_child(p.loop, &p.child, pid, on_child);
	loop_run(p.loop);
	ck_assert(WIFEXITED(p.status) && WEXITSTATUS(p.status) == 7);
	loop_free(p.loop);
}
END_TEST

struct work {
	struct helper_job job;
	int order;
	struct loop *loop;
	int place;
};

static int done_order;

static void do_work(struct helper_job *job)
{
	struct work *w = container_of(job, struct work, job);
	w->order += 100;
}

static void work_done(struct helper_job *job)
{
	struct work *w = container_of(job, struct work, job);
	ck_assert_int_eq(w->order, 100 + done_order++);
	if (done_order == 1000)
		loop_stop(w->loop);
}

START_TEST(helper_jobs_come_back_in_their_order)
{
	struct loop *l = loop_new();
	struct helper *h;
	char *why = NULL;
	static struct work w[1000];
	ck_assert_int_eq(helper_new(l, 1, HELPER_EQUAL, &h, &why), 0);
	done_order = 0;
	for (int i = 0; i < 1000; i++) {
		w[i] = (struct work){{.work = do_work, .done = work_done}, i, l, 0};
		helper_submit(h, &w[i].job);
	}
	loop_run(l);
	helper_free(h);
	loop_free(l);
}
END_TEST

/* One whose first job lasts until all are submitted, so that the others wait meanwhile. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void pass_gate(struct helper_job *job)
{
	(void)job;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
}

static void note_place(struct helper_job *job)
{
	struct work *w = container_of(job, struct work, job);
	w->place = done_order++;
	if (done_order == w->order)
		loop_stop(w->loop);
}

START_TEST(one_who_has_many_jobs_does_not_delay_one_who_has_few)
{
	struct loop *l = loop_new();
	struct helper *h;
	char *why = NULL;
	static struct work w[103];
	ck_assert_int_eq(helper_new(l, 1, HELPER_BEHIND, &h, &why), 0);
	done_order = 0;
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 103; i++) {
		w[i] = (struct work){
			{.work = pass_gate, .done = note_place, .owner = i > 100}, 103, l, 0};
		helper_submit(h, &w[i].job);
	}
	pthread_mutex_unlock(&gate);
	loop_run(l);
	ck_assert_int_le(w[101].place, 3);
	ck_assert_int_le(w[102].place, 5);
	helper_free(h);
	loop_free(l);
}
END_TEST

START_TEST(a_job_that_was_taken_back_is_not_done)
{
	struct loop *l = loop_new();
	struct helper *h;
	char *why = NULL;
	static struct work w[3];
	ck_assert_int_eq(helper_new(l, 1, HELPER_EQUAL, &h, &why), 0);
	done_order = 0;
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 3; i++) {
		w[i] = (struct work){{.work = pass_gate, .done = note_place}, 2, l, -1};
		helper_submit(h, &w[i].job);
	}
	ck_assert(helper_take_back(h, &w[1].job));
	pthread_mutex_unlock(&gate);
	loop_run(l);
	ck_assert_int_eq(w[1].place, -1);
	ck_assert(!helper_take_back(h, &w[2].job));
	helper_free(h);
	loop_free(l);
}
END_TEST

START_TEST(several_threads_do_every_job_once)
{
	struct loop *l = loop_new();
	struct helper *h;
	char *why = NULL;
	static struct work w[1000];
	ck_assert_int_eq(helper_new(l, 4, true, &h, &why), 0);
	done_order = 0;
	for (int i = 0; i < 1000; i++) {
		w[i] = (struct work){
			{.work = pass_gate, .done = note_place, .owner = i % 7u}, 1000, l, -1};
		helper_submit(h, &w[i].job);
	}
	loop_run(l);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_ge(w[i].place, 0);
	helper_free(h);
	loop_free(l);
}
END_TEST

struct waiting {
	struct list link;
	uint64_t owner;
	int n;
};

START_TEST(lanes_take_turns_among_the_owners)
{
	enum { OWNERS = 300, EACH = 3 };
	static struct waiting all[OWNERS * EACH];
	struct lanes l;
	lanes_init(&l);
	for (int i = 0; i < OWNERS * EACH; i++) {
		all[i].owner = (uint64_t)(i / EACH) << 32; /* many have the same low bits */
		all[i].n = i % EACH;
		lanes_put(&l, all[i].owner, &all[i].link);
	}
	list_remove(&all[0].link); /* taken back */
	for (int round = 0; round < EACH; round++) {
		for (int i = 0; i < OWNERS; i++) {
			if (round == EACH - 1 && i == 0)
				continue; /* the first owner has had its last one before */
			struct waiting *w = container_of(lanes_take(&l), struct waiting, link);
			ck_assert_uint_eq(w->owner >> 32, (uint64_t)i);
			ck_assert_int_eq(w->n, i == 0 ? round + 1 : round);
		}
	}
	ck_assert_ptr_null(lanes_take(&l));
	lanes_fini(&l);
}
END_TEST

UNIT_MAIN("loop", timers_fire_in_order_and_cancelled_ones_do_not,
	  a_descriptor_removed_by_another_callback_of_the_turn_is_not_called,
	  what_goes_first_does_not_wait_for_all_others_and_these_take_turns,
	  a_child_is_reaped_also_when_it_ended_before_it_was_watched,
	  helper_jobs_come_back_in_their_order,
	  one_who_has_many_jobs_does_not_delay_one_who_has_few,
	  a_job_that_was_taken_back_is_not_done, several_threads_do_every_job_once,
	  lanes_take_turns_among_the_owners)

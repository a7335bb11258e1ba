/* SPDX-License-Identifier: MIT */
#include "loop/helper.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "loop/lanes.h"

#define SHARE_NS (2 * NS_PER_MS) /* of a turn, for what has been done */

enum { WAY_TURN_US = 10000 };

struct helper_thread {
	struct helper *helper;
	size_t number;
	pthread_t thread;
};

struct helper {
	struct loop *loop;
	struct helper_thread *threads;
	size_t n_threads;
	enum helper_rank rank;
	pthread_mutex_t lock; /* of what stands until the empty line */
	pthread_cond_t wake;
	struct lanes todo;
	struct list finished;
	bool ending;

	struct loop_share share;
	int event_fd; /* readable when `finished` is not empty */
	struct loop_io io;
};

static void note_finished(struct helper *h)
{
	const uint64_t one = 1;
	ssize_t ignored = write(h->event_fd, &one, sizeof(one));
	(void)ignored;
}

static struct helper_job *job_of(struct list *e)
{
	return e ? list_entry(e, struct helper_job, link) : NULL;
}

static void give_way(int by)
{
	struct sched_param none = {0};
	setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + by);
	if (sched_setscheduler(0, SCHED_BATCH, &none) < 0)
		return; /* it was only to be asked for */
	process_take_turns(WAY_TURN_US);
}

static void *thread_main(void *arg)
{
	struct helper_thread *self = arg;
	struct helper *h = self->helper;
	if (h->rank != HELPER_EQUAL) /* Linux: both are of this thread alone */
		give_way(h->rank);
	pthread_mutex_lock(&h->lock);
	while (!h->ending) {
		struct helper_job *job = job_of(lanes_take(&h->todo));
		if (!job) {
			pthread_cond_wait(&h->wake, &h->lock);
			continue;
		}
		job->is_waiting = false;
		pthread_mutex_unlock(&h->lock);
		job->thread = self->number;
		job->work(job);
		pthread_mutex_lock(&h->lock);
		bool first = list_is_empty(&h->finished);
		list_append(&h->finished, &job->link);
		if (first)
			note_finished(h);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

static struct helper_job *next_finished(struct helper *h)
{
	struct helper_job *job = NULL;
	pthread_mutex_lock(&h->lock);
	if (!list_is_empty(&h->finished)) {
		job = job_of(h->finished.next);
		list_remove(&job->link);
	}
	pthread_mutex_unlock(&h->lock);
	return job;
}

static void on_finished(struct loop_io *io, uint32_t events maybe_unused)
{
	struct helper *h = container_of(io, struct helper, io);
	struct helper_job *job;
	uint64_t n;
	ssize_t ignored = read(io->fd, &n, sizeof(n));
	(void)ignored;
	while (loop_share_enter(h->loop, &h->share, SHARE_NS)) {
		if (!(job = next_finished(h)))
			return;
		job->done(job);
		loop_share_leave(&h->share);
		if (loop_is_late(h->loop))
			break;
	}
	note_finished(h); /* the rest in the next turn */
}

static int start_threads(struct helper *h, size_t n)
{
	sigset_t all, old;
	int r = 0;
	h->threads = mem_zero((n + 1) * sizeof(h->threads[0]));
	/* Signals belong to the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (!r && h->n_threads < n) {
		struct helper_thread *t = &h->threads[h->n_threads];
		*t = (struct helper_thread){.helper = h, .number = h->n_threads};
		r = -pthread_create(&t->thread, NULL, thread_main, t);
		h->n_threads += !r;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return h->n_threads ? 0 : r; /* fewer do it too */
}

int helper_new(struct loop *l, size_t n_threads, enum helper_rank rank, struct helper **ret,
	       char **why)
{
	struct helper *h = mem_zero(sizeof(*h));
	h->loop = l;
	h->rank = rank;
	lanes_init(&h->todo);
	list_init(&h->finished);
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wake, NULL);
	h->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int r = h->event_fd < 0 ? -errno : loop_add(l, &h->io, h->event_fd, EPOLLIN, on_finished);
	if (!r)
		r = start_threads(h, n_threads);
	if (r) {
		*why = mem_printf("cannot start the helper thread: %s", strerror(-r));
		if (h->event_fd >= 0)
			close(h->event_fd);
		free(h->threads);
		free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void helper_submit(struct helper *h, struct helper_job *job)
{
	pthread_mutex_lock(&h->lock);
	lanes_put(&h->todo, job->owner, &job->link);
	job->is_waiting = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
}

bool helper_take_back(struct helper *h, struct helper_job *job)
{
	pthread_mutex_lock(&h->lock);
	bool waits = job->is_waiting;
	if (waits)
		list_remove(&job->link);
	job->is_waiting = false;
	pthread_mutex_unlock(&h->lock);
	return waits;
}

bool helper_is_ending(const struct helper *h)
{
	return h->ending; /* set by this thread */
}

void helper_free(struct helper *h)
{
	struct helper_job *job;
	pthread_mutex_lock(&h->lock);
	h->ending = true;
	pthread_cond_broadcast(&h->wake);
	pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < h->n_threads; i++)
		pthread_join(h->threads[i].thread, NULL);
	while ((job = next_finished(h)))
		job->done(job);
	while ((job = job_of(lanes_take(&h->todo)))) /* never begun, but given back */
		job->done(job);
	lanes_fini(&h->todo);
	loop_remove(h->loop, &h->io);
	close(h->event_fd);
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->wake);
	free(h->threads);
	free(h);
}

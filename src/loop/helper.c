/* SPDX-License-Identifier: MIT */
#include "loop/helper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

struct helper {
	struct loop *loop;
	pthread_t thread;
	pthread_mutex_t lock; /* of what stands until the empty line */
	pthread_cond_t wake;
	struct list todo, finished;
	bool ending;

	int event_fd; /* readable when `finished` is not empty */
	struct loop_io io;
};

static void *thread_main(void *arg)
{
	struct helper *h = arg;
	const uint64_t one = 1;
	pthread_mutex_lock(&h->lock);
	for (;;) {
		while (list_is_empty(&h->todo) && !h->ending)
			pthread_cond_wait(&h->wake, &h->lock);
		if (h->ending)
			break;
		struct helper_job *job = list_entry(h->todo.next, struct helper_job, link);
		list_remove(&job->link);
		pthread_mutex_unlock(&h->lock);
		job->work(job);
		pthread_mutex_lock(&h->lock);
		bool first = list_is_empty(&h->finished);
		list_append(&h->finished, &job->link);
		ssize_t ignored = first ? write(h->event_fd, &one, sizeof(one)) : 0;
		(void)ignored;
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

static void run_finished(struct helper *h)
{
	struct list now;
	list_init(&now);
	pthread_mutex_lock(&h->lock);
	list_splice(&now, &h->finished);
	pthread_mutex_unlock(&h->lock);
	while (!list_is_empty(&now)) {
		struct helper_job *job = list_entry(now.next, struct helper_job, link);
		list_remove(&job->link);
		job->done(job);
	}
}

static void on_finished(struct loop_io *io, uint32_t events maybe_unused)
{
	uint64_t n;
	ssize_t ignored = read(io->fd, &n, sizeof(n));
	(void)ignored;
	run_finished(container_of(io, struct helper, io));
}

int helper_new(struct loop *l, struct helper **ret, char **why)
{
	struct helper *h = mem_zero(sizeof(*h));
	h->loop = l;
	list_init(&h->todo);
	list_init(&h->finished);
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wake, NULL);
	h->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int r = h->event_fd < 0 ? -errno : loop_add(l, &h->io, h->event_fd, EPOLLIN, on_finished);
	if (!r) {
		/* Signals belong to the loop. */
		sigset_t all, old;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		r = -pthread_create(&h->thread, NULL, thread_main, h);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	if (r) {
		*why = mem_printf("cannot start the helper thread: %s", strerror(-r));
		if (h->event_fd >= 0)
			close(h->event_fd);
		free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void helper_submit(struct helper *h, struct helper_job *job)
{
	pthread_mutex_lock(&h->lock);
	list_append(&h->todo, &job->link);
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
}

bool helper_is_ending(const struct helper *h)
{
	return h->ending; /* set by this thread */
}

void helper_free(struct helper *h)
{
	pthread_mutex_lock(&h->lock);
	h->ending = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	list_splice(&h->finished, &h->todo); /* never begun, but given back */
	run_finished(h);
	loop_remove(h->loop, &h->io);
	close(h->event_fd);
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->wake);
	free(h);
}

/* SPDX-License-Identifier: MIT */
#include "sizes.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/basics.h"

enum { STACK_SIZE = 64 * 1024 };

/* Of one mount point; shared with its thread. */
struct asking {
	struct asking *next;
	char *dir;
	bool is_done; /* guarded by the mutex */
	bool is_new;  /* asked in this tick */
	int error;
	struct statvfs st;
	struct sizes *all;
};

struct sizes {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct asking *askings;
};

struct sizes *sizes_new(void)
{
	struct sizes *z = must(calloc(1, sizeof(*z)));
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&z->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&z->mutex, NULL);
	return z;
}

void sizes_free(struct sizes *z)
{
	bool hangs = false;
	if (!z)
		return;
	pthread_mutex_lock(&z->mutex);
	for (struct asking *a = z->askings; a; a = a->next)
		hangs |= !a->is_done;
	while (!hangs && z->askings) {
		struct asking *a = z->askings;
		z->askings = a->next;
		free(a->dir);
		free(a);
	}
	pthread_mutex_unlock(&z->mutex);
	if (!hangs)
		free(z);
}

static void *ask(void *ctx)
{
	struct asking *a = ctx;
	struct statvfs st;
	int error = statvfs(a->dir, &st) < 0 ? errno : 0;
	pthread_mutex_lock(&a->all->mutex);
	a->st = st;
	a->error = error;
	a->is_done = true;
	pthread_cond_signal(&a->all->changed);
	pthread_mutex_unlock(&a->all->mutex);
	return NULL;
}

static bool begin(struct asking *a)
{
	pthread_attr_t attr;
	pthread_t thread;
	a->is_done = false;
	a->is_new = true;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	int r = pthread_create(&thread, &attr, ask, a);
	pthread_attr_destroy(&attr);
	if (r)
		a->is_done = true;
	if (r)
		a->error = r;
	return r == 0;
}

static struct asking *asking_of(struct sizes *z, const char *dir)
{
	struct asking *a = z->askings;
	while (a && strcmp(a->dir, dir) != 0)
		a = a->next;
	if (a)
		return a;
	a = must(calloc(1, sizeof(*a)));
	a->dir = must(strdup(dir));
	a->all = z;
	a->is_done = true;
	a->next = z->askings;
	z->askings = a;
	return a;
}

/* Mount points come and go. */
static void drop_others(struct sizes *z)
{
	for (struct asking **p = &z->askings; *p;) {
		struct asking *a = *p;
		if (a->is_new || !a->is_done) {
			p = &a->next;
			continue;
		}
		*p = a->next;
		free(a->dir);
		free(a);
	}
}

static bool any_pending(const struct sizes *z)
{
	for (const struct asking *a = z->askings; a; a = a->next)
		if (a->is_new && !a->is_done)
			return true;
	return false;
}

void sizes_begin(struct sizes *z)
{
	pthread_mutex_lock(&z->mutex);
	drop_others(z);
	for (struct asking *a = z->askings; a; a = a->next)
		a->is_new = false;
	pthread_mutex_unlock(&z->mutex);
}

void sizes_ask(struct sizes *z, const char *dir)
{
	pthread_mutex_lock(&z->mutex);
	struct asking *a = asking_of(z, dir);
	if (a->is_done)
		begin(a);
	pthread_mutex_unlock(&z->mutex);
}

void sizes_wait(struct sizes *z, int64_t timeout_ns)
{
	int64_t until = mono_ns() + timeout_ns;
	struct timespec ts = {.tv_sec = until / SEC, .tv_nsec = until % SEC};
	pthread_mutex_lock(&z->mutex);
	while (any_pending(z) && pthread_cond_timedwait(&z->changed, &z->mutex, &ts) == 0)
		continue;
	pthread_mutex_unlock(&z->mutex);
}

struct sizes_answer sizes_get(struct sizes *z, const char *dir)
{
	pthread_mutex_lock(&z->mutex);
	const struct asking *a = asking_of(z, dir);
	struct sizes_answer ret = {.is_there = a->is_done};
	if (a->is_done) {
		ret.error = a->error;
		ret.st = a->st;
	}
	pthread_mutex_unlock(&z->mutex);
	return ret;
}

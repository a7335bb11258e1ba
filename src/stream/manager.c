/* SPDX-License-Identifier: MIT */
#include "stream/manager.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/unit.h"

/* Lives as long as it has streams. */
struct manager {
	struct list link; /* in managers.all */
	struct managers *all;
	pid_t pid;
	int fd; /* of pidfd_open(2): safe if the process number is reused */
	struct loop_io io;
	struct list streams; /* of struct managed */
	size_t n;
	struct loop_task reaper;
};

static void reap(struct loop_task *t)
{
	free(container_of(t, struct manager, reaper));
}

static void on_ended(struct loop_io *io, uint32_t events maybe_unused)
{
	struct manager *m = container_of(io, struct manager, io);
	loop_remove(m->all->loop, &m->io);
	log_info("the web server's process %d has exited: closing its %zu %s", (int)m->pid, m->n,
		 plural(m->n, "stream", "streams"));
	list_each_safe (e, &m->streams)
		m->all->on_exited(list_entry(e, struct managed, link));
}

static struct manager *find(const struct managers *all, pid_t pid)
{
	list_each (e, &all->all) {
		struct manager *m = list_entry(e, struct manager, link);
		/* Without its io the process has exited, and its number may have been reused. */
		if (m->pid == pid && m->io.fd >= 0)
			return m;
	}
	return NULL;
}

static struct manager *watch(struct managers *all, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return NULL;
	struct manager *m = mem_zero(sizeof(*m));
	*m = (struct manager){.all = all, .pid = pid, .fd = fd, .io.fd = -1, .reaper.fn = reap};
	list_init(&m->streams);
	if (loop_add(all->loop, &m->io, fd, EPOLLIN, on_ended)) {
		fd_close(&m->fd);
		free(m);
		return NULL;
	}
	list_append(&all->all, &m->link);
	return m;
}

void manager_join(struct managers *all, pid_t pid, struct managed *m)
{
	struct manager *of = pid > 0 ? find(all, pid) : NULL;
	if (!of && pid > 0)
		of = watch(all, pid);
	if (!of)
		return;
	m->manager = of;
	of->n++;
	list_append(&of->streams, &m->link);
}

void manager_leave(struct managed *m)
{
	struct manager *of = m->manager;
	if (!of)
		return;
	m->manager = NULL;
	list_remove(&m->link);
	if (--of->n)
		return;
	list_remove(&of->link);
	loop_remove(of->all->loop, &of->io);
	fd_close(&of->fd);
	loop_defer(of->all->loop, &of->reaper);
}

void managers_init(struct managers *all, struct loop *l, void (*on_exited)(struct managed *m))
{
	*all = (struct managers){.loop = l, .on_exited = on_exited};
	list_init(&all->all);
}

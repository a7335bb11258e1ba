/* SPDX-License-Identifier: MIT */
#include "hub/manager.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/unit.h"
#include "hub/stream.h"

/* Lives as long as it has streams. */
struct manager {
	struct list link; /* in hub.managers */
	struct hub *hub;
	pid_t pid;
	int fd; /* of pidfd_open(2): safe if the process number is reused */
	struct loop_io io;
	struct list streams; /* of struct stream, by their of_manager */
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
	loop_remove(m->hub->loop, &m->io);
	log_info("the web server's process %d has exited: closing its %zu %s", (int)m->pid, m->n,
		 plural(m->n, "stream", "streams"));
	list_each_safe (e, &m->streams)
		stream_say_bye(list_entry(e, struct stream, of_manager), "server",
			       "the web server is ending");
}

static struct manager *find(struct hub *h, pid_t pid)
{
	list_each (e, &h->managers) {
		struct manager *m = list_entry(e, struct manager, link);
		/* Without its io the process has exited, and its number may have been reused. */
		if (m->pid == pid && m->io.fd >= 0)
			return m;
	}
	return NULL;
}

static struct manager *watch(struct hub *h, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return NULL;
	struct manager *m = mem_zero(sizeof(*m));
	*m = (struct manager){.hub = h, .pid = pid, .fd = fd, .io.fd = -1, .reaper.fn = reap};
	list_init(&m->streams);
	if (loop_add(h->loop, &m->io, fd, EPOLLIN, on_ended)) {
		fd_close(&m->fd);
		free(m);
		return NULL;
	}
	list_append(&h->managers, &m->link);
	return m;
}

void manager_join(struct hub *h, pid_t pid, struct stream *s)
{
	struct manager *m = pid > 0 ? find(h, pid) : NULL;
	if (!m && pid > 0)
		m = watch(h, pid);
	if (!m)
		return;
	s->manager = m;
	m->n++;
	list_append(&m->streams, &s->of_manager);
}

void manager_leave(struct stream *s)
{
	struct manager *m = s->manager;
	if (!m)
		return;
	s->manager = NULL;
	list_remove(&s->of_manager);
	if (--m->n)
		return;
	list_remove(&m->link);
	loop_remove(m->hub->loop, &m->io);
	fd_close(&m->fd);
	loop_defer(m->hub->loop, &m->reaper);
}

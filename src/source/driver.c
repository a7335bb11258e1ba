/* SPDX-License-Identifier: MIT */
#include "source/driver.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/process.h"
#include "source/names.h"

enum { FRAME_MAX = 66 * 1024 * 1024, READ_SIZE = 65536 };

static void write_all(int fd, struct str s)
{
	while (s.len) {
		ssize_t w = send(fd, s.data, s.len, MSG_NOSIGNAL);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return; /* it has ended: reading will tell */
		s.data += w;
		s.len -= (size_t)w;
	}
}

static void close_pair(int pair[2])
{
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

static int spawn(struct driver *d, const struct nursery *nursery, const struct fd_map *map,
		 size_t n_map)
{
	char parent[16];
	char *name = d->settings->name;
	pid_t pid = nursery ? nursery_start(nursery, name, "", map, n_map) : 0;
	if (pid > 0) {
		d->pid = pid;
		return 0;
	}
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	char *argv[] = {(char[]){"sluice"}, (char[]){"source"}, parent, name, NULL};
	return process_spawn(argv, map, n_map, &d->pid);
}

int driver_start(struct driver *d, const struct nursery *nursery, enum opening_mode mode,
		 const struct source_settings *settings, struct str cursors, char **why)
{
	int link[2] = {-1, -1}, grant[2] = {-1, -1};
	*d = (struct driver){.settings = settings, .fd = -1, .grant_fd = -1};
	int r = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, link) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, grant) < 0)
		r = -errno;
	const struct fd_map map[] = {{link[1], SOURCE_FD}, {grant[1], GRANT_FD}};
	if (!r)
		r = spawn(d, nursery, map, array_size(map));
	fd_close(&link[1]);
	fd_close(&grant[1]);
	if (r) {
		*why = mem_printf("cannot start a process for the plugin: %s", strerror(-r));
		close_pair(link);
		close_pair(grant);
		return r;
	}
	d->fd = link[0];
	d->grant_fd = grant[0];
	struct buf frame = {0};
	opening_put(&frame, mode, 64 * 1024, settings, cursors);
	write_all(d->fd, buf_str(&frame));
	buf_fini(&frame);
	return 0;
}

static int listen_for(struct driver *d, struct str body, char **why)
{
	struct grant_wish wish;
	int r = grant_get_wish(d->settings, body, &wish, why);
	if (!r)
		r = names_find_now(wish.owner, wish.group, &wish.how, why);
	return r ? r : grant_listen(&d->grants, &wish, why);
}

static void answer(struct driver *d, const struct frame *f)
{
	char *why = NULL;
	bool listens = f->type == FRAME_WANT_LISTEN;
	int fd = listens ? listen_for(d, f->body, &why) : grant_open(d->settings, f->body, &why);
	int ignored = grant_answer(d->grant_fd, MIN(fd, 0), fd, why);
	(void)ignored;
	if (!listens)
		fd_close(&fd);
	free(why);
}

/* Reads once: 1, 0 when the time is over, -EPIPE at the end. */
static int read_more(struct driver *d, int64_t until_ns)
{
	struct pollfd p = {.fd = d->fd, .events = POLLIN};
	int64_t left = until_ns < 0 ? -1 : MAX(0, (until_ns - clock_mono_ns()) / NS_PER_MS);
	int ready = poll(&p, 1, (int)left);
	if (ready == 0)
		return 0;
	ssize_t n = ready < 0 ? -1 : read(d->fd, buf_reserve(&d->in, READ_SIZE), READ_SIZE);
	if (n < 0 && errno == EINTR)
		return 1;
	if (n <= 0)
		return -EPIPE;
	d->in.len += (size_t)n;
	return 1;
}

int driver_next(struct driver *d, int timeout_ms, struct frame *ret)
{
	int64_t until = timeout_ms < 0 ? -1 : clock_mono_ns() + timeout_ms * NS_PER_MS;
	for (;;) {
		buf_drop(&d->in, d->used);
		d->used = 0;
		struct str rest = buf_str(&d->in);
		int got = frame_next(&rest, FRAME_MAX, ret);
		if (got < 0)
			return -EBADMSG;
		if (got) {
			d->used = d->in.len - rest.len;
			if (ret->type != FRAME_WANT_LISTEN && ret->type != FRAME_WANT_OPEN)
				return 1;
			answer(d, ret);
			continue;
		}
		int r = read_more(d, until);
		if (r <= 0)
			return r;
	}
}

void driver_send(struct driver *d, enum frame_type type, struct str body)
{
	struct buf out = {0};
	size_t begun = frame_begin(&out, type);
	buf_put_str(&out, body);
	frame_end(&out, begun);
	write_all(d->fd, buf_str(&out));
	buf_fini(&out);
}

void driver_credit(struct driver *d, uint32_t bytes)
{
	char body[4];
	put_u32(body, bytes);
	driver_send(d, FRAME_CREDIT, (struct str){body, sizeof(body)});
}

/* A process descriptor becomes readable when the process has ended; Linux has them since 5.3,
 * valgrind 3.19 has not.
 */
static bool ends_within(pid_t pid, int patience_ms)
{
	int64_t until = clock_mono_ns() + patience_ms * NS_PER_MS, left;
	struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	bool has_ended = false;
	while (!has_ended && (left = until - clock_mono_ns()) >= 0) {
		siginfo_t info = {0};
		int step_ms = p.fd >= 0 ? (int)(left / NS_PER_MS) : 1;
		has_ended = poll(&p, 1, step_ms) > 0 ||
			    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
			    info.si_pid == pid;
	}
	fd_close(&p.fd);
	return has_ended;
}

bool driver_end(struct driver *d, int patience_ms, int *ret)
{
	int status = 0;
	bool in_time = !d->pid || ends_within(d->pid, patience_ms);
	if (!in_time)
		kill(d->pid, SIGKILL);
	while (d->pid && waitpid(d->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	fd_close(&d->fd);
	fd_close(&d->grant_fd);
	buf_fini(&d->in);
	grants_fini(&d->grants);
	d->pid = 0;
	if (ret)
		*ret = status;
	return in_time;
}

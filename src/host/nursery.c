/* SPDX-License-Identifier: MIT */
#include "host/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "host/opening.h"
#include "host/syscalls.h"

enum {
	ASK_FD = 3,
	MAP_MAX = 8,
	TITLE_MAX = 160, /* two names, and what stands before them */
	ANSWERS_MS = 2000,
	ANSWERS_AT_ONCE_MS = 50,
	ADOPTED_MS = 5000,
	YIELDS = 200,
};

/* What is asked: descriptors and where they belong, and the two names. */
struct wish {
	int32_t to[MAP_MAX];
	uint32_t n;
	char name[TITLE_MAX / 2], type[TITLE_MAX / 2];
};

union control {
	char space[CMSG_SPACE(MAP_MAX * sizeof(int))];
	struct cmsghdr align;
};

/* ---- the side that asks --------------------------------------------------------------- */

int nursery_open(struct nursery *n)
{
	int pair[2];
	char parent[16], room[TITLE_MAX + 1];
	*n = (struct nursery){.fd = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	/* What it forks writes its own arguments over these. */
	memset(room, '.', TITLE_MAX);
	room[TITLE_MAX] = 0;
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	char *argv[] = {(char[]){"sluice"}, (char[]){"nursery"}, parent, room, NULL};
	int r = process_spawn(argv, &(struct fd_map){pair[1], ASK_FD}, 1, &n->pid);
	fd_close(&pair[1]);
	if (r)
		fd_close(&pair[0]);
	n->fd = pair[0];
	return r;
}

void nursery_close(struct nursery *n)
{
	fd_close(&n->fd);
	n->pid = 0;
}

static int ask(int fd, const struct wish *w, const int *fds)
{
	union control control = {0};
	struct iovec iov = {(void *)(uintptr_t)w, sizeof(*w)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (!w->n)
		return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
	msg.msg_control = control.space;
	msg.msg_controllen = CMSG_SPACE(w->n * sizeof(int));
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(w->n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, w->n * sizeof(int));
	return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int hear_answer(int fd, int patience_ms, int32_t *pid)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int ready;
	while ((ready = poll(&p, 1, patience_ms)) < 0 && errno == EINTR)
		continue;
	if (ready == 0)
		return -ETIMEDOUT;
	return ready == 1 && recv(fd, pid, sizeof(*pid), 0) == sizeof(*pid) ? 0 : -EPIPE;
}

int nursery_check(const struct nursery *n)
{
	int32_t none;
	int r = ask(n->fd, &(struct wish){.n = 0}, NULL);
	return r ? r : hear_answer(n->fd, ANSWERS_AT_ONCE_MS, &none);
}

pid_t nursery_start(const struct nursery *n, const char *name, const char *type,
		    const struct fd_map *map, size_t n_map)
{
	int fds[MAP_MAX];
	int32_t pid = 0;
	struct wish w = {.n = (uint32_t)n_map};
	if (n->fd < 0 || n_map > MAP_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n_map; i++) {
		fds[i] = map[i].from;
		w.to[i] = map[i].to;
	}
	snprintf(w.name, sizeof(w.name), "%s", name);
	snprintf(w.type, sizeof(w.type), "%s", type);
	int r = ask(n->fd, &w, fds);
	if (!r)
		r = hear_answer(n->fd, ANSWERS_MS, &pid);
	return r ? r : pid;
}

/* ---- the nursery ------------------------------------------------------------------------ */

/* 1 with the descriptors, 0 at the end. */
static int hear(struct wish *w, int *fds)
{
	union control control = {0};
	struct iovec iov = {w, sizeof(*w)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.space,
			     .msg_controllen = sizeof(control.space)};
	ssize_t n;
	do
		n = recvmsg(ASK_FD, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (n == sizeof(*w) && !w->n)
		return 1; /* nursery_check() */
	if (n != sizeof(*w) || !c || c->cmsg_len != CMSG_LEN(w->n * sizeof(int)))
		return 0;
	memcpy(fds, CMSG_DATA(c), w->n * sizeof(int));
	return 1;
}

/* Where our arguments lie, one behind the other, up to the room that was left for it. */
static void set_title(char **argv, pid_t asker, const struct wish *w)
{
	char *at = argv[0], *end = at;
	for (char **a = argv; *a && *a == end; a++)
		end += strlen(*a) + 1;
	size_t room = (size_t)(end - at);
	char title[TITLE_MAX + 64];
	int n = snprintf(title, sizeof(title), "sluice%csource%c%d%c%s%c%s", 0, 0, (int)asker, 0,
			 w->name, 0, w->type);
	memset(at, 0, room);
	memcpy(at, title, MIN((size_t)n, room - 1));
	prctl(PR_SET_NAME, "sluice-source");
}

/* Copies out of the way first: a target may be the number of another one. */
static int map_descriptors(const struct wish *w, int *fds)
{
	int above = 0;
	for (uint32_t i = 0; i < w->n; i++)
		above = MAX(above, w->to[i] + 1);
	for (uint32_t i = 0; i < w->n; i++)
		if ((fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, above)) < 0)
			return -errno;
	for (uint32_t i = 0; i < w->n; i++)
		if (dup2(fds[i], w->to[i]) < 0)
			return -errno;
	fd_close_from(GRANT_FD + 1);
	return 0;
}

/* The parent exits right after the fork; then this is a child of the asker. */
static void wait_for_asker(pid_t asker)
{
	int64_t until = clock_mono_ns() + ADOPTED_MS * NS_PER_MS;
	for (int i = 0; getppid() != asker && clock_mono_ns() < until; i++)
		if (i < YIELDS)
			sched_yield();
		else
			usleep(1000);
	process_die_with_parent(asker, SIGKILL);
}

/* A child that forks the source process and ends, so that this is no child of ours. */
static no_return void fork_twice(char **argv, pid_t asker, const struct wish *w, int *fds,
				 int report, int (*become)(void))
{
	int32_t pid = fork();
	if (pid) {
		pid = pid < 0 ? -errno : pid;
		ssize_t ignored = write(report, &pid, sizeof(pid));
		(void)ignored;
		_exit(0);
	}
	set_title(argv, asker, w);
	wait_for_asker(asker);
	exit(map_descriptors(w, fds) ? 1 : become());
}

static int32_t raise_one(char **argv, pid_t asker, const struct wish *w, int *fds,
			 int (*become)(void))
{
	int report[2];
	int32_t ret = -EIO;
	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		fork_twice(argv, asker, w, fds, report[1], become);
	fd_close(&report[1]);
	if (pid < 0)
		ret = -errno;
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	if (pid > 0 && read(report[0], &ret, sizeof(ret)) != sizeof(ret))
		ret = -EIO;
	fd_close(&report[0]);
	return ret;
}

int nursery_main(pid_t asker, char **argv, int (*become)(void))
{
	struct wish w;
	int fds[MAP_MAX];
	syscalls_prepare();
	mem_trim();
	while (hear(&w, fds)) {
		int32_t pid = w.n ? raise_one(argv, asker, &w, fds, become) : 0;
		for (uint32_t i = 0; i < w.n; i++)
			fd_close(&fds[i]);
		if (send(ASK_FD, &pid, sizeof(pid), MSG_NOSIGNAL) < 0)
			break;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "base/ancestry.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* Since Linux 6.5; Debian 12's headers do not know it. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

enum { GENERATIONS_MAX = 100000, TRIES = 10 };

struct process {
	pid_t parent;
	unsigned long long started; /* in ticks since the machine was */
};

/* proc_pid_stat(5): the name, in parentheses, may hold any character. */
static int look_at(pid_t pid, struct process *ret)
{
	char path[32], text[1024];
	int parent;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	int r = n < 0 ? -errno : 0;
	fd_close(&fd);
	if (r)
		return r == -ESRCH ? -ENOENT : r;
	text[n] = 0;
	const char *rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1,
			    " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			    "%*d %*d %llu",
			    &parent, &ret->started) != 2)
		return -EIO;
	ret->parent = parent;
	return 0;
}

/* -EAGAIN when a number has changed its owner meanwhile: nobody is older than its parents. */
static int climb(pid_t pid, pid_t ancestor, pid_t *below)
{
	struct process p, child = {.started = ~0ULL};
	*below = 0;
	for (int depth = 0; depth < GENERATIONS_MAX; depth++) {
		if (pid == ancestor)
			return depth;
		if (pid <= 1)
			return -ESRCH;
		int r = look_at(pid, &p);
		if (r == -ENOENT || (!r && p.started > child.started))
			return -EAGAIN;
		if (r)
			return r;
		child = p;
		*below = pid;
		pid = p.parent;
	}
	return -ELOOP;
}

/* A process descriptor becomes readable when the process has ended. */
static bool has_ended(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	return poll(&p, 1, 0) != 0;
}

pid_t ancestry_peer(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ? 0 : cred.pid;
}

int ancestry_of_peer(int fd, pid_t ancestor, pid_t *child)
{
	pid_t pid = ancestry_peer(fd);
	int pidfd = -1, r = -EAGAIN;
	socklen_t len = sizeof(pidfd);
	if (pid <= 0)
		return -ESRCH;
	/* The number may be another process's by now; the descriptor is of who has connected.
	 * Kernels before 6.5 can tell an end only from here on, those before 5.3 not at all.
	 */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) < 0 && errno == ENOPROTOOPT)
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool is_gone = pidfd < 0 && errno == ESRCH;
	for (int i = 0; r == -EAGAIN && i < TRIES; i++)
		r = climb(pid, ancestor, child);
	if (is_gone || (pidfd >= 0 && has_ended(pidfd)))
		r = -ESTALE;
	fd_close(&pidfd);
	/* A process that /proc hides (hidepid) is another user's, and below us there is none. */
	return r == -EAGAIN ? -ESRCH : r;
}

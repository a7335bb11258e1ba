/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { PLENTY = 8 }; /* descriptors, at the least */

void fd_fill_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(1); /* there is nowhere to say why */
}

int fd_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void fd_close_from(int first)
{
#ifdef HAVE_CLOSE_RANGE
	if (close_range((unsigned)first, ~0U, 0) == 0)
		return;
#endif
	struct rlimit most;
	if (getrlimit(RLIMIT_NOFILE, &most) < 0)
		most.rlim_max = FD_SETSIZE;
	for (int fd = first; (rlim_t)fd < MIN(most.rlim_max, (rlim_t)INT_MAX); fd++)
		close(fd);
}

int fd_send_packet(int sock, const void *p, size_t n, int pass)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)p, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (pass >= 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(int));
	}
	ssize_t r;
	do
		r = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

ssize_t fd_send(int fd, const void *p, size_t n)
{
	ssize_t w = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	return w < 0 && errno == ENOTSOCK ? write(fd, p, n) : w;
}

ssize_t fd_recv_packet(int sock, void *p, size_t max, int *passed)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {p, max};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.space,
			     .msg_controllen = sizeof(control.space)};
	*passed = -1;
	ssize_t r;
	do
		r = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			/* There is room for two, for the sake of alignment. */
			for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len;
			     at += sizeof(int)) {
				fd_close(passed);
				memcpy(passed, (char *)c + at, sizeof(int));
			}
		}
	if (msg.msg_flags & MSG_TRUNC) {
		fd_close(passed);
		return -EMSGSIZE;
	}
	return r;
}

int fd_read_file(const char *path, size_t max, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int ret = 0;
	size_t total = 0;
	for (;;) {
		char *room = buf_reserve(out, 65536);
		ssize_t r = read(fd, room, 65536);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			ret = -errno;
		if (r <= 0)
			break;
		out->len += (size_t)r;
		total += (size_t)r;
		if (total > max) {
			ret = -EFBIG;
			break;
		}
	}
	close(fd);
	return ret;
}

int fd_replace_file(const char *path, const void *p, size_t n)
{
	char *tmp = mem_printf("%s.new", path);
	int ret = 0;
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		ret = -errno;
		goto out;
	}
	ssize_t w = write(fd, p, n);
	if (w < 0)
		ret = -errno;
	else if ((size_t)w != n)
		ret = -ENOSPC;
	if (!ret && fdatasync(fd) < 0)
		ret = -errno;
	close(fd);
	if (!ret && rename(tmp, path) < 0)
		ret = -errno;
	if (ret)
		unlink(tmp);
out:
	free(tmp);
	return ret;
}

int fd_make_dirs(const char *path)
{
	char *copy = mem_strdup(path);
	int ret = 0;
	for (char *p = copy + 1; !ret; p++) {
		if (*p && *p != '/')
			continue;
		char c = *p;
		*p = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			ret = -errno;
		*p = c;
		if (!c)
			break;
	}
	free(copy);
	return ret;
}

static rlim_t soft_limit; /* 0: not raised */

int64_t fd_raise_limit(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return 0;
	const char *before = getenv(FD_SOFT_LIMIT);
	soft_limit = before ? (rlim_t)strtoull(before, NULL, 10) : r.rlim_cur;
	char text[32];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)soft_limit);
	setenv(FD_SOFT_LIMIT, text, 1);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	return fd_limit();
}

int64_t fd_limit(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return 0;
	return (int64_t)MIN(r.rlim_cur, (rlim_t)INT_MAX);
}

int fd_lowest_free(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	close(fd);
	return fd;
}

bool fd_is_plenty(void)
{
	int next = fd_lowest_free();
	return next >= 0 && next + PLENTY <= fd_limit();
}

bool fd_is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS;
}

void fd_restore_limit(void)
{
	struct rlimit r;
	if (!soft_limit || getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = MIN(soft_limit, r.rlim_max);
	setrlimit(RLIMIT_NOFILE, &r);
}

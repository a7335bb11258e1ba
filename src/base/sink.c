/* SPDX-License-Identifier: MIT */
#include "base/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static ssize_t way_unknown(const char *p, size_t n);

static struct {
	ssize_t (*write)(const char *p, size_t n);
	int fd;            /* standard error, or an open file of our own on the same terminal */
	int passage[2];    /* a pipe of our own, see way_pipe() */
	size_t on_the_way; /* bytes in it */
} sink = {way_unknown, STDERR_FILENO, {-1, -1}, 0};

/* A file on a disk does not wait for a reader; neither does /dev/null. */
static ssize_t way_plain(const char *p, size_t n)
{
	ssize_t w = write(sink.fd, p, n);
	return w < 0 ? -errno : w;
}

static ssize_t way_socket(const char *p, size_t n)
{
	ssize_t w = send(sink.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return w < 0 ? -errno : w;
}

/* Where nothing better is to be had: a terminal of another user, which cannot be opened
 * again.  Between the look and the write somebody may stop it by Ctrl-S.
 */
static ssize_t way_polled(const char *p, size_t n)
{
	struct pollfd ready = {.fd = sink.fd, .events = POLLOUT};
	return poll(&ready, 1, 0) > 0 ? way_plain(p, n) : -EAGAIN;
}

/* Several processes write into one pipe: that there was room says nothing about the
 * next moment.  splice(2) is asked not to wait call by call, and from a pipe to a pipe it
 * moves what was one write as a whole.  Unlike opening /proc/self/fd/2 it needs no right
 * on a pipe that another user has made.
 */
static ssize_t way_pipe(const char *p, size_t n)
{
	if (!sink.on_the_way) {
		ssize_t w = write(sink.passage[1], p, n);
		if (w < 0)
			return -errno;
		sink.on_the_way = (size_t)w;
	}
	ssize_t moved =
		splice(sink.passage[0], NULL, sink.fd, NULL, sink.on_the_way, SPLICE_F_NONBLOCK);
	if (moved < 0 && errno != EAGAIN && errno != EPIPE) {
		sink_forget(); /* splice(2) is forbidden here, or somebody has closed our pipe */
		sink.write = way_polled;
		return way_polled(p, n);
	}
	if (moved < 0)
		return -errno;
	sink.on_the_way -= (size_t)moved;
	return moved;
}

static void open_terminal_again(void)
{
	int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	sink.write = fd >= 0 ? way_plain : way_polled;
	sink.fd = fd >= 0 ? fd : STDERR_FILENO;
}

static ssize_t way_unknown(const char *p, size_t n)
{
	struct stat st;
	sink.write = way_plain;
	if (fstat(STDERR_FILENO, &st) < 0)
		return -errno;
	if (S_ISSOCK(st.st_mode))
		sink.write = way_socket;
	else if (S_ISFIFO(st.st_mode))
		sink.write = pipe2(sink.passage, O_CLOEXEC) == 0 ? way_pipe : way_polled;
	else if (isatty(STDERR_FILENO))
		open_terminal_again();
	return sink.write(p, n);
}

ssize_t sink_write(const char *p, size_t n)
{
	return sink.write(p, n);
}

void sink_wait(int timeout_ms)
{
	struct pollfd ready = {.fd = sink.fd, .events = POLLOUT};
	int ignored = poll(&ready, 1, timeout_ms);
	(void)ignored;
}

void sink_forget(void)
{
	int saved = errno;
	fd_close(&sink.passage[0]);
	fd_close(&sink.passage[1]);
	if (sink.fd != STDERR_FILENO)
		fd_close(&sink.fd);
	sink.fd = STDERR_FILENO;
	sink.on_the_way = 0;
	sink.write = way_unknown;
	errno = saved;
}

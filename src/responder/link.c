/* SPDX-License-Identifier: MIT */
#include "responder/link.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define RETRY_NS (50 * NS_PER_MS)

enum { ANSWERS_PER_TURN = 128, SEND_BUFFER = 1024 * 1024 };

static void break_off(struct link *l)
{
	if (l->fd < 0)
		return;
	loop_remove(l->loop, &l->io);
	fd_close(&l->fd);
	loop_timer_set(l->loop, &l->retry, loop_now(l->loop) + RETRY_NS);
	l->on.broken(l->on.ctx);
}

static void on_io(struct loop_io *io, uint32_t events maybe_unused)
{
	struct link *l = container_of(io, struct link, io);
	for (int i = 0; i < ANSWERS_PER_TURN && l->fd >= 0; i++) {
		int passed;
		struct door_answer a;
		ssize_t n = fd_recv_packet(l->fd, l->packet, sizeof(l->packet), &passed);
		fd_close(&passed);
		if (n == -EAGAIN)
			return;
		if (n <= 0 || door_get_answer((struct str){l->packet, (size_t)n}, &a)) {
			break_off(l);
			return;
		}
		l->on.answered(l->on.ctx, &a);
	}
}

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int size = SEND_BUFFER;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static void on_retry(struct loop_timer *t)
{
	struct link *l = container_of(t, struct link, retry);
	int fd = connect_to(l->path);
	if (fd >= 0 && loop_add(l->loop, &l->io, fd, EPOLLIN, on_io) == 0) {
		l->fd = fd;
		l->on.connected(l->on.ctx);
		return;
	}
	fd_close(&fd);
	l->on.failed(l->on.ctx);
	loop_timer_set(l->loop, t, loop_now(l->loop) + RETRY_NS);
}

void link_open(struct link *l, struct loop *loop, const char *path, const struct link_events *on)
{
	l->loop = loop;
	l->path = path;
	l->on = *on;
	l->fd = l->io.fd = -1;
	l->retry.fn = on_retry;
	on_retry(&l->retry);
}

void link_close(struct link *l)
{
	loop_timer_cancel(l->loop, &l->retry);
	loop_remove(l->loop, &l->io);
	fd_close(&l->fd);
}

int link_send(struct link *l, const struct door_request *r, int fd)
{
	if (l->fd < 0)
		return -ENOTCONN;
	struct buf packet = {0};
	door_put_request(&packet, r);
	int ret = fd_send_packet(l->fd, packet.data, packet.len, fd);
	buf_fini(&packet);
	if (ret && ret != -EAGAIN) {
		break_off(l);
		return -ENOTCONN;
	}
	return ret;
}

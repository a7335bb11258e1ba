/* SPDX-License-Identifier: MIT */
#include "responder/hub_client.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define RETRY_NS (50 * NS_PER_MS)

enum { ANSWERS_PER_TURN = 128, SEND_BUFFER = 1024 * 1024 };

static void break_off(struct hub_client *c)
{
	if (c->fd < 0)
		return;
	loop_remove(c->loop, &c->io);
	fd_close(&c->fd);
	loop_timer_set(c->loop, &c->retry, loop_now(c->loop) + RETRY_NS);
	c->on.broken(c->on.ctx);
}

static void on_io(struct loop_io *io, uint32_t events maybe_unused)
{
	struct hub_client *c = container_of(io, struct hub_client, io);
	for (int i = 0; i < ANSWERS_PER_TURN && c->fd >= 0; i++) {
		int passed;
		struct handoff_answer a;
		ssize_t n = fd_recv_packet(c->fd, c->packet, sizeof(c->packet), &passed);
		fd_close(&passed);
		if (n == -EAGAIN)
			return;
		if (n <= 0 || handoff_get_answer((struct str){c->packet, (size_t)n}, &a)) {
			break_off(c);
			return;
		}
		c->on.answered(c->on.ctx, &a);
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
	struct hub_client *c = container_of(t, struct hub_client, retry);
	int fd = connect_to(c->path);
	if (fd >= 0 && loop_add(c->loop, &c->io, fd, EPOLLIN, on_io) == 0) {
		c->fd = fd;
		c->on.connected(c->on.ctx);
		return;
	}
	fd_close(&fd);
	c->on.failed(c->on.ctx);
	loop_timer_set(c->loop, t, loop_now(c->loop) + RETRY_NS);
}

void hub_client_open(struct hub_client *c, struct loop *loop, const char *path,
		     const struct hub_client_events *on)
{
	c->loop = loop;
	c->path = path;
	c->on = *on;
	c->fd = c->io.fd = -1;
	c->retry.fn = on_retry;
	on_retry(&c->retry);
}

void hub_client_close(struct hub_client *c)
{
	loop_timer_cancel(c->loop, &c->retry);
	loop_remove(c->loop, &c->io);
	fd_close(&c->fd);
}

int hub_client_send(struct hub_client *c, const struct handoff_request *r, int fd)
{
	if (c->fd < 0)
		return -ENOTCONN;
	struct buf packet = {0};
	handoff_put_request(&packet, r);
	int ret = fd_send_packet(c->fd, packet.data, packet.len, fd);
	buf_fini(&packet);
	if (ret && ret != -EAGAIN) {
		break_off(c);
		return -ENOTCONN;
	}
	return ret;
}

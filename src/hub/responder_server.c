/* SPDX-License-Identifier: MIT */
#include "hub/responder_server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/lanes.h"

#define PAUSE_NS (100 * NS_PER_MS)
#define SHARE_NS (3 * NS_PER_MS / 2) /* of a turn, for questions */

enum {
	ACCEPTS_PER_TURN = 64,
	PACKETS_PER_TURN = 128,
	SEND_BUFFER = 1024 * 1024,
	PENDING_MAX = 32 * 1024 * 1024,
	WAITING_MAX = 4096,
};

struct responder_server {
	struct loop *loop;
	struct responder_calls calls;
	struct loop_io io; /* the listening socket */
	int fd;
	struct loop_timer pause; /* short of descriptors: accept again later */
	struct list connections;
	struct peers peers;
	struct lanes waiting; /* of struct question */
	size_t n_waiting;
	struct loop_task serving;
	struct loop_share share;
	char packet[HANDOFF_PACKET_MAX];
};

/* One that waits for its turn. */
struct question {
	struct list link; /* in responder_server.waiting */
	struct list of;   /* in connection.questions, for what has to be answered there */
	struct connection *connection; /* NULL: it was cut off */
	int fd;                        /* passed with it, or -1; owned */
	size_t len;
	char packet[];
};

struct connection {
	struct list link;
	struct responder_server *server;
	struct loop_io io;
	int fd;
	struct buf pending; /* packets that it has not taken yet, each behind its length (u32) */
	size_t pending_at;
	struct list questions; /* that wait */
	struct loop_task reaper;
};

static void reap(struct loop_task *t)
{
	struct connection *c = container_of(t, struct connection, reaper);
	buf_fini(&c->pending);
	free(c);
}

static void cut_off(struct connection *c)
{
	if (c->fd < 0)
		return;
	c->server->calls.gone(c->server->calls.ctx, c);
	list_each_safe (e, &c->questions) {
		list_entry(e, struct question, of)->connection = NULL;
		list_remove(e);
	}
	list_remove(&c->link);
	loop_remove(c->server->loop, &c->io);
	fd_close(&c->fd);
	loop_defer(c->server->loop, &c->reaper);
}

/* At once, or behind those that wait; 0 or a negative errno. */
static int put_packet(struct connection *c, struct str packet)
{
	int r = c->pending.len ? -EAGAIN : fd_send_packet(c->fd, packet.data, packet.len, -1);
	if (r != -EAGAIN)
		return r;
	if (c->pending.len - c->pending_at > PENDING_MAX)
		return r;
	if (c->pending_at > c->pending.len / 2) {
		buf_drop(&c->pending, c->pending_at);
		c->pending_at = 0;
	}
	buf_put_u32(&c->pending, (uint32_t)packet.len);
	buf_put_str(&c->pending, packet);
	loop_change(c->server->loop, &c->io, EPOLLIN | EPOLLOUT);
	return 0;
}

/* What waits, as far as it goes. */
static int send_pending(struct connection *c)
{
	while (c->pending_at < c->pending.len) {
		const char *p = c->pending.data + c->pending_at;
		uint32_t n = get_u32(p);
		int r = fd_send_packet(c->fd, p + 4, n, -1);
		if (r)
			return r == -EAGAIN ? 0 : r;
		c->pending_at += 4 + n;
	}
	buf_fini(&c->pending);
	c->pending_at = 0;
	loop_change(c->server->loop, &c->io, EPOLLIN);
	return 0;
}

void responder_server_answer(struct connection *c, uint32_t serial, enum handoff_verdict verdict,
			     struct str bytes)
{
	struct buf packet = {0};
	int r;
	do {
		struct handoff_answer a = {
			.verdict = verdict,
			.serial = serial,
			.bytes = {bytes.data, MIN(bytes.len, (size_t)HANDOFF_BODY_PART)}};
		bytes.data += a.bytes.len;
		bytes.len -= a.bytes.len;
		a.more = bytes.len > 0;
		packet.len = 0;
		handoff_put_answer(&packet, &a);
		r = c->fd < 0 ? 0 : put_packet(c, buf_str(&packet));
	} while (!r && bytes.len);
	buf_fini(&packet);
	if (r) {
		log_warning("a responder does not take its answers (%s): it is cut off and will "
			    "ask again",
			    strerror(-r));
		cut_off(c);
	}
}

/* Takes `fd`. */
static void serve(struct responder_server *srv, struct connection *c,
		  const struct handoff_request *r, int fd)
{
	if (r->kind == HANDOFF_TAKE) {
		srv->calls.take(srv->calls.ctx, c, r, fd);
		return;
	}
	fd_close(&fd);
	if (c && r->kind == HANDOFF_DROP)
		srv->calls.drop(srv->calls.ctx, c, r->serial);
	else if (c)
		srv->calls.ask(srv->calls.ctx, c, r);
}

static uint64_t owner_of(const struct handoff_request *r)
{
	uint64_t address = crc32c(0, r->address.data, r->address.len);
	return address << 32 | crc32c(0, r->user.data, r->user.len);
}

static void put_question(struct responder_server *srv, struct connection *c,
			 const struct handoff_request *r, int fd, size_t len)
{
	struct question *q = mem_zero(sizeof(*q) + len);
	q->connection = c;
	q->fd = fd;
	q->len = len;
	memcpy(q->packet, srv->packet, len);
	list_append(&c->questions, &q->of);
	lanes_put(&srv->waiting, owner_of(r), &q->link);
	srv->n_waiting++;
	loop_defer(srv->loop, &srv->serving);
}

static struct question *next_question(struct responder_server *srv)
{
	struct list *e = lanes_take(&srv->waiting);
	if (!e)
		return NULL;
	struct question *q = list_entry(e, struct question, link);
	srv->n_waiting--;
	list_remove(&q->of);
	return q;
}

/* At least one in each turn. */
static void on_serving(struct loop_task *t)
{
	struct responder_server *srv = container_of(t, struct responder_server, serving);
	struct question *q;
	while (loop_share_enter(srv->loop, &srv->share, SHARE_NS)) {
		struct handoff_request r;
		if (!(q = next_question(srv)))
			return;
		if (handoff_get_request((struct str){q->packet, q->len}, &r) == 0)
			serve(srv, q->connection, &r, q->fd);
		free(q);
		loop_share_leave(&srv->share);
		if (loop_is_late(srv->loop))
			break;
	}
	if (srv->n_waiting)
		loop_defer(srv->loop, t);
}

/* A waiting question may hold a descriptor, which must not come from the reserve. */
static bool has_room(const struct responder_server *srv)
{
	return !srv->n_waiting ||
	       (srv->n_waiting < WAITING_MAX && srv->calls.has_room(srv->calls.ctx));
}

static void on_packets(struct loop_io *io, uint32_t events)
{
	struct connection *c = container_of(io, struct connection, io);
	struct responder_server *srv = c->server;
	if (events & EPOLLOUT && send_pending(c)) {
		cut_off(c);
		return;
	}
	for (int i = 0; i < PACKETS_PER_TURN && c->fd >= 0 && has_room(srv); i++) {
		int passed;
		struct handoff_request r;
		ssize_t n = fd_recv_packet(c->fd, srv->packet, sizeof(srv->packet), &passed);
		if (n == -EAGAIN)
			return;
		if (n <= 0 || handoff_get_request((struct str){srv->packet, (size_t)n}, &r)) {
			if (n > 0)
				log_error("a responder sent what is no request: it is cut off");
			fd_close(&passed);
			cut_off(c);
			return;
		}
		if (srv->n_waiting || loop_is_late(c->server->loop) ||
		    !loop_share_enter(c->server->loop, &srv->share, SHARE_NS)) {
			put_question(srv, c, &r, passed, (size_t)n);
			continue;
		}
		serve(srv, c, &r, passed);
		loop_share_leave(&srv->share);
	}
}

static void on_pause_over(struct loop_timer *t)
{
	struct responder_server *srv = container_of(t, struct responder_server, pause);
	loop_change(srv->loop, &srv->io, EPOLLIN);
}

static void on_connection(struct loop_io *io, uint32_t events maybe_unused)
{
	struct responder_server *srv = container_of(io, struct responder_server, io);
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		if (!srv->calls.has_room(srv->calls.ctx)) {
			loop_change(srv->loop, &srv->io, 0);
			loop_timer_set(srv->loop, &srv->pause, loop_now(srv->loop) + PAUSE_NS);
			return;
		}
		int fd = accept4(srv->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (!peers_admit(&srv->peers, fd, "the hub's socket")) {
			close(fd);
			continue;
		}
		int size = SEND_BUFFER;
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		struct connection *c = mem_zero(sizeof(*c));
		c->server = srv;
		c->fd = fd;
		c->reaper.fn = reap;
		list_init(&c->questions);
		list_append(&srv->connections, &c->link);
		if (loop_add(srv->loop, &c->io, fd, EPOLLIN, on_packets))
			cut_off(c);
	}
}

void responder_server_reload(struct responder_server *srv, const struct hub_settings *s)
{
	settings_peers(s, &srv->peers);
	srv->peers.supervisor = getppid();
	srv->peers.depth = 1; /* its responders */
}

bool responder_server_is_idle(const struct responder_server *srv)
{
	return !srv || list_is_empty(&srv->connections);
}

int responder_server_open(struct responder_server **ret, struct loop *l,
			  const struct hub_settings *s, int fd, const struct responder_calls *calls,
			  char **why)
{
	struct responder_server *srv = mem_zero(sizeof(*srv));
	srv->loop = l;
	srv->calls = *calls;
	srv->fd = fd;
	srv->io.fd = -1;
	srv->pause.fn = on_pause_over;
	list_init(&srv->connections);
	lanes_init(&srv->waiting);
	list_init(&srv->serving.link);
	srv->serving.fn = on_serving;
	responder_server_reload(srv, s);
	int r = fd_set_nonblocking(fd);
	if (!r)
		r = loop_add(l, &srv->io, fd, EPOLLIN, on_connection);
	if (r)
		*why = mem_printf("cannot listen for responders: %s", strerror(-r));
	*ret = srv;
	return r;
}

/* An ASK may be dropped: the responder asks the next hub.  A TAKE may not: its descriptor is
 * passed only once.
 */
static void take_last(struct responder_server *srv, struct connection *c, struct str packet, int fd)
{
	struct handoff_request r;
	if (handoff_get_request(packet, &r) == 0 && r.kind == HANDOFF_TAKE)
		srv->calls.take(srv->calls.ctx, c, &r, fd);
	else
		fd_close(&fd);
}

static void take_rest(struct connection *c)
{
	struct responder_server *srv = c->server;
	int passed;
	ssize_t n;
	while ((n = fd_recv_packet(c->fd, srv->packet, sizeof(srv->packet), &passed)) > 0)
		take_last(srv, c, (struct str){srv->packet, (size_t)n}, passed);
	fd_close(&passed);
}

void responder_server_close(struct responder_server *srv)
{
	if (!srv)
		return;
	for (struct question *q; (q = next_question(srv)); free(q))
		take_last(srv, q->connection, (struct str){q->packet, q->len}, q->fd);
	list_each_safe (e, &srv->connections) {
		struct connection *c = list_entry(e, struct connection, link);
		shutdown(c->fd, SHUT_RD); /* what is sent from now on fails, and is sent again */
		take_rest(c);
		cut_off(c);
		list_remove(&c->reaper.link);
		free(c);
	}
	lanes_fini(&srv->waiting);
	list_remove(&srv->serving.link);
	loop_remove(srv->loop, &srv->io);
	loop_timer_cancel(srv->loop, &srv->pause);
	fd_close(&srv->fd);
	free(srv);
}

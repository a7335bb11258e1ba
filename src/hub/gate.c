/* SPDX-License-Identifier: MIT */
#include "hub/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/report.h"
#include "hub/stream.h"
#include "hub/subscription.h"
#include "wire/door.h"

enum { PACKETS_PER_TURN = 128, SEND_BUFFER = 1024 * 1024, BUSY_RETRY_MS = 15000 };

struct gate {
	struct hub *hub;
	struct loop_io io; /* the listening socket */
	int fd;
	struct list connections;
	char packet[DOOR_PACKET_MAX];
};

struct connection {
	struct list link;
	struct hub *hub;
	struct loop_io io;
	int fd;
	struct loop_task reaper;
};

static void reap(struct loop_task *t)
{
	free(container_of(t, struct connection, reaper));
}

static void cut_off(struct connection *c)
{
	if (c->fd < 0)
		return;
	list_remove(&c->link);
	loop_remove(c->hub->loop, &c->io);
	fd_close(&c->fd);
	loop_defer(c->hub->loop, &c->reaper);
}

/* ---- answers ------------------------------------------------------------------------ */

static void answer(struct connection *c, uint32_t serial, enum door_verdict verdict,
		   struct str bytes)
{
	struct buf packet = {0};
	int r;
	do {
		struct door_answer a = {
			.verdict = verdict,
			.serial = serial,
			.bytes = {bytes.data, MIN(bytes.len, (size_t)DOOR_BODY_PART)}};
		bytes.data += a.bytes.len;
		bytes.len -= a.bytes.len;
		a.more = bytes.len > 0;
		packet.len = 0;
		door_put_answer(&packet, &a);
		r = fd_send_packet(c->fd, packet.data, packet.len, -1);
	} while (!r && bytes.len);
	buf_fini(&packet);
	if (r) {
		log_warning("a responder does not take its answers (%s): it is cut off and will "
			    "ask again",
			    strerror(-r));
		cut_off(c);
	}
}

static const char stream_head[] = "Status: 200 OK\r\n"
				  "Content-Type: text/event-stream\r\n"
				  "Cache-Control: no-store, no-transform\r\n"
				  "X-Accel-Buffering: no\r\n"
				  "X-Content-Type-Options: nosniff\r\n"
				  "Vary: Accept\r\n\r\n";

/* A non-200 would end a browser's EventSource for good; this one comes back. */
static void answer_busy(struct connection *c, uint32_t serial, const char *reason)
{
	struct buf out = {0};
	c->hub->n_refused++;
	buf_puts(&out, stream_head);
	sse_put_retry(&out, jittered_ms(BUSY_RETRY_MS));
	buf_printf(&out, "event: busy\ndata: {\"reason\":\"%s\"}\n\n", reason);
	answer(c, serial, DOOR_RESPOND, buf_str(&out));
	buf_fini(&out);
}

static void answer_document(struct connection *c, uint32_t serial, int status, const char *type,
			    struct str body)
{
	struct buf out = {0};
	buf_printf(&out,
		   "Status: %d\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		   "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n",
		   status, type, body.len);
	buf_put_str(&out, body);
	answer(c, serial, DOOR_RESPOND, buf_str(&out));
	buf_fini(&out);
}

/* ---- questions ------------------------------------------------------------------------- */

static void ask_events(struct connection *c, const struct door_request *r)
{
	struct subscription sub;
	struct buf why = {0};
	int status = subscription_parse(c->hub, r, &sub, &why);
	if (status)
		answer_document(c, r->serial, status, "text/plain; charset=utf-8", buf_str(&why));
	else if (c->hub->n_streams >= (size_t)c->hub->settings->hub.max_streams)
		answer_busy(c, r->serial, "hub.limits.streams");
	else
		answer(c, r->serial, DOOR_STREAM,
		       (struct str){stream_head, sizeof(stream_head) - 1});
	buf_fini(&why);
}

static void ask(struct connection *c, const struct door_request *r)
{
	static const struct {
		const char *route;
		int (*put)(struct hub *h, struct buf *body); /* returns the status */
	} documents[] = {
		{"/channels", report_channels},
		{"/status", report_status},
		{"/health/ready", report_ready},
	};
	if (str_is(r->route, "/events")) {
		ask_events(c, r);
		return;
	}
	for (size_t i = 0; i < array_size(documents); i++) {
		if (!str_is(r->route, documents[i].route))
			continue;
		struct buf body = {0};
		int status = documents[i].put(c->hub, &body);
		answer_document(c, r->serial, status, "application/json", buf_str(&body));
		buf_fini(&body);
		return;
	}
	answer_document(c, r->serial, 404, "text/plain; charset=utf-8",
			STR("There is nothing here.\n"));
}

/* The head is written; from here on the descriptor is the hub's alone. */
static void take(struct hub *h, const struct door_request *r, int fd)
{
	struct subscription sub;
	struct buf why = {0};
	if (fd >= 0 && subscription_parse(h, r, &sub, &why) == 0) {
		stream_open(h, fd, r->fcgi_id, &sub);
		fd = -1;
	}
	fd_close(&fd);
	buf_fini(&why);
}

static void on_packets(struct loop_io *io, uint32_t events maybe_unused)
{
	struct connection *c = container_of(io, struct connection, io);
	struct gate *g = c->hub->gate;
	for (int i = 0; i < PACKETS_PER_TURN && c->fd >= 0; i++) {
		int passed;
		struct door_request r;
		ssize_t n = fd_recv_packet(c->fd, g->packet, sizeof(g->packet), &passed);
		if (n == -EAGAIN)
			return;
		if (n <= 0 || door_get_request((struct str){g->packet, (size_t)n}, &r)) {
			if (n > 0)
				log_error("a responder sent what is no request: it is cut off");
			fd_close(&passed);
			cut_off(c);
			return;
		}
		if (r.kind == DOOR_TAKE) {
			take(c->hub, &r, passed);
		} else {
			fd_close(&passed);
			ask(c, &r);
		}
	}
}

static void on_connection(struct loop_io *io, uint32_t events maybe_unused)
{
	struct gate *g = container_of(io, struct gate, io);
	struct hub *h = g->hub;
	for (;;) {
		int fd = accept4(g->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		int size = SEND_BUFFER;
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		struct connection *c = mem_zero(sizeof(*c));
		c->hub = h;
		c->fd = fd;
		c->reaper.fn = reap;
		list_append(&g->connections, &c->link);
		if (loop_add(h->loop, &c->io, fd, EPOLLIN, on_packets))
			cut_off(c);
	}
}

int gate_open(struct hub *h, int fd, char **why)
{
	struct gate *g = mem_zero(sizeof(*g));
	g->hub = h;
	g->fd = fd;
	g->io.fd = -1;
	list_init(&g->connections);
	h->gate = g;
	int r = fd_set_nonblocking(fd);
	if (!r)
		r = loop_add(h->loop, &g->io, fd, EPOLLIN, on_connection);
	if (r)
		*why = mem_printf("cannot listen for responders: %s", strerror(-r));
	return r;
}

void gate_close(struct hub *h)
{
	struct gate *g = h->gate;
	if (!g)
		return;
	list_each_safe (e, &g->connections) {
		struct connection *c = list_entry(e, struct connection, link);
		cut_off(c);
		list_remove(&c->reaper.link);
		free(c);
	}
	loop_remove(h->loop, &g->io);
	fd_close(&g->fd);
	free(g);
	h->gate = NULL;
}

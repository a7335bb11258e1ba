/* SPDX-License-Identifier: MIT */
#include "hub/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/history.h"
#include "hub/quota.h"
#include "hub/report.h"
#include "hub/schema.h"
#include "hub/stream.h"
#include "hub/subscription.h"
#include "hub/view.h"
#include "wire/door.h"
#include "wire/fcgi.h"
#include "wire/gzip.h"

enum { PACKETS_PER_TURN = 128, SEND_BUFFER = 1024 * 1024, BUSY_RETRY_MS = 15000, PAGES_MAX = 32 };

struct gate {
	struct hub *hub;
	struct loop_io io; /* the listening socket */
	int fd;
	struct list connections;
	struct peers peers;
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

/* The limit that one more stream would exceed, or NULL. */
static const char *limit_reached(struct hub *h, const struct door_request *r,
				 const struct subscription *sub, enum subscription_use use)
{
	const struct hub_settings *s = &h->settings->hub;
	if (use == USE_HISTORY)
		return h->n_pages_open >= PAGES_MAX ? "too many pages of history at once" : NULL;
	if (h->n_streams >= (size_t)s->max_streams)
		return "hub.limits.streams";
	if (s->max_streams_per_address &&
	    quota_count(h->quota_addresses, r->address) >= (uint64_t)s->max_streams_per_address)
		return "hub.limits.streams_per_address";
	if (s->max_streams_per_user &&
	    quota_count(h->quota_users, r->user) >= (uint64_t)s->max_streams_per_user)
		return "hub.limits.streams_per_user";
	return view_is_one_too_many(h, sub) ? "hub.limits.subscriptions" : NULL;
}

static void put_head(struct buf *out, const struct subscription *sub)
{
	buf_printf(out,
		   "Status: 200 OK\r\nContent-Type: %s\r\n%s"
		   "Cache-Control: no-store, no-transform\r\n"
		   "X-Accel-Buffering: no\r\n"
		   "X-Content-Type-Options: nosniff\r\n"
		   "Vary: Accept, Accept-Encoding\r\n\r\n",
		   format_media_type(sub->format), sub->gzips ? "Content-Encoding: gzip\r\n" : "");
}

static void put_busy(struct buf *out, struct hub *h, const struct subscription *sub,
		     const char *reason)
{
	struct buf data = {0};
	format_retry(out, sub->format, jittered_ms(BUSY_RETRY_MS));
	buf_printf(&data, "{\"reason\":\"%s\"}", reason);
	format_control(out, sub->format, hub_epoch(h), FORMAT_NO_ID, "busy", buf_str(&data));
	if (sub->format == FORMAT_PAGE)
		buf_printf(out, "{\"events\":[],\"busy\":\"%s\"}\n", reason);
	buf_fini(&data);
}

/* A non-200 would end a browser's EventSource for good; this one comes back. */
static void answer_busy(struct connection *c, uint32_t serial, struct subscription *sub,
			const char *reason)
{
	struct buf out = {0};
	c->hub->n_refused++;
	sub->gzips = false;
	put_head(&out, sub);
	put_busy(&out, c->hub, sub, reason);
	answer(c, serial, DOOR_RESPOND, buf_str(&out));
	buf_fini(&out);
}

/* For requests that the hub answers on their descriptor itself. */
static void ask_for_events(struct connection *c, const struct door_request *r,
			   enum subscription_use use)
{
	struct subscription sub;
	struct buf why = {0}, head = {0};
	int status = subscription_parse(c->hub, r, use, &sub, &why);
	const char *limit = status ? NULL : limit_reached(c->hub, r, &sub, use);
	if (status == 503)
		answer_busy(c, r->serial, &sub, "a regex of the channel's filter is switched off");
	else if (status)
		answer_document(c, r->serial, status, "text/plain; charset=utf-8", buf_str(&why));
	else if (limit && use == USE_HISTORY)
		answer_document(c, r->serial, 503, "text/plain; charset=utf-8",
				STR("Too many pages of history are being read: ask again in a "
				    "moment.\n"));
	else if (limit)
		answer_busy(c, r->serial, &sub, limit);
	else {
		put_head(&head, &sub);
		answer(c, r->serial, DOOR_STREAM, buf_str(&head));
	}
	subscription_fini(&sub);
	buf_fini(&head);
	buf_fini(&why);
}

/* POST /streams/TOKEN: from where it is the stream goes on with this. */
static void change_stream(struct connection *c, const struct door_request *r, struct stream *s)
{
	struct subscription sub;
	struct buf body = {0}, query = {0};
	struct door_request whole = *r;
	stream_put_change(s, r->query, &query);
	whole.query = buf_str(&query);
	int status = subscription_parse(c->hub, &whole, USE_CHANGE, &sub, &body);
	if (!status && !stream_change(s, &sub)) {
		buf_puts(&body, "hub.limits.subscriptions is reached: the stream is as it was.\n");
		status = 429;
	}
	if (status)
		answer_document(c, r->serial, status, "text/plain; charset=utf-8", buf_str(&body));
	else
		answer_document(c, r->serial, 200, "application/json", STR("{\"changed\":true}\n"));
	subscription_fini(&sub);
	buf_fini(&query);
	buf_fini(&body);
}

static void ask_about_stream(struct connection *c, const struct door_request *r, struct str token)
{
	struct stream *s = stream_find(c->hub, token);
	if (!s) {
		answer_document(c, r->serial, 404, "text/plain; charset=utf-8",
				STR("There is no stream of that token (\"hello\" carries it; it "
				    "ends with the connection).\n"));
	} else if (str_is(r->method, "POST")) {
		change_stream(c, r, s);
	} else if (str_is(r->method, "DELETE")) {
		stream_say_bye(s, "deleted", NULL);
		answer_document(c, r->serial, 200, "application/json", STR("{\"ended\":true}\n"));
	} else {
		answer_document(c, r->serial, 405, "text/plain; charset=utf-8",
				STR("POST changes a stream, DELETE ends it.\n"));
	}
}

static const struct {
	const char *route;
	enum subscription_use use;
} event_routes[] = {{"/events", USE_STREAM}, {"/poll", USE_POLL}, {"/history", USE_HISTORY}};

/* The use of a route that is answered on its descriptor; -1 for any other. */
static int use_of(struct str route)
{
	for (size_t i = 0; i < array_size(event_routes); i++)
		if (str_is(route, event_routes[i].route))
			return (int)event_routes[i].use;
	return -1;
}

/* What stands behind `prefix`; no data when it does not begin so. */
static struct str behind(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);
	if (s.len <= n || memcmp(s.data, prefix, n) != 0)
		return (struct str){NULL, 0};
	return (struct str){s.data + n, s.len - n};
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
	int use = use_of(r->route);
	struct str token = behind(r->route, "/streams/"), schema = behind(r->route, "/schema/");
	struct buf body = {0};
	if (use >= 0) {
		ask_for_events(c, r, (enum subscription_use)use);
		return;
	}
	if (token.data) {
		ask_about_stream(c, r, token);
		return;
	}
	if (schema.data) {
		int status = schema_report(c->hub, schema, &body);
		answer_document(c, r->serial, status,
				status == 200 ? "application/schema+json"
					      : "text/plain; charset=utf-8",
				buf_str(&body));
		buf_fini(&body);
		return;
	}
	for (size_t i = 0; i < array_size(documents); i++) {
		if (!str_is(r->route, documents[i].route))
			continue;
		int status = documents[i].put(c->hub, &body);
		answer_document(c, r->serial, status, "application/json", buf_str(&body));
		buf_fini(&body);
		return;
	}
	answer_document(c, r->serial, 404, "text/plain; charset=utf-8",
			STR("There is nothing here.\n"));
}

/* Others came first, since it was asked.  The head is written already; what follows
 * it fits into any socket.
 */
static void turn_away(struct hub *h, const struct door_request *r, struct subscription *sub,
		      const char *reason, int fd)
{
	struct buf text = {0}, body = {0}, framed = {0};
	h->n_refused++;
	put_busy(&text, h, sub, reason);
	if (sub->gzips) {
		gzip_put_header(&body);
		gzip_put_stored(&body, buf_str(&text));
	} else {
		buf_put_str(&body, buf_str(&text));
	}
	if (r->framing == DOOR_FCGI) {
		fcgi_put_stdout(&framed, r->fcgi_id, buf_str(&body));
		fcgi_put_end(&framed, r->fcgi_id);
	}
	const struct buf *out = r->framing == DOOR_FCGI ? &framed : &body;
	if (fd_send(fd, out->data, out->len) < 0)
		log_debug("a client that was turned away is gone");
	fd_close(&fd);
	buf_fini(&text);
	buf_fini(&body);
	buf_fini(&framed);
}

/* The head is written; from here on the descriptor is the hub's alone. */
static void take(struct hub *h, const struct door_request *r, int fd)
{
	struct subscription sub;
	struct buf why = {0};
	int use = use_of(r->route);
	const char *limit;
	if (fd >= 0 && use >= 0) {
		if (subscription_parse(h, r, (enum subscription_use)use, &sub, &why))
			fd_close(&fd); /* what was possible at the asking is no more: it comes back
					*/
		else if (use != USE_HISTORY && /* of pages the asking decides */
			 (limit = limit_reached(h, r, &sub, (enum subscription_use)use)))
			turn_away(h, r, &sub, limit, fd);
		else if (use == USE_HISTORY)
			history_open(h, fd, r, &sub);
		else
			stream_open(h, fd, r, &sub);
		fd = -1;
		subscription_fini(&sub);
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
		uid_t who;
		if (!peers_admit(&g->peers, fd, &who)) {
			log_warning("a connection of user %u to the hub's socket is closed (if the "
				    "web server runs as that user, add its name to hub.web_users)",
				    (unsigned)who);
			close(fd);
			continue;
		}
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

void gate_reload(struct hub *h)
{
	settings_peers(&h->settings->hub, &h->gate->peers);
}

bool gate_is_idle(const struct hub *h)
{
	return !h->gate || list_is_empty(&h->gate->connections);
}

int gate_open(struct hub *h, int fd, char **why)
{
	struct gate *g = mem_zero(sizeof(*g));
	g->hub = h;
	g->fd = fd;
	g->io.fd = -1;
	list_init(&g->connections);
	h->gate = g;
	gate_reload(h);
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

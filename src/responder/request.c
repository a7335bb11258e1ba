/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "responder/responder_internal.h"
#include "wire/query.h"

#define HEAD_PATIENCE_NS  (2 * NS_PER_SEC)
#define HUB_PATIENCE_NS   (10 * NS_PER_SEC)
#define READY_PATIENCE_NS (1 * NS_PER_SEC)
#define WRITE_PATIENCE_NS (30 * NS_PER_SEC)
#define RESEND_NS         (20 * NS_PER_MS)

/* ---- the end --------------------------------------------------------------------------- */

static void reap(struct loop_task *t)
{
	struct request *q = container_of(t, struct request, reaper);
	params_fini(&q->params);
	free(q->path);
	free(q->form);
	free(q->query);
	buf_fini(&q->head);
	buf_fini(&q->answer);
	buf_fini(&q->out);
	free(q);
}

void request_finish(struct request *q)
{
	if (q->state == CLOSED)
		return;
	struct responder *r = q->responder;
	q->state = CLOSED;
	probe_end(q);
	list_remove(&q->link);
	loop_timer_cancel(r->loop, &q->deadline);
	loop_remove(r->loop, &q->io);
	fd_close(&q->fd);
	loop_defer(r->loop, &q->reaper);
	if (r->config->is_cgi)
		loop_stop(r->loop);
}

void request_free(struct request *q)
{
	request_finish(q);
	list_remove(&q->reaper.link);
	reap(&q->reaper);
}

void request_set_deadline(struct request *q, int64_t ns)
{
	loop_timer_set(q->responder->loop, &q->deadline, loop_now(q->responder->loop) + ns);
}

/* ---- asking ------------------------------------------------------------------------------ */

/* The ticket among the cookies (RFC 6265), or nothing. */
static struct str ticket_cookie(const char *cookies)
{
	static const char name[] = "sluice_ticket=";
	for (const char *p = cookies; p && *p;) {
		p += strspn(p, "; ");
		size_t n = strcspn(p, ";");
		if (n >= sizeof(name) - 1 && memcmp(p, name, sizeof(name) - 1) == 0)
			return (struct str){p + sizeof(name) - 1, n - (sizeof(name) - 1)};
		p += n;
	}
	return (struct str){"", 0};
}

/* Caddy appends the one who connects to it: that it says anyway. */
static struct str forwarded_for(const struct params *p)
{
	struct str s = str_of(p->forwarded_for);
	size_t n = strlen(p->address);
	if (strncmp(p->software, "Caddy", 5) != 0 || s.len < n ||
	    strcmp(s.data + s.len - n, p->address) != 0)
		return s;
	if (s.len == n)
		return (struct str){"", 0};
	if (s.len > n + 1 && memcmp(s.data + s.len - n - 2, ", ", 2) == 0)
		s.len -= n + 2;
	return s;
}

static struct door_request question(const struct request *q, enum door_kind kind)
{
	return (struct door_request){
		.kind = kind,
		.framing = q->framing,
		.serial = q->serial,
		.fcgi_id = q->params.id,
		.method = str_of(q->params.method),
		.route = str_of(q->path),
		.query = str_of(q->query),
		.accept = str_of(q->params.accept),
		.last_event_id = str_of(q->params.last_event_id),
		.address = str_of(q->params.address),
		.forwarded_for = forwarded_for(&q->params),
		.forwarded = str_of(q->params.forwarded),
		.real_ip = str_of(q->params.real_ip),
		.user = str_of(q->params.user),
		.certificate = str_of(q->params.certificate),
		.ticket = ticket_cookie(q->params.cookie),
		.host = str_of(q->params.host),
		.origin = str_of(q->params.origin),
		/* Who follows a link sees the answer himself, and nobody else does. */
		.fetch_site = str_of(strcmp(q->params.fetch_mode, "navigate") == 0 &&
						     strcmp(q->params.method, "GET") == 0
					     ? ""
					     : q->params.fetch_site),
		.has_cookies = q->params.cookie[0] != 0,
		.manager = (uint32_t)q->responder->config->manager,
		.takes_gzip = kind == DOOR_TAKE ? q->promised_gzip
						: accepts_gzip(str_of(q->params.accept_encoding)),
	};
}

static void resend_later(struct responder *r)
{
	loop_timer_set(r->loop, &r->resend, loop_now(r->loop) + RESEND_NS);
}

void request_ask(struct request *q)
{
	struct door_request d = question(q, DOOR_ASK);
	int r = link_send(&q->responder->link, &d, -1);
	q->is_asked = r == 0;
	if (r == -EAGAIN)
		resend_later(q->responder);
}

void request_begin_to_ask(struct request *q, char *path_taken)
{
	q->state = ASKING;
	q->path = path_taken;
	q->serial = ++q->responder->last_serial;
	request_set_deadline(q, strcmp(q->path, "/health/ready") == 0 ? READY_PATIENCE_NS
								      : HUB_PATIENCE_NS);
	if (q->responder->no_hub)
		request_respond_hopeless(q);
	else
		request_ask(q);
}

/* The head is written: the descriptor becomes the hub's.  Should the hub be
 * gone just now, the client has its 200 and will reconnect.
 */
void request_hand_over(struct request *q)
{
	q->state = HANDING;
	struct door_request d = question(q, DOOR_TAKE);
	loop_remove(q->responder->loop, &q->io);
	if (link_send(&q->responder->link, &d, q->fd) == -EAGAIN)
		resend_later(q->responder);
	else
		request_finish(q);
}

/* ---- answering ----------------------------------------------------------------------------- */

/* A CGI program's output has nothing to say but that it is gone, which is always told. */
static uint32_t wait_events(const struct request *q)
{
	return q->framing == DOOR_FCGI ? EPOLLIN | EPOLLRDHUP : 0;
}

static void write_out(struct request *q)
{
	while (q->out_at < q->out.len) {
		ssize_t w = fd_send(q->fd, q->out.data + q->out_at, q->out.len - q->out_at);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN) {
			loop_change(q->responder->loop, &q->io,
				    EPOLLOUT |
					    (q->framing == DOOR_FCGI ? EPOLLIN | EPOLLRDHUP : 0));
			return;
		}
		if (w < 0) {
			request_finish(q);
			return;
		}
		q->out_at += (size_t)w;
	}
	if (q->then_hand_over)
		request_hand_over(q);
	else if (!q->stays && !q->lingers)
		request_finish(q);
	else
		loop_change(q->responder->loop, &q->io, wait_events(q));
	if (q->lingers)
		shutdown(q->fd, SHUT_WR);
}

void request_write(struct request *q, struct str text, bool is_last)
{
	q->state = WRITING;
	q->stays = !is_last;
	if (q->framing == DOOR_PLAIN) {
		buf_put_str(&q->out, text);
	} else {
		fcgi_put_stdout(&q->out, q->params.id, text);
		if (is_last)
			fcgi_put_end(&q->out, q->params.id);
	}
	write_out(q);
}

void request_respond(struct request *q, struct str answer, bool is_stream)
{
	bool is_head = q->params.method && strcmp(q->params.method, "HEAD") == 0;
	if (is_head) {
		const char *end = memmem(answer.data, answer.len, "\r\n\r\n", 4);
		if (end)
			answer.len = (size_t)(end - answer.data) + 4;
	}
	q->then_hand_over = is_stream && !is_head;
	q->promised_gzip =
		is_stream && memmem(answer.data, answer.len, "Content-Encoding: gzip", 22);
	q->state = WRITING;
	request_set_deadline(q, WRITE_PATIENCE_NS);
	if (q->framing == DOOR_PLAIN) {
		buf_put_str(&q->out, answer);
	} else {
		fcgi_put_stdout(&q->out, q->params.id, answer);
		if (!q->then_hand_over)
			fcgi_put_end(&q->out, q->params.id);
	}
	write_out(q);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_io(struct loop_io *io, uint32_t events)
{
	struct request *q = container_of(io, struct request, io);
	if (q->state == READING) {
		request_read(q);
		return;
	}
	if (events & (EPOLLHUP | EPOLLERR)) {
		request_finish(q);
		return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP)) {
		char waste[1024];
		ssize_t n = recv(q->fd, waste, sizeof(waste), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			request_finish(q);
			return;
		}
	}
	if (events & EPOLLOUT && q->state == WRITING)
		write_out(q);
}

static void on_deadline(struct loop_timer *t)
{
	struct request *q = container_of(t, struct request, deadline);
	if (q->state == ASKING) {
		request_respond_without_hub(q);
		return;
	}
	if (q->state == READING && q->is_starved) {
		request_respond_text(q, "503 Service Unavailable", "Retry-After: 5\r\n",
				     "Busy: the limit of open files (LimitNOFILE, ulimit -n).\n");
		return;
	}
	if (q->state == READING && q->form_since_ns) {
		request_refuse_slow(q);
		return;
	}
	if (q->state == READING)
		log_warning("a connection is closed: no whole FastCGI request came within 2 s");
	request_finish(q);
}

struct request *request_new(struct responder *r, int fd, enum door_framing framing)
{
	struct request *q = mem_zero(sizeof(*q));
	q->responder = r;
	q->fd = fd;
	q->framing = framing;
	q->io.fd = -1;
	q->deadline.fn = on_deadline;
	q->reaper.fn = reap;
	list_append(&r->requests, &q->link);
	request_set_deadline(q, HEAD_PATIENCE_NS);
	uint32_t events = framing == DOOR_FCGI ? EPOLLIN | EPOLLRDHUP : 0;
	if (loop_add(r->loop, &q->io, fd, events, on_io))
		request_finish(q);
	return q;
}

/* SPDX-License-Identifier: MIT
 *
 * request - a request from its descriptor to its last byte.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "responder/responder_internal.h"

#define HEAD_PATIENCE_NS  (2 * NS_PER_SEC)
#define WRITE_PATIENCE_NS (30 * NS_PER_SEC)

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
	q->ops->drop(q);
	q->state = CLOSED;
	if (q->on_end)
		q->on_end(q);
	list_remove(&q->link);
	if (q->serial)
		table_remove(&r->by_serial, &q->by_serial);
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

/* ---- answering ----------------------------------------------------------------------------- */

/* A CGI program's output has nothing to say but that it is gone, which is always told. */
static uint32_t wait_events(const struct request *q)
{
	return q->framing == HANDOFF_FCGI ? EPOLLIN | EPOLLRDHUP : 0;
}

static void write_out(struct request *q)
{
	while (q->out_at < q->out.len) {
		ssize_t w = fd_send(q->fd, q->out.data + q->out_at, q->out.len - q->out_at);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN) {
			loop_change(q->responder->loop, &q->io, EPOLLOUT | wait_events(q));
			return;
		}
		if (w < 0) {
			request_finish(q);
			return;
		}
		q->out_at += (size_t)w;
	}
	if (!q->then_hand_over && !q->stays && !q->lingers) {
		request_finish(q);
	} else {
		loop_change(q->responder->loop, &q->io, wait_events(q));
		if (q->then_hand_over)
			q->ops->hand_over(q);
	}
	if (q->lingers)
		shutdown(q->fd, SHUT_WR);
}

void request_write(struct request *q, struct str text, bool is_last)
{
	q->state = WRITING;
	q->stays = !is_last;
	if (q->framing == HANDOFF_PLAIN) {
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
	q->promised_gzip = is_stream && answer.len &&
			   memmem(answer.data, answer.len, "Content-Encoding: gzip", 22);
	q->state = WRITING;
	request_set_deadline(q, WRITE_PATIENCE_NS);
	if (q->framing == HANDOFF_PLAIN) {
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
		q->ops->read(q);
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
	q->ops->late(q);
}

struct request *request_new(struct responder *r, int fd, enum handoff_framing framing,
			    const struct request_ops *ops)
{
	struct request *q = mem_zero(sizeof(*q));
	q->ops = ops;
	q->responder = r;
	q->fd = fd;
	q->framing = framing;
	q->io.fd = -1;
	q->deadline.fn = on_deadline;
	q->reaper.fn = reap;
	list_append(&r->requests, &q->link);
	request_set_deadline(q, HEAD_PATIENCE_NS);
	uint32_t events = framing == HANDOFF_FCGI ? EPOLLIN | EPOLLRDHUP : 0;
	if (loop_add(r->loop, &q->io, fd, events, on_io))
		request_finish(q);
	return q;
}

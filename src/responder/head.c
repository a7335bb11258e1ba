/* SPDX-License-Identifier: MIT
 *
 * head - the beginning of a FastCGI connection, until it is a request.
 */
#include <errno.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "responder/responder_internal.h"

#define STARVED_NS (10 * NS_PER_SEC)

/* The parameters are known, but not all of the form. */
static void refuse_form(struct request *q, const struct fcgi_request *request, const char *status,
			const char *sentence)
{
	if (params_read(request, q->responder->config->certificate, &q->params)) {
		request_finish(q);
		return;
	}
	loop_change(q->responder->loop, &q->io, EPOLLIN | EPOLLRDHUP);
	/* Its rest is still coming: closed on it, the web server would miss the answer. */
	q->lingers = true;
	request_respond_text(q, status, "", sentence);
}

void request_refuse_slow(struct request *q)
{
	struct fcgi_request request;
	if (fcgi_check_head(buf_str(&q->head), &request) == FCGI_HEAD_INCOMPLETE)
		refuse_form(q, &request, "408 Request Timeout", FORM_IS_SLOW);
	else
		request_finish(q);
	buf_fini(&request.params);
	buf_fini(&request.body);
}

/* The web server sends the parameters at once, but a form as its client does: that may be
 * slow while it gets on.
 */
static void wait_for_form(struct request *q)
{
	int64_t now = loop_now(q->responder->loop);
	if (!q->form_since_ns)
		q->form_since_ns = now;
	request_set_deadline(q, MIN(FORM_IDLE_NS, q->form_since_ns + FORM_TOTAL_NS - now));
}

static void take(struct request *q, const struct fcgi_request *request)
{
	const struct buf *head = &q->head;
	bool is_aborted =
		head->len >= request->len + 2 && head->data[request->len + 1] == FCGI_TYPE_ABORT;
	if (request->body.len)
		q->form = mem_strndup(request->body.data, request->body.len);
	q->form_has_nul = request->body.len && memchr(request->body.data, 0, request->body.len);
	buf_fini(&q->head);
	if (is_aborted) {
		request_finish(q);
		return;
	}
	/* What follows on the descriptor has nothing to say but that it is over. */
	loop_change(q->responder->loop, &q->io, EPOLLIN | EPOLLRDHUP);
	request_route(q);
}

/* All that has arrived, as far as there is room.  False when the peer is gone. */
static bool receive(struct request *q)
{
	for (;;) {
		size_t room = FCGI_HEAD_MAX - q->head.len;
		if (!room)
			return true;
		ssize_t n = recv(q->fd, buf_reserve(&q->head, room), room, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		q->head.len += (size_t)n;
	}
}

/* What a front server asks about the connection itself (HAProxy with "option get-values"),
 * mostly before it sends a request on it.
 */
static int answer_management(struct request *q)
{
	struct rlimit limit = {0};
	struct buf out = {0};
	getrlimit(RLIMIT_NOFILE, &limit); /* a connection takes one descriptor */
	int r = fcgi_take_management(&q->head, (unsigned)MIN(limit.rlim_cur, (rlim_t)INT_MAX),
				     &out);
	if (!r && out.len && fd_send(q->fd, out.data, out.len) != (ssize_t)out.len)
		r = -EPIPE; /* gone, or it asks without reading the answers */
	buf_fini(&out);
	return r;
}

/* libfcgi cannot be asked just now: the front server waits, and so does its client.  An
 * answer would not do, for who asks is not known: an error ends a browser's EventSource.
 */
static void starve(struct request *q)
{
	if (!q->is_starved)
		request_set_deadline(q, STARVED_NS);
	q->is_starved = true;
	loop_change(q->responder->loop, &q->io, EPOLLRDHUP);
	responder_pause(q->responder);
}

void request_read(struct request *q)
{
	struct responder *r = q->responder;
	struct fcgi_request request;
	if (!receive(q)) {
		request_finish(q);
		return;
	}
	if (answer_management(q)) {
		log_warning("closed a connection: it sent a broken FastCGI management record, or "
			    "did not read the response");
		request_finish(q);
		return;
	}
	enum fcgi_head is = fcgi_check_head(buf_str(&q->head), &request);
	if (is == FCGI_HEAD_INCOMPLETE && q->head.len == FCGI_HEAD_MAX) {
		is = FCGI_HEAD_BAD;
		request.is_too_long = true;
		request.why = "the head is larger than 64 KiB";
	}
	int err = is == FCGI_HEAD_WHOLE ? params_read(&request, r->config->certificate, &q->params)
					: 0;
	if (fd_is_shortage(err)) {
		q->params.id = request.id;
		starve(q);
		goto out;
	}
	if (err) {
		is = FCGI_HEAD_BAD;
		request.why = err == -EEXIST ? "something that says who asks is there twice"
					     : "libfcgi does not take it";
	}
	if (err == -EEXIST) {
		log_warning("a request is refused: %s", request.why);
		loop_change(r->loop, &q->io, EPOLLIN | EPOLLRDHUP);
		request_respond_text(q, "400 Bad Request", "",
				     "Something that says who asks is there twice.\n");
	} else if (is == FCGI_HEAD_WHOLE) {
		take(q, &request);
	} else if (is == FCGI_HEAD_BAD && request.is_too_long && request.has_params) {
		refuse_form(q, &request, "413 Content Too Large",
			    "A form has at most 60 KiB here.\n");
	} else if (is == FCGI_HEAD_BAD) {
		log_warning("a connection is closed: it sent no FastCGI request (%s)", request.why);
		request_finish(q);
	} else if (request.has_params) {
		wait_for_form(q);
	}
out:
	buf_fini(&request.params);
	buf_fini(&request.body);
}

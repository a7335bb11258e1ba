/* SPDX-License-Identifier: MIT
 *
 * head - the beginning of a FastCGI connection, until it is a request.
 */
#include <errno.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "responder/responder_internal.h"

/* Who asks is known, what he sends is too long. */
static void refuse_form(struct request *q, const struct fcgi_request *request)
{
	if (params_read(request, q->responder->config->certificate, &q->params)) {
		request_finish(q);
		return;
	}
	/* The rest is read away while this is being written. */
	loop_change(q->responder->loop, &q->io, EPOLLIN | EPOLLRDHUP);
	request_respond_text(q, "413 Content Too Large", "",
			     "A form has at most 60 KiB here.\n");
}

/* Takes the request out of the socket; what follows there is the hub's to read. */
static void take(struct request *q, const struct fcgi_request *request)
{
	struct responder *r = q->responder;
	if (request->body.len)
		q->form = mem_strndup(request->body.data, request->body.len);
	q->form_has_nul = request->body.len && memchr(request->body.data, 0, request->body.len);
	if (recv(q->fd, r->head, request->len, MSG_DONTWAIT) != (ssize_t)request->len) {
		request_finish(q);
		return;
	}
	loop_change(r->loop, &q->io, EPOLLIN | EPOLLRDHUP);
	request_route(q);
}

void request_peek(struct request *q)
{
	struct responder *r = q->responder;
	ssize_t n;
	do
		n = recv(q->fd, r->head, sizeof(r->head), MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		request_finish(q);
		return;
	}
	struct fcgi_request request;
	enum fcgi_head is = fcgi_check_head((struct str){r->head, (size_t)n}, &request);
	bool is_long = n == (ssize_t)sizeof(r->head);
	if (is == FCGI_HEAD_INCOMPLETE && is_long) {
		is = FCGI_HEAD_BAD;
		request.why = "the head is larger than 64 KiB";
	}
	int err = is == FCGI_HEAD_WHOLE ? params_read(&request, r->config->certificate, &q->params)
					: 0;
	if (err) {
		is = FCGI_HEAD_BAD;
		request.why = err == -EEXIST ? "something that says who asks is there twice"
					     : "libfcgi does not take it";
	}
	if (is == FCGI_HEAD_WHOLE) {
		take(q, &request);
	} else if (is == FCGI_HEAD_BAD && is_long && request.has_params) {
		refuse_form(q, &request);
	} else if (is == FCGI_HEAD_BAD) {
		log_warning("a connection is closed: it sent no FastCGI request (%s)", request.why);
		request_finish(q);
	}
	buf_fini(&request.params);
	buf_fini(&request.body);
}

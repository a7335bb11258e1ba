/* SPDX-License-Identifier: MIT
 *
 * cgi - one request as a CGI program gets it (RFC 3875): the head is the environment,
 * the body standard input, and standard output becomes the hub's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "responder/responder_internal.h"

enum { BODY_MAX = 60 * 1024 };

/* The form on standard input; NULL when it does not come whole, or too slowly. */
static char *read_body(size_t n)
{
	char *body = mem_zero(n + 1);
	int64_t until = clock_mono_ns() + FORM_TOTAL_NS;
	for (size_t at = 0; at < n;) {
		struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
		int64_t left_ns = MIN(until - clock_mono_ns(), FORM_IDLE_NS);
		ssize_t got = left_ns > 0 && poll(&p, 1, (int)(left_ns / NS_PER_MS)) > 0
				      ? read(STDIN_FILENO, body + at, n - at)
				      : 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			free(body);
			return NULL;
		}
		at += (size_t)got;
	}
	return body;
}

/* False when it is answered already. */
static bool take_body(struct request *q)
{
	const char *length = getenv("CONTENT_LENGTH");
	unsigned long n = length ? strtoul(length, NULL, 10) : 0;
	if (n > BODY_MAX) {
		request_respond_text(q, "413 Content Too Large", "",
				     "A form has at most 60 KiB here.\n");
		return false;
	}
	if (n && !(q->form = read_body(n))) {
		request_respond_text(q, "408 Request Timeout", "", FORM_IS_SLOW);
		return false;
	}
	q->form_has_nul = n && memchr(q->form, 0, n);
	return true;
}

void cgi_begin(struct responder *r)
{
	/* A copy: descriptor 1 is then free to be closed with the process. */
	struct request *q =
		request_open(r, fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), HANDOFF_PLAIN);
	if (q->state == CLOSED)
		return;
	if (fd_set_nonblocking(q->fd)) {
		request_finish(q);
		return;
	}
	if (params_read_environment(r->config->certificate, &q->params))
		request_respond_text(q, "400 Bad Request", "",
				     "Something that says who asks is there twice.\n");
	else if (take_body(q))
		request_route(q);
}

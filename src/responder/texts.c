/* SPDX-License-Identifier: MIT
 *
 * texts - whole answers that a responder makes itself.
 */
#include <stdlib.h>

#include "responder/responder_internal.h"
#include "wire/headers.h"
#include "wire/origin.h"

enum { BUSY_RETRY_MS = 5000 };

void request_put_cors(const struct request *q, const char *varies, struct buf *out)
{
	struct str listed = origin_in_list(str_of(q->params.origin), q->responder->config->origins);
	buf_printf(out, "Vary: %sOrigin\r\n", varies);
	if (listed.len)
		origin_put_allowed(out, listed);
}

void request_respond_text(struct request *q, const char *status, const char *more_headers,
			  const char *text)
{
	struct buf b = {0};
	/* Status behind Location: HAProxy 2.6 makes a 302 of it otherwise. */
	buf_printf(&b,
		   "%sStatus: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
		   "Content-Length: %zu\r\nCache-Control: no-store\r\n" SAFE_HEADERS,
		   more_headers, status, strlen(text));
	request_put_cors(q, "", &b);
	buf_printf(&b, "\r\n%s", text);
	request_respond(q, buf_str(&b), false);
	buf_fini(&b);
}

void request_respond_empty(struct request *q, const char *status, const char *more_headers)
{
	struct buf b = {0};
	buf_printf(&b, "Status: %s\r\nCache-Control: no-store\r\n" SAFE_HEADERS "%s", status,
		   more_headers);
	request_put_cors(q, "", &b);
	buf_puts(&b, "\r\n");
	request_respond(q, buf_str(&b), false);
	buf_fini(&b);
}

void request_respond_hopeless(struct request *q)
{
	request_respond_text(q, "503 Service Unavailable", "Retry-After: 30\r\n",
			     q->responder->no_hub);
}

/* A 503 would end a browser's EventSource for good, so a stream is told to
 * come back instead.
 */
void request_respond_without_hub(struct request *q)
{
	if (strcmp(q->path, "/events") != 0) {
		request_respond_text(q, "503 Service Unavailable", "Retry-After: 2\r\n",
				     "The hub is not running; it is being restarted.\n");
		return;
	}
	struct buf b = {0};
	buf_puts(&b,
		 "Status: 200 OK\r\nContent-Type: text/event-stream\r\n"
		 "Cache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\n" SAFE_HEADERS);
	/* Without it the browser of a page elsewhere would give up for good, too. */
	request_put_cors(q, "", &b);
	buf_printf(&b,
		   "\r\nretry: %ld\nevent: busy\ndata: {\"reason\":\"the hub is not "
		   "running\"}\n\n",
		   BUSY_RETRY_MS + random() % BUSY_RETRY_MS);
	request_respond(q, buf_str(&b), false);
	buf_fini(&b);
}

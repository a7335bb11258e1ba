/* SPDX-License-Identifier: MIT
 *
 * steps - what a request does next: when something comes, when it takes too long, when its
 * head is written.
 */
#include "base/log.h"
#include "responder/responder_internal.h"

static void on_late(struct request *q)
{
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

struct request *request_open(struct responder *r, int fd, enum handoff_framing framing)
{
	static const struct request_ops ops = {request_read, on_late, request_hand_over,
					       request_drop};
	return request_new(r, fd, framing, &ops);
}

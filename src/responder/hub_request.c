/* SPDX-License-Identifier: MIT
 *
 * hub_request - a request as the hub gets it: first a question, then with its descriptor.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "responder/responder_internal.h"
#include "wire/query.h"

#define HUB_PATIENCE_NS   (10 * NS_PER_SEC)
#define READY_PATIENCE_NS (1 * NS_PER_SEC)
#define RESEND_NS         (20 * NS_PER_MS)

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

static struct handoff_request question(const struct request *q, enum handoff_kind kind)
{
	return (struct handoff_request){
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
		.takes_gzip = kind == HANDOFF_TAKE
				      ? q->promised_gzip
				      : accepts_gzip(str_of(q->params.accept_encoding)),
	};
}

static void resend_later(struct responder *r)
{
	loop_timer_set(r->loop, &r->resend, loop_now(r->loop) + RESEND_NS);
}

void request_ask(struct request *q)
{
	struct handoff_request d = question(q, HANDOFF_ASK);
	int r = hub_client_send(&q->responder->hub, &d, -1);
	q->is_asked = r == 0;
	if (r == -EAGAIN)
		resend_later(q->responder);
}

/* Answers name the request by its number. */
static void number(struct request *q)
{
	struct responder *r = q->responder;
	if (++r->last_serial == 0)
		r->last_serial = 1;
	q->serial = r->last_serial;
	table_add(&r->by_serial, &q->by_serial,
		  table_hash(&r->by_serial, &q->serial, sizeof(q->serial)));
}

void request_begin_to_ask(struct request *q, char *path_taken)
{
	q->state = ASKING;
	q->path = path_taken;
	number(q);
	request_set_deadline(q, strcmp(q->path, "/health/ready") == 0 ? READY_PATIENCE_NS
								      : HUB_PATIENCE_NS);
	if (q->responder->no_hub)
		request_respond_hopeless(q);
	else
		request_ask(q);
}

/* Its client is gone: the hub need not keep its place. */
void request_drop(struct request *q)
{
	bool may_be_let_in = q->state == ASKING || q->then_hand_over;
	if (!q->is_asked || !may_be_let_in)
		return;
	struct handoff_request d = question(q, HANDOFF_DROP);
	if (hub_client_send(&q->responder->hub, &d, -1))
		log_debug("the hub learns later that a client is gone");
}

/* The hub is gone, and nothing is written yet: the next one is asked. */
static void ask_again(struct request *q)
{
	q->state = ASKING;
	q->then_hand_over = false;
	request_set_deadline(q, HUB_PATIENCE_NS);
}

void request_lost_hub(struct request *q)
{
	q->is_asked = false;
	q->answer.len = 0;
	if (q->state != HANDING)
		return;
	if (q->out.len)
		request_finish(q); /* the client has its 200, and will reconnect */
	else
		ask_again(q);
}

/* Passes the descriptor to the hub.  The head of a stream is already written; the hub writes the
 * head of a page.
 */
void request_hand_over(struct request *q)
{
	q->state = HANDING;
	struct handoff_request d = question(q, HANDOFF_TAKE);
	int r = hub_client_send(&q->responder->hub, &d, q->fd);
	if (r == -EAGAIN)
		resend_later(q->responder);
	else if (r && q->state == HANDING)
		request_lost_hub(q);
	if (r)
		return;
	q->then_hand_over = false;
	request_finish(q);
}

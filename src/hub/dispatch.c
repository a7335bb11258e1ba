/* SPDX-License-Identifier: MIT */
#include "hub/dispatch.h"

#include <errno.h>

#include "access/access.h"
#include "access/safety.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "hub/hub.h"
#include "hub/open_files.h"
#include "hub/report.h"
#include "hub/responder_server.h"
#include "hub/schema.h"
#include "hub/subscription_parse.h"
#include "stream/history.h"
#include "stream/quota.h"
#include "stream/streams.h"
#include "stream/views.h"
#include "wire/fcgi.h"
#include "wire/gzip.h"
#include "wire/headers.h"

enum { BUSY_RETRY_MS = 15000 };

/* One question, for as long as it is being answered. */
struct request_context {
	struct hub *hub;
	struct connection *connection;
	const struct handoff_request *request;
	struct identity who;
};

/* ---- answers ----------------------------------------------------------------------------- */

static void answer(struct request_context *a, enum handoff_verdict verdict, struct str bytes)
{
	responder_server_answer(a->connection, a->request->serial, verdict, bytes);
}

static void put_document(struct hub *h, const struct handoff_request *r, struct buf *out,
			 int status, const char *type, struct str body)
{
	buf_printf(out,
		   "Status: %d\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		   "Cache-Control: no-store\r\nVary: Origin\r\n" SAFE_HEADERS "%s",
		   status, type, body.len, status == 503 ? "Retry-After: 5\r\n" : "");
	safety_put_headers(&h->access, r, out);
	buf_puts(out, "\r\n");
	buf_put_str(out, body);
}

static void answer_document(struct request_context *a, int status, const char *type,
			    struct str body)
{
	struct buf out = {0};
	put_document(a->hub, a->request, &out, status, type, body);
	answer(a, HANDOFF_RESPOND, buf_str(&out));
	buf_fini(&out);
}

/* Whether the hub writes the whole response, head included, because the head contains its length.
 * For other uses, the head is written before the descriptor arrives.
 */
static bool is_whole(enum subscription_use use)
{
	return use == USE_HISTORY;
}

/* The limit that one more of these would exceed, or NULL. */
static const char *limit_reached(struct hub *h, const struct identity *who,
				 const struct subscription *sub, enum subscription_use use)
{
	const struct hub_settings *s = &h->settings->hub;
	if (!open_files_admit(h, -1))
		return OPEN_FILES_LIMIT;
	if (use == USE_HISTORY)
		return pages_are_full(&h->pages, who->address) ? "too many pages of history at once"
							       : NULL;
	if (use == USE_SEARCH || is_of_numbers(use))
		return searches_limit(&h->searches, who);
	if (h->drain.is_on)
		return "draining: it is about to stop, or to be replaced";
	if (h->streams.n + h->streams.n_admitted >= (size_t)s->max_streams)
		return "hub.limits.streams";
	if (s->max_streams_per_address && quota_count(h->streams.addresses, str_of(who->address)) >=
						  (uint64_t)s->max_streams_per_address)
		return "hub.limits.streams_per_address";
	if (s->max_streams_per_user &&
	    quota_count(h->streams.users, str_of(who->user)) >= (uint64_t)s->max_streams_per_user)
		return "hub.limits.streams_per_user";
	return view_is_one_too_many(&h->views, sub) ? "hub.limits.subscriptions" : NULL;
}

/* Others came first since it was let in: what cannot be counted before it is opened. */
static const char *limit_reached_since(struct hub *h, const struct admission *a,
				       enum subscription_use use, int fd)
{
	if (!open_files_admit(h, fd))
		return OPEN_FILES_LIMIT;
	return !is_of_past(use) && view_is_one_too_many(&h->views, &a->sub)
		       ? "hub.limits.subscriptions"
		       : NULL;
}

/* From now on it counts as one that is open. */
static void count(struct hub *h, struct admission *a, enum subscription_use use)
{
	if (use == USE_HISTORY)
		admission_count(a, h->pages.addresses, NULL, &h->pages.n_admitted);
	else if (use == USE_SEARCH || is_of_numbers(use))
		admission_count(a, h->searches.addresses, h->searches.users,
				&h->searches.n_admitted);
	else
		admission_count(a, h->streams.addresses, h->streams.users, &h->streams.n_admitted);
}

/* Without the empty line at its end. */
static void put_headers(struct hub *h, const struct handoff_request *r, struct buf *out,
			const struct subscription *sub)
{
	buf_printf(out,
		   "Status: 200 OK\r\nContent-Type: %s\r\n%s"
		   "Cache-Control: no-store, no-transform\r\n"
		   "X-Accel-Buffering: no\r\n"
		   "Vary: Accept, Accept-Encoding, Origin\r\n" SAFE_HEADERS,
		   format_media_type(sub->format), sub->gzips ? "Content-Encoding: gzip\r\n" : "");
	safety_put_headers(&h->access, r, out);
}

static void put_head(struct request_context *a, struct buf *out, const struct subscription *sub)
{
	put_headers(a->hub, a->request, out, sub);
	buf_puts(out, "\r\n");
}

static void put_busy(struct buf *out, struct hub *h, const struct subscription *sub,
		     const char *reason)
{
	struct buf data = {0};
	format_retry(out, sub->format, jittered_ms(BUSY_RETRY_MS));
	buf_printf(&data, "{\"reason\":\"%s\"}", reason);
	format_control(out, sub->format, registry_epoch(&h->registry), FORMAT_NO_ID, "busy",
		       buf_str(&data));
	if (sub->format == FORMAT_PAGE)
		buf_printf(out, "{\"events\":[],\"busy\":\"%s\"}\n", reason);
	buf_fini(&data);
}

/* A non-200 would end a browser's EventSource for good; this one comes back. */
static void answer_busy(struct request_context *a, struct subscription *sub, const char *reason)
{
	struct buf out = {0};
	a->hub->dispatch.n_refused++;
	sub->gzips = false;
	put_head(a, &out, sub);
	put_busy(&out, a->hub, sub, reason);
	answer(a, HANDOFF_RESPOND, buf_str(&out));
	buf_fini(&out);
}

static void put_later(struct hub *h, const struct handoff_request *r, struct buf *out,
		      const char *reason)
{
	struct buf body = {0};
	buf_printf(&body, "Busy: %s. Ask again in a moment.\n", reason);
	put_document(h, r, out, 503, "text/plain; charset=utf-8", buf_str(&body));
	buf_fini(&body);
}

static void answer_later(struct request_context *a, const char *reason)
{
	struct buf out = {0};
	put_later(a->hub, a->request, &out, reason);
	answer(a, HANDOFF_RESPOND, buf_str(&out));
	buf_fini(&out);
}

/* It counts, and is kept until its descriptor comes: takes who asks, and what he asks for. */
static void let_in(struct request_context *a, struct subscription *sub, enum subscription_use use)
{
	struct admission in = {.who = a->who, .sub = *sub};
	a->who = (struct identity){0};
	*sub = (struct subscription){0};
	count(a->hub, &in, use);
	admissions_keep(&a->hub->admissions, a->connection, a->request->serial, &in);
}

/* For requests that the hub answers on their descriptor itself. */
static void ask_for_events(struct request_context *a, enum subscription_use use)
{
	const struct handoff_request *r = a->request;
	struct subscription sub;
	struct buf why = {0}, head = {0};
	int status = subscription_parse(a->hub, r, &a->who, use, &sub, &why);
	const char *limit = status ? NULL : limit_reached(a->hub, &a->who, &sub, use);
	if (status == 503)
		answer_busy(a, &sub, "a regex of the channel's filter is switched off");
	else if (status)
		answer_document(a, status, "text/plain; charset=utf-8", buf_str(&why));
	else if (limit && is_of_past(use))
		answer_later(a, limit);
	else if (limit)
		answer_busy(a, &sub, limit);
	else {
		bool is_head = str_is(r->method, "HEAD"); /* of which no descriptor comes */
		if (is_head || !is_whole(use))
			put_head(a, &head, &sub);
		if (!is_head)
			let_in(a, &sub, use);
		answer(a, HANDOFF_STREAM, buf_str(&head));
	}
	subscription_fini(&sub);
	buf_fini(&head);
	buf_fini(&why);
}

/* POST /streams/TOKEN: the stream continues from its position with another subscription. */
static void change_stream(struct request_context *a, struct stream *s)
{
	const struct handoff_request *r = a->request;
	struct subscription sub;
	struct buf body = {0}, query = {0};
	struct handoff_request whole = *r;
	stream_put_change(s, r->query, &query);
	whole.query = buf_str(&query);
	/* The rights that count are those of the client that opened the stream. */
	int status = subscription_parse(a->hub, &whole, &s->who, USE_CHANGE, &sub, &body);
	if (!status && sub.is_barred && !stream_is_live(s)) {
		buf_puts(&body, "This stream still shows the past, which you may not see of every "
				"channel that you ask for: ask again once it is live.\n");
		status = 403;
	}
	if (!status && !stream_change(s, &sub)) {
		buf_puts(&body, "hub.limits.subscriptions is reached: the stream is as it was.\n");
		status = 429;
	}
	if (status)
		answer_document(a, status, "text/plain; charset=utf-8", buf_str(&body));
	else
		answer_document(a, 200, "application/json", STR("{\"changed\":true}\n"));
	subscription_fini(&sub);
	buf_fini(&query);
	buf_fini(&body);
}

static void ask_about_stream(struct request_context *a, struct str token)
{
	const struct handoff_request *r = a->request;
	struct stream *s = streams_find(&a->hub->streams, token);
	if (!s) {
		answer_document(a, 404, "text/plain; charset=utf-8",
				STR("There is no stream of that token (\"hello\" carries it; it "
				    "ends with the connection).\n"));
	} else if (str_is(r->method, "POST")) {
		change_stream(a, s);
	} else if (str_is(r->method, "DELETE")) {
		stream_say_bye(s, "deleted", NULL);
		answer_document(a, 200, "application/json", STR("{\"ended\":true}\n"));
	} else {
		answer_document(a, 405, "text/plain; charset=utf-8",
				STR("POST changes a stream, DELETE ends it.\n"));
	}
}

static const struct {
	const char *route;
	enum subscription_use use;
} event_routes[] = {{"/events", USE_STREAM},       {"/poll", USE_POLL},
		    {"/history", USE_HISTORY},     {"/search", USE_SEARCH},
		    {"/histogram", USE_HISTOGRAM}, {"/facets", USE_FACETS}};

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

static const struct document {
	const char *route;
	bool is_for_admins; /* for others it is not there */
	int (*put)(struct hub *h, const struct identity *who, struct buf *body);
} documents[] = {
	{"/channels", false, report_channels},
	{"/status", true, report_status},
	{"/health/ready", false, report_ready},
};

static void ask_for_document(struct request_context *a)
{
	struct str schema = behind(a->request->route, "/schema/");
	struct buf body = {0};
	if (schema.data) {
		int status = schema_report(a->hub, &a->who, schema, &body);
		answer_document(a, status,
				status == 200 ? "application/schema+json"
					      : "text/plain; charset=utf-8",
				buf_str(&body));
		buf_fini(&body);
		return;
	}
	for (size_t i = 0; i < array_size(documents); i++) {
		const struct document *d = &documents[i];
		if (!str_is(a->request->route, d->route) ||
		    (d->is_for_admins && !access_is_some_admin(&a->hub->access, &a->who)))
			continue;
		int status = d->put(a->hub, &a->who, &body);
		answer_document(a, status, "application/json", buf_str(&body));
		buf_fini(&body);
		return;
	}
	answer_document(a, 404, "text/plain; charset=utf-8", STR("There is nothing here.\n"));
}

static void answer_preflight(struct request_context *a)
{
	struct buf out = {0};
	safety_put_preflight(&a->hub->access, a->request, &out);
	answer(a, HANDOFF_RESPOND, buf_str(&out));
	buf_fini(&out);
}

void dispatch_ask(struct hub *h, struct connection *c, const struct handoff_request *r)
{
	struct request_context a = {.hub = h, .connection = c, .request = r};
	struct buf why = {0};
	int use = use_of(r->route);
	h->idle.used_ns = loop_now(h->loop);
	struct str token = behind(r->route, "/streams/");
	/* Answered for any client and any Host: a load balancer needs it, and it tells only
	 * whether the hub is ready.
	 */
	bool is_open = str_is(r->route, "/health/ready");
	int status = identity_of(&h->access, r, &a.who, &why);
	if (is_open)
		status = 0;
	else if (!status)
		status = safety_check(&h->access, r, &a.who, &why);
	if (status) {
		access_log_refusal(&h->access, r, &a.who, buf_text(&why));
		answer_document(&a, status, "text/plain; charset=utf-8", buf_str(&why));
	} else if (str_is(r->method, "OPTIONS")) {
		answer_preflight(&a);
	} else if (use >= 0) {
		ask_for_events(&a, (enum subscription_use)use);
	} else if (token.data) {
		ask_about_stream(&a, token);
	} else {
		ask_for_document(&a);
	}
	identity_fini(&a.who);
	buf_fini(&why);
}

/* Sends all that is left and closes `fd`; it fits into any socket buffer. */
static void send_last(const struct handoff_request *r, struct str body, int fd)
{
	struct buf framed = {0};
	if (r->framing == HANDOFF_FCGI) {
		fcgi_put_stdout(&framed, r->fcgi_id, body);
		fcgi_put_end(&framed, r->fcgi_id);
		body = buf_str(&framed);
	}
	if (fd_send(fd, body.data, body.len) < 0)
		log_debug("a client that was turned away is gone");
	fd_close(&fd);
	buf_fini(&framed);
}

/* Answers instead of what was asked for: with `busy` where the head is written already. */
static void turn_away(struct hub *h, const struct handoff_request *r,
		      const struct subscription *sub, enum subscription_use use, const char *reason,
		      int fd)
{
	struct buf text = {0}, body = {0};
	h->dispatch.n_refused++;
	if (is_whole(use)) {
		put_later(h, r, &body, reason);
	} else {
		put_busy(&text, h, sub, reason);
		if (sub->gzips) {
			gzip_put_header(&body);
			gzip_put_stored(&body, buf_str(&text));
		} else {
			buf_put_str(&body, buf_str(&text));
		}
	}
	send_last(r, buf_str(&body), fd);
	buf_fini(&text);
	buf_fini(&body);
}

/* The request is no longer valid.  A client that already has its head reconnects, and gets the
 * reason then.
 */
static void refuse(struct hub *h, const struct handoff_request *r, enum subscription_use use,
		   int status, struct str why, int fd)
{
	struct buf body = {0};
	if (!is_whole(use)) {
		fd_close(&fd); /* without an end: it is not what was asked for */
		return;
	}
	put_document(h, r, &body, status, "text/plain; charset=utf-8", why);
	send_last(r, buf_str(&body), fd);
	buf_fini(&body);
}

/* For a TAKE whose ASK was answered by an earlier hub, or by this one under other settings: checks
 * the request again.  Returns 0, also when a limit is reached (*limit is set); or the status to
 * refuse it with, and *why.
 */
static int let_in_again(struct hub *h, const struct handoff_request *r, enum subscription_use use,
			struct admission *a, const char **limit, struct buf *why)
{
	*a = (struct admission){0};
	int status = identity_of(&h->access, r, &a->who, why);
	if (!status)
		status = subscription_parse(h, r, &a->who, use, &a->sub, why);
	if (status)
		return status;
	*limit = limit_reached(h, &a->who, &a->sub, use);
	if (!*limit)
		count(h, a, use);
	return 0;
}

static void open_page(struct hub *h, const struct handoff_request *r, struct admission *a, int fd)
{
	struct buf headers = {0};
	put_headers(h, r, &headers, &a->sub);
	history_open(&h->pages, fd, r, a, &headers);
	buf_fini(&headers);
}

void dispatch_take(struct hub *h, const struct connection *c, const struct handoff_request *r,
		   int fd)
{
	struct admission a;
	const char *limit = NULL;
	struct buf why = {0};
	int use = use_of(r->route), status = 0;
	if (fd < 0) {
		open_files_lost_one(h);
		return;
	}
	if (use < 0) {
		fd_close(&fd);
		return;
	}
	h->idle.used_ns = loop_now(h->loop);
	if (!admissions_claim(&h->admissions, c, r->serial, &a))
		status = let_in_again(h, r, (enum subscription_use)use, &a, &limit, &why);
	if (!status && !limit)
		limit = limit_reached_since(h, &a, (enum subscription_use)use, fd);
	if (status)
		refuse(h, r, (enum subscription_use)use, status, buf_str(&why), fd);
	else if (limit)
		turn_away(h, r, &a.sub, (enum subscription_use)use, limit, fd);
	else if (use == USE_HISTORY)
		open_page(h, r, &a, fd);
	else if (use == USE_SEARCH)
		search_open(&h->searches, &search_for_matches, fd, r, &a);
	else if (use == USE_HISTOGRAM)
		search_open(&h->searches, &search_for_counts, fd, r, &a);
	else if (use == USE_FACETS)
		search_open(&h->searches, &search_for_facets, fd, r, &a);
	else
		stream_open(&h->streams, fd, r, &a);
	admission_fini(&a);
	buf_fini(&why);
}

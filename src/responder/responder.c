/* SPDX-License-Identifier: MIT */
#include "responder/responder.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/settings.h"
#include "responder/files.h"
#include "responder/link.h"
#include "responder/params.h"
#include "responder/route.h"
#include "wire/fcgi.h"
#include "wire/query.h"

#define HEAD_PATIENCE_NS  (2 * NS_PER_SEC)
#define HUB_PATIENCE_NS   (10 * NS_PER_SEC)
#define READY_PATIENCE_NS (1 * NS_PER_SEC)
#define WRITE_PATIENCE_NS (30 * NS_PER_SEC)
#define PAUSE_NS          (100 * NS_PER_MS)
#define RESEND_NS         (20 * NS_PER_MS)
#define RETIRE_NS         (15 * NS_PER_SEC)

enum { ACCEPTS_PER_TURN = 64, BUSY_RETRY_MS = 5000 };

enum request_state { PEEKING, ASKING, WRITING, HANDING, CLOSED };

struct responder;

struct request {
	struct list link;
	struct responder *responder;
	enum request_state state;
	int fd;
	struct loop_io io;
	struct loop_timer deadline;
	struct loop_task reaper;
	struct params params;
	char *path; /* the hub's route, while ASKING; owned */
	bool form_has_nul;
	char *form;  /* what a POST has sent; owned, may be NULL */
	char *query; /* that of the URL and the form, joined; owned */
	uint32_t serial;
	bool is_asked;       /* the question is with the present hub */
	bool promised_gzip;  /* the head says so */
	bool then_hand_over; /* WRITING the head of a stream */
	struct buf answer;   /* parts from the hub, unframed */
	struct buf out;      /* framed, being written */
	size_t out_at;
};

struct listener {
	struct loop_io io;
	struct responder *responder;
	int fd;
};

struct responder {
	struct loop *loop;
	const struct responder_config *config;
	struct files files;
	struct listener listeners[LISTEN_MAX];
	struct loop_timer pause;  /* out of descriptors: accept again later */
	struct loop_timer resend; /* the hub was behind: ask again */
	struct loop_timer retire; /* looks whether the last request is over */
	int64_t retired_ns;
	struct list requests;
	struct link link;
	uint32_t last_serial;
	char head[FCGI_HEAD_MAX];
};

/* ---- the end of a request ------------------------------------------------------------ */

static void reap(struct loop_task *t)
{
	struct request *q = container_of(t, struct request, reaper);
	params_fini(&q->params);
	free(q->path);
	free(q->form);
	free(q->query);
	buf_fini(&q->answer);
	buf_fini(&q->out);
	free(q);
}

static void finish(struct request *q)
{
	if (q->state == CLOSED)
		return;
	q->state = CLOSED;
	list_remove(&q->link);
	loop_timer_cancel(q->responder->loop, &q->deadline);
	loop_remove(q->responder->loop, &q->io);
	fd_close(&q->fd);
	loop_defer(q->responder->loop, &q->reaper);
}

static void set_deadline(struct request *q, int64_t ns)
{
	loop_timer_set(q->responder->loop, &q->deadline, loop_now(q->responder->loop) + ns);
}

/* ---- asking ------------------------------------------------------------------------------ */

static struct door_request question(const struct request *q, enum door_kind kind)
{
	return (struct door_request){
		.kind = kind,
		.framing = DOOR_FCGI,
		.serial = q->serial,
		.fcgi_id = q->params.id,
		.method = str_of(q->params.method),
		.route = str_of(q->path),
		.query = str_of(q->query),
		.accept = str_of(q->params.accept),
		.last_event_id = str_of(q->params.last_event_id),
		.address = str_of(q->params.address),
		.user = str_of(q->params.user),
		.takes_gzip = kind == DOOR_TAKE ? q->promised_gzip
						: accepts_gzip(str_of(q->params.accept_encoding)),
	};
}

static void resend_later(struct responder *r)
{
	loop_timer_set(r->loop, &r->resend, loop_now(r->loop) + RESEND_NS);
}

static void ask(struct request *q)
{
	struct door_request d = question(q, DOOR_ASK);
	int r = link_send(&q->responder->link, &d, -1);
	q->is_asked = r == 0;
	if (r == -EAGAIN)
		resend_later(q->responder);
}

/* The head is written: the descriptor becomes the hub's.  Should the hub be
 * gone just now, the client has its 200 and will reconnect.
 */
static void hand_over(struct request *q)
{
	q->state = HANDING;
	struct door_request d = question(q, DOOR_TAKE);
	loop_remove(q->responder->loop, &q->io);
	if (link_send(&q->responder->link, &d, q->fd) == -EAGAIN)
		resend_later(q->responder);
	else
		finish(q);
}

/* ---- answering ----------------------------------------------------------------------------- */

static void write_out(struct request *q)
{
	while (q->out_at < q->out.len) {
		ssize_t w = send(q->fd, q->out.data + q->out_at, q->out.len - q->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN) {
			loop_change(q->responder->loop, &q->io, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
			return;
		}
		if (w < 0) {
			finish(q);
			return;
		}
		q->out_at += (size_t)w;
	}
	if (q->then_hand_over)
		hand_over(q);
	else
		finish(q);
}

/* Sends header fields and body, which may be cut for HEAD; ends the request
 * unless it becomes a stream.
 */
static void respond(struct request *q, struct str answer, bool is_stream)
{
	bool is_head = strcmp(q->params.method, "HEAD") == 0;
	if (is_head) {
		const char *end = memmem(answer.data, answer.len, "\r\n\r\n", 4);
		if (end)
			answer.len = (size_t)(end - answer.data) + 4;
	}
	q->then_hand_over = is_stream && !is_head;
	q->promised_gzip =
		is_stream && memmem(answer.data, answer.len, "Content-Encoding: gzip", 22);
	q->state = WRITING;
	set_deadline(q, WRITE_PATIENCE_NS);
	fcgi_put_stdout(&q->out, q->params.id, answer);
	if (!q->then_hand_over)
		fcgi_put_end(&q->out, q->params.id);
	write_out(q);
}

static void respond_text(struct request *q, const char *status, const char *more_headers,
			 const char *text)
{
	struct buf b = {0};
	buf_printf(
		&b,
		"Status: %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s\r\n%s",
		status, strlen(text), more_headers, text);
	respond(q, buf_str(&b), false);
	buf_fini(&b);
}

/* A 503 would end a browser's EventSource for good, so a stream is told to
 * come back instead.
 */
static void respond_without_hub(struct request *q)
{
	if (strcmp(q->path, "/events") != 0) {
		respond_text(q, "503 Service Unavailable", "Retry-After: 2\r\n",
			     "The hub is not running just now; it is being started again.\n");
		return;
	}
	struct buf b = {0};
	buf_printf(&b,
		   "Status: 200 OK\r\nContent-Type: text/event-stream\r\n"
		   "Cache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\n"
		   "X-Content-Type-Options: nosniff\r\n\r\n"
		   "retry: %ld\n\nevent: busy\ndata: {\"reason\":\"the hub is not running just "
		   "now\"}\n\n",
		   BUSY_RETRY_MS + random() % BUSY_RETRY_MS);
	respond(q, buf_str(&b), false);
	buf_fini(&b);
}

/* Only what can stand in a header as it is; the path came from the client. */
static bool is_plain_path(const char *s)
{
	for (; *s; s++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_.~-",
			    *s))
			return false;
	return true;
}

static void respond_redirect(struct request *q)
{
	struct params *p = &q->params;
	char *header = mem_printf("Location: %s%s/\r\n", p->script_name, p->path_info);
	if (is_plain_path(p->script_name) && is_plain_path(p->path_info) &&
	    p->script_name[0] == '/' && p->script_name[1] != '/')
		respond_text(q, "301 Moved Permanently", header,
			     "The console is one slash further.\n");
	else
		respond_text(q, "404 Not Found", "", "There is nothing here.\n");
	free(header);
}

/* Whether the method has a meaning there; answered when it has none. */
static bool method_is_known(struct request *q, const struct route *to)
{
	const char *m = q->params.method;
	bool known = strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0 ||
		     (strcmp(m, "POST") == 0 && to->takes_post) ||
		     (strcmp(m, "DELETE") == 0 && to->takes_delete);
	if (!known)
		respond_text(q, "405 Method Not Allowed",
			     to->takes_delete ? "Allow: POST, DELETE\r\n"
			     : to->takes_post ? "Allow: GET, HEAD, POST\r\n"
					      : "Allow: GET, HEAD\r\n",
			     to->takes_post ? "That method is not understood here.\n"
					    : "Only GET and HEAD are understood here.\n");
	return known;
}

/* A form says the same as a query string, and may be longer. */
static bool take_form(struct request *q)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const char *type = q->params.content_type;
	bool is_post = strcmp(q->params.method, "POST") == 0;
	if (is_post && q->form && *q->form && strncasecmp(type, form, sizeof(form) - 1) != 0) {
		respond_text(q, "415 Unsupported Media Type", "",
			     "Send what would stand in the query as a form "
			     "(Content-Type: application/x-www-form-urlencoded).\n");
		return false;
	}
	if (q->form_has_nul) {
		respond_text(q, "400 Bad Request", "", "The form holds a NUL.\n");
		return false;
	}
	const char *more = is_post && q->form ? q->form : "";
	q->query =
		mem_printf("%s%s%s", q->params.query, *q->params.query && *more ? "&" : "", more);
	return true;
}

static void ask_hub(struct request *q, struct route *to)
{
	q->state = ASKING;
	q->path = to->path;
	to->path = NULL;
	q->serial = ++q->responder->last_serial;
	set_deadline(q,
		     strcmp(q->path, "/health/ready") == 0 ? READY_PATIENCE_NS : HUB_PATIENCE_NS);
	ask(q);
}

static void route(struct request *q)
{
	struct responder *r = q->responder;
	struct buf b = {0};
	struct route to = route_find(&q->params, r->config->prefix, &r->files);
	if (method_is_known(q, &to)) {
		switch (to.kind) {
		case ROUTE_NONE:
			respond_text(q, "404 Not Found", "", "There is nothing here.\n");
			break;
		case ROUTE_REDIRECT: respond_redirect(q); break;
		case ROUTE_LIVE: respond_text(q, "200 OK", "", "live\n"); break;
		case ROUTE_FILE:
			file_put_answer(to.file, q->params.if_none_match, &b);
			respond(q, buf_str(&b), false);
			break;
		case ROUTE_HUB:
			if (take_form(q))
				ask_hub(q, &to);
			break;
		}
	}
	free(to.path);
	buf_fini(&b);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* Looks at what has arrived without taking it, until a whole head is there. */
static void peek(struct request *q)
{
	struct responder *r = q->responder;
	ssize_t n;
	do
		n = recv(q->fd, r->head, sizeof(r->head), MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		finish(q);
		return;
	}
	struct fcgi_request request;
	enum fcgi_head is = fcgi_check_head((struct str){r->head, (size_t)n}, &request);
	if (is == FCGI_HEAD_INCOMPLETE && n == (ssize_t)sizeof(r->head)) {
		is = FCGI_HEAD_BAD;
		request.why = "the head is larger than 64 KiB";
	}
	if (is == FCGI_HEAD_WHOLE && params_read(&request, &q->params)) {
		is = FCGI_HEAD_BAD;
		request.why = "libfcgi does not take it";
	}
	if (is == FCGI_HEAD_WHOLE && request.body.len)
		q->form = mem_strndup(request.body.data, request.body.len);
	q->form_has_nul = request.body.len && memchr(request.body.data, 0, request.body.len);
	buf_fini(&request.params);
	buf_fini(&request.body);
	if (is == FCGI_HEAD_INCOMPLETE)
		return;
	if (is == FCGI_HEAD_BAD) {
		log_warning("a connection is closed: it sent no FastCGI request (%s)", request.why);
		finish(q);
		return;
	}
	/* Taken now: what follows on the descriptor is the hub's to read. */
	if (recv(q->fd, r->head, request.len, MSG_DONTWAIT) != (ssize_t)request.len) {
		finish(q);
		return;
	}
	loop_change(r->loop, &q->io, EPOLLIN | EPOLLRDHUP);
	route(q);
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct request *q = container_of(io, struct request, io);
	if (q->state == PEEKING) {
		peek(q);
		return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		char waste[1024];
		ssize_t n = recv(q->fd, waste, sizeof(waste), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
		    (events & (EPOLLHUP | EPOLLERR))) {
			finish(q);
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
		respond_without_hub(q);
		return;
	}
	if (q->state == PEEKING)
		log_warning("a connection is closed: no whole FastCGI request came within 2 s");
	finish(q);
}

/* ---- accepting ---------------------------------------------------------------------------------
 */

static void set_listening(struct responder *r, bool on)
{
	for (size_t i = 0; i < r->config->n_listen; i++)
		loop_change(r->loop, &r->listeners[i].io, on ? EPOLLIN : 0);
}

static void on_pause_over(struct loop_timer *t)
{
	set_listening(container_of(t, struct responder, pause), true);
}

static void on_listener(struct loop_io *io, uint32_t events maybe_unused)
{
	struct listener *l = container_of(io, struct listener, io);
	struct responder *r = l->responder;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
			log_warning(
				"cannot accept a connection: %s; trying again (raise LimitNOFILE)",
				strerror(errno));
			set_listening(r, false);
			loop_timer_set(r->loop, &r->pause, loop_now(r->loop) + PAUSE_NS);
		}
		if (fd < 0)
			return;
		struct request *q = mem_zero(sizeof(*q));
		q->responder = r;
		q->fd = fd;
		q->deadline.fn = on_deadline;
		q->reaper.fn = reap;
		list_append(&r->requests, &q->link);
		set_deadline(q, HEAD_PATIENCE_NS);
		/* Edge-triggered, for the head is not taken until it is whole. */
		if (loop_add(r->loop, &q->io, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_io))
			finish(q);
		else
			peek(q);
	}
}

/* ---- what the hub says -------------------------------------------------------------------------
 */

static void on_connected(void *ctx)
{
	struct responder *r = ctx;
	list_each_safe (e, &r->requests) {
		struct request *q = list_entry(e, struct request, link);
		if (q->state == ASKING)
			ask(q);
		if (r->link.fd < 0)
			return;
	}
}

static void on_broken(void *ctx)
{
	struct responder *r = ctx;
	list_each_safe (e, &r->requests) {
		struct request *q = list_entry(e, struct request, link);
		q->is_asked = false;
		q->answer.len = 0;
		if (q->state == HANDING)
			finish(q);
	}
}

static void on_answer(void *ctx, const struct door_answer *a)
{
	struct responder *r = ctx;
	list_each (e, &r->requests) {
		struct request *q = list_entry(e, struct request, link);
		if (q->serial != a->serial || q->state != ASKING)
			continue;
		buf_put_str(&q->answer, a->bytes);
		if (!a->more)
			respond(q, buf_str(&q->answer), a->verdict == DOOR_STREAM);
		return;
	}
}

static void on_resend(struct loop_timer *t)
{
	struct responder *r = container_of(t, struct responder, resend);
	list_each_safe (e, &r->requests) {
		struct request *q = list_entry(e, struct request, link);
		if (q->state == ASKING && !q->is_asked)
			ask(q);
		else if (q->state == HANDING)
			hand_over(q);
		if (r->link.fd < 0)
			return; /* it broke, which has changed the list; asked anew then */
	}
}

static void on_stop(void *ctx, int signo maybe_unused)
{
	struct responder *r = ctx;
	loop_stop(r->loop);
}

static void on_retired(struct loop_timer *t)
{
	struct responder *r = container_of(t, struct responder, retire);
	int64_t now = loop_now(r->loop);
	if (list_is_empty(&r->requests) || now - r->retired_ns > RETIRE_NS)
		loop_stop(r->loop);
	else
		loop_timer_set(r->loop, t, now + RETIRE_NS / 500);
}

/* Another one has taken its place: it accepts no more and ends with its last
 * request.
 */
static void on_retire(void *ctx, int signo maybe_unused)
{
	struct responder *r = ctx;
	for (size_t i = 0; i < r->config->n_listen && i < LISTEN_MAX; i++)
		loop_remove(r->loop, &r->listeners[i].io);
	r->retired_ns = loop_now(r->loop);
	on_retired(&r->retire);
}

int responder_main(const struct responder_config *config)
{
	struct responder *r = mem_zero(sizeof(*r));
	int ret = 1;
	r->config = config;
	r->loop = loop_new();
	r->pause.fn = on_pause_over;
	r->resend.fn = on_resend;
	r->retire.fn = on_retired;
	list_init(&r->requests);
	fd_raise_limit();
	srandom((unsigned)clock_mono_ns() ^ (unsigned)getpid());
	int err = files_load(config->console_dir, &r->files);
	if (err)
		log_error("the console's files in %s cannot be read: %s (install sluice, or set "
			  "SLUICE_CONSOLE_DIR)",
			  config->console_dir, strerror(-err));
	/* Ctrl-C reaches the whole terminal; the supervisor passes it on as SIGTERM. */
	signal(SIGINT, SIG_IGN);
	if (!r->loop || params_init() || loop_signal(r->loop, SIGTERM, on_stop, r) ||
	    loop_signal(r->loop, SIGHUP, on_retire, r)) {
		log_error("cannot start: %s", strerror(errno));
		goto out;
	}
	for (size_t i = 0; i < config->n_listen && i < LISTEN_MAX; i++) {
		struct listener *l = &r->listeners[i];
		l->responder = r;
		l->fd = config->first_listen_fd + (int)i;
		if (fd_set_nonblocking(l->fd) ||
		    loop_add(r->loop, &l->io, l->fd, EPOLLIN, on_listener)) {
			log_error("cannot listen: %s", strerror(errno));
			goto out;
		}
	}
	link_open(&r->link, r->loop, config->hub_socket,
		  &(struct link_events){on_connected, on_answer, on_broken, r});
	loop_run(r->loop);
	link_close(&r->link);
	list_each_safe (e, &r->requests) {
		struct request *q = list_entry(e, struct request, link);
		finish(q);
		list_remove(&q->reaper.link);
		reap(&q->reaper);
	}
	ret = 0;
out:
	for (size_t i = 0; i < r->files.n; i++) {
		free(r->files.all[i].name);
		buf_fini(&r->files.all[i].body);
	}
	free(r->files.all);
	if (r->loop)
		loop_free(r->loop);
	free(r);
	return ret;
}

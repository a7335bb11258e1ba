/* SPDX-License-Identifier: MIT */
#include "responder/responder.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ancestry.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "responder/responder_internal.h"

#define RETIRE_NS (15 * NS_PER_SEC)
#define WATCH_NS  (5 * NS_PER_SEC)
#define REVIVE_NS (1 * NS_PER_SEC)

enum { ACCEPTS_PER_TURN = 64, FILES_RESERVE = 16 };

/* ---- accepting ------------------------------------------------------------------------- */

static void on_pause_over(struct loop_timer *t)
{
	struct responder *r = container_of(t, struct responder, pause);
	responder_listen(r, true);
	list_each_safe (e, &r->requests) {
		struct request *q = list_entry(e, struct request, link);
		if (q->state == READING && q->is_starved)
			request_read(q);
		if (r->pause.slot)
			return; /* still none */
	}
}

/* Whether a request may be accepted, and then be read and asked about. */
static bool has_room(void)
{
	int64_t limit = fd_limit();
	int next = fd_lowest_free();
	return next >= 0 && next < limit - MIN((int64_t)FILES_RESERVE, limit / 4);
}

static bool admits(struct responder *r, int fd)
{
	static const char what[] = "our FastCGI socket";
	return r->config->checks_peers ? peers_admit(&r->peers, fd, what)
				       : peers_admit_origin(&r->peers, fd, what);
}

static void on_listener(struct loop_io *io, uint32_t events maybe_unused)
{
	struct listener *l = container_of(io, struct listener, io);
	struct responder *r = l->responder;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		if (!has_room()) {
			responder_pause(r);
			return;
		}
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && fd_is_shortage(-errno))
			responder_pause(r);
		if (fd < 0)
			return;
		if (!admits(r, fd)) {
			close(fd);
			continue;
		}
		struct request *q = request_open(r, fd, HANDOFF_FCGI);
		if (q->state == READING)
			request_read(q);
	}
}

/* ---- what the hub says ------------------------------------------------------------------ */

static void on_connected(void *ctx)
{
	struct responder *r = ctx;
	r->no_hub = NULL;
	/* The supervisor listens there for the hub. */
	r->peers.supervisor = ancestry_peer(r->hub.fd);
	list_each_safe (e, &r->requests) {
		struct request *q = list_entry(e, struct request, link);
		if (q->state == ASKING)
			request_ask(q);
		if (r->hub.fd < 0)
			return;
	}
}

static void on_broken(void *ctx)
{
	struct responder *r = ctx;
	list_each_safe (e, &r->requests) {
		struct request *q = list_entry(e, struct request, link);
		request_lost_hub(q);
	}
}

static void on_no_hub(void *ctx)
{
	struct responder *r = ctx;
	int64_t now = loop_now(r->loop);
	if (!r->config->start_hub || (r->revived_ns && now - r->revived_ns < REVIVE_NS))
		return;
	r->revived_ns = now;
	r->no_hub = r->config->start_hub(r->config->ctx, !r->no_hub);
	if (!r->no_hub)
		return;
	list_each_safe (e, &r->requests) {
		struct request *q = list_entry(e, struct request, link);
		if (q->state == ASKING)
			request_respond_hopeless(q);
	}
}

static void on_answer(void *ctx, const struct handoff_answer *a)
{
	struct responder *r = ctx;
	uint64_t hash = table_hash(&r->by_serial, &a->serial, sizeof(a->serial));
	table_each_of (e, &r->by_serial, hash) {
		struct request *q = container_of(e, struct request, by_serial);
		if (q->serial != a->serial || q->state != ASKING)
			continue;
		buf_put_str(&q->answer, a->bytes);
		if (!a->more)
			request_respond(q, buf_str(&q->answer), a->verdict == HANDOFF_STREAM);
		return;
	}
}

static void on_resend(struct loop_timer *t)
{
	struct responder *r = container_of(t, struct responder, resend);
	list_each_safe (e, &r->requests) {
		struct request *q = list_entry(e, struct request, link);
		if (q->state == ASKING && !q->is_asked)
			request_ask(q);
		else if (q->state == HANDING)
			request_hand_over(q);
		if (r->hub.fd < 0)
			return; /* it broke, which has changed the list; asked anew then */
	}
}

/* ---- the end ------------------------------------------------------------------------------ */

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
	for (size_t i = 0; i < r->config->n_listen && i < RESPONDER_LISTEN_MAX; i++)
		loop_remove(r->loop, &r->listeners[i].io);
	r->retired_ns = loop_now(r->loop);
	on_retired(&r->retire);
}

/* ---- whether anybody can come --------------------------------------------------------------- */

/* The file that clients find this listening socket by, of what is there now: 1, 0 when there is
 * none, or -1 for a socket that has no file.
 */
static int find_name(int fd, struct stat *st)
{
	struct sockaddr_un a = {0};
	char path[sizeof(a.sun_path) + 1] = "";
	socklen_t n = sizeof(a);
	if (getsockname(fd, (struct sockaddr *)&a, &n) || a.sun_family != AF_UNIX ||
	    a.sun_path[0] != '/')
		return -1;
	memcpy(path, a.sun_path, sizeof(a.sun_path));
	return lstat(path, st) == 0 ? 1 : errno == ENOENT ? 0 : -1;
}

/* Whether whoever has started us had ended before we looked. */
static bool was_left_alone(void)
{
	return getppid() == 1 && getsid(0) != getpid() && kill(getsid(0), 0) < 0 && errno == ESRCH;
}

/* A web server that ends removes the socket, and may have ended while we were being started: then
 * nobody else tells us.
 */
static void on_watch(struct loop_timer *t)
{
	struct responder *r = container_of(t, struct responder, watch);
	struct stat st = {0};
	int found = find_name(r->listeners[0].fd, &st);
	bool is_another =
		found == 1 && r->name_ino && (st.st_ino != r->name_ino || st.st_dev != r->name_dev);
	if (is_another || (!found && (r->name_ino || was_left_alone()))) {
		log_info("the socket was removed: nobody can connect any more");
		on_retire(r, 0);
		return;
	}
	if (found < 0)
		return;
	r->name_ino = st.st_ino;
	r->name_dev = st.st_dev;
	loop_timer_set(r->loop, t, loop_now(r->loop) + WATCH_NS);
}

/* ---- whether it lives ----------------------------------------------------------------------- */

static void on_ping(struct loop_io *io, uint32_t events maybe_unused)
{
	struct responder *r = container_of(io, struct responder, ping_io);
	char byte;
	int none;
	ssize_t n = fd_recv_packet(io->fd, &byte, 1, &none);
	if (n == -EAGAIN)
		return;
	fd_close(&none);
	int err = n <= 0 ? -ENOTCONN : fd_send_packet(io->fd, &byte, 1, -1);
	if (err && err != -EAGAIN)
		loop_remove(r->loop, io);
}

static int answer_pings(struct responder *r)
{
	int fd = r->config->ping_fd;
	int err = fd ? fd_set_nonblocking(fd) : 0;
	return fd && !err ? loop_add(r->loop, &r->ping_io, fd, EPOLLIN, on_ping) : err;
}

/* ---- life ----------------------------------------------------------------------------------- */

static int listen_on_all(struct responder *r)
{
	for (size_t i = 0; i < r->config->n_listen && i < RESPONDER_LISTEN_MAX; i++) {
		struct listener *l = &r->listeners[i];
		l->responder = r;
		l->fd = r->config->first_listen_fd + (int)i;
		int err = fd_set_nonblocking(l->fd);
		if (!err)
			err = loop_add(r->loop, &l->io, l->fd, EPOLLIN, on_listener);
		if (err) {
			log_error("cannot listen: %s", strerror(-err));
			return err;
		}
	}
	return 0;
}

static void end(struct responder *r)
{
	hub_client_close(&r->hub);
	list_each_safe (e, &r->requests)
		request_free(list_entry(e, struct request, link));
	table_fini(&r->by_serial);
	files_free(&r->files);
	/* The request that stopped the loop goes at the end of its turn. */
	if (r->loop)
		loop_settle(r->loop);
	if (r->loop)
		loop_free(r->loop);
	free(r);
}

int responder_main(const struct responder_config *config)
{
	struct responder *r = mem_zero(sizeof(*r));
	r->config = config;
	r->loop = loop_new();
	r->pause.fn = on_pause_over;
	r->resend.fn = on_resend;
	r->retire.fn = on_retired;
	r->watch.fn = on_watch;
	r->hub.fd = r->hub.io.fd = -1;
	list_init(&r->requests);
	table_init(&r->by_serial);
	fd_raise_limit();
	srandom((unsigned)clock_mono_ns() ^ (unsigned)getpid());
	int err = files_load(config->console_dir, &r->files);
	if (err)
		log_error("the console's files in %s cannot be read: %s (install sluice, or set "
			  "SLUICE_CONSOLE_DIR)",
			  config->console_dir, strerror(-err));
	/* Ctrl-C reaches the whole terminal; the supervisor passes it on as SIGTERM. */
	signal(SIGINT, SIG_IGN);
	err = r->loop ? 0 : -ENOMEM;
	if (!err && config->checks_peers)
		err = peers_parse(config->peers, &r->peers);
	if (config->checks_peers)
		r->peers.supervisor = getppid();
	if (!err && !config->is_cgi)
		err = params_init();
	if (!err)
		err = loop_signal(r->loop, SIGTERM, on_stop, r);
	if (!err)
		err = loop_signal(r->loop, SIGHUP, on_retire, r);
	if (!err)
		err = answer_pings(r);
	if (err)
		log_error("cannot start: %s", strerror(-err));
	if (!err)
		err = listen_on_all(r);
	if (err) {
		end(r);
		return 1;
	}
	hub_client_open(
		&r->hub, r->loop, config->hub_socket,
		&(struct hub_client_events){on_connected, on_answer, on_broken, on_no_hub, r});
	if (config->is_on_its_own)
		loop_timer_set(r->loop, &r->watch, loop_now(r->loop));
	if (config->is_cgi)
		cgi_begin(r);
	if (!config->is_cgi || !list_is_empty(&r->requests))
		loop_run(r->loop);
	end(r);
	return 0;
}

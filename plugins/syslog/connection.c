/* SPDX-License-Identifier: MIT
 *
 * A connection holds no buffer while it has sent whole messages: all read into
 * one buffer, and only what is left over is kept for each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cut.h"
#include "common/say.h"
#include "proxy.h"
#include "syslog.h"

#define LAST_WORDS_NS (1000 * MS)

enum { READS_PER_TURN = 4, ACCEPTS_PER_TURN = 64, TLS_RECORD = 0x16 };

struct connection {
	struct connection *next;
	struct state *s;
	struct listener *listener;
	int fd;
	struct tls_session *tls;
	struct proxy *proxy; /* owned: of a PROXY header that is still to come; NULL: none */
	struct origin origin;
	struct framing framing;
	char *rest; /* owned: bytes of a frame that is not whole */
	size_t rest_len;
	int64_t active_ns; /* CLOCK_MONOTONIC: something has arrived */
	bool has_sent;
};

static void close_connection(struct connection *c)
{
	struct state *s = c->s;
	struct connection **p = &s->connections;
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	s->n_connections--;
	if ((int64_t)s->n_connections < s->options.max_connections)
		s->has_refused = false;
	int ignored = s->src->host->watch(s->src, c->fd, 0, NULL, NULL);
	(void)ignored;
	if (c->tls)
		tls_session_free(c->tls);
	close(c->fd);
	free(c->proxy);
	free(c->rest);
	free(c);
}

/* Something is wrong with who sends here. */
static void accuse(struct connection *c, const char *what)
{
	char about[1024];
	snprintf(about, sizeof(about), "%.*s %s", (int)c->origin.peer_host_len, c->origin.peer,
		 what);
	c->s->n_refused++;
	complain(c->s->src, &c->s->warnings, about, "%s: %s: %s", c->listener->address,
		 c->origin.peer, what);
}

/* A frame that is longer than max_message, as the options say. */
static int deliver_cut(struct connection *c, const struct frame *f)
{
	struct state *s = c->s;
	size_t max = s->options.max_message;
	s->n_oversize++;
	if (s->options.on_oversize == OVERSIZE_SPLIT) {
		/* Nothing of it has been thrown away: all of it is there. */
		int r = 0;
		for (size_t at = 0, n; !r && at < f->size; at += n) {
			bool is_last = f->size - at <= max;
			n = is_last ? f->size - at : cut_utf8(f->p + at, max);
			r = deliver(s, &c->origin, f->p + at, n,
				    SLUICE_PARTIAL | (is_last ? 0 : DELIVER_PIECE), 0);
		}
		return r;
	}
	if (s->options.on_oversize == OVERSIZE_DROP)
		return deliver_gap(s, "oversize", 1, c->origin.peer, NULL,
				   "a message of %llu bytes was dropped (max_message)",
				   (unsigned long long)f->size);
	return deliver(s, &c->origin, f->p, f->n, SLUICE_TRUNCATED, f->size);
}

/* Makes at most max_message of the frame under way: with on_oversize: split its
 * pieces go out as they come, else what is beyond is only counted.
 */
static int shorten(struct connection *c, char *p, size_t *n)
{
	struct state *s = c->s;
	size_t max = s->options.max_message, done = 0;
	if (!c->framing.is_inside || *n <= max)
		return 0;
	if (s->options.on_oversize != OVERSIZE_SPLIT) {
		framing_forget(&c->framing, *n - max, true);
		*n = max;
		return 0;
	}
	int r = 0;
	while (!r && *n - done > max) {
		size_t piece = cut_utf8(p + done, max);
		r = deliver(s, &c->origin, p + done, piece, SLUICE_PARTIAL | DELIVER_PIECE, 0);
		s->n_oversize++;
		done += piece;
	}
	framing_forget(&c->framing, done, false);
	memmove(p, p + done, *n - done);
	*n -= done;
	return r;
}

static void keep_rest(struct connection *c, const char *p, size_t n)
{
	free(c->rest);
	c->rest = NULL;
	c->rest_len = n;
	if (!n)
		return;
	c->rest = must(malloc(n));
	memcpy(c->rest, p, n);
}

/* The buffer holds `n` bytes: what was left, and what has just arrived.  0,
 * -ECANCELED, or -EPROTO.
 */
static int take(struct connection *c, char *p, size_t n, bool at_end)
{
	struct state *s = c->s;
	size_t max = s->options.max_message, used;
	for (;;) {
		struct frame f;
		enum framing_result r =
			framing_next(&c->framing, s->options.framing, max, p, n, at_end, &used, &f);
		p += used;
		n -= used;
		if (r == FRAMING_BROKEN)
			return -EPROTO;
		if (r == FRAMING_MORE)
			break;
		bool is_cut_off = at_end && !n && p[-1] != '\n';
		int err = f.size > f.n ? deliver_cut(c, &f)
				       : deliver(s, &c->origin, f.p, f.n,
						 is_cut_off || f.is_rest ? SLUICE_PARTIAL : 0, 0);
		if (err)
			return err;
	}
	int err = shorten(c, p, &n);
	keep_rest(c, p, n);
	return err;
}

static ssize_t read_some(struct connection *c, char *p, char *why, size_t why_size)
{
	if (c->tls)
		return tls_session_read(c->tls, p, READ_SIZE, why, why_size);
	ssize_t n = recv(c->fd, p, READ_SIZE, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

/* What was left over is the last message. */
static void finish(struct connection *c)
{
	if (c->rest_len) {
		memcpy(c->s->buffer, c->rest, c->rest_len);
		int ignored = take(c, c->s->buffer, c->rest_len, true);
		(void)ignored;
	}
	close_connection(c);
}

static bool speaks_tls(const struct connection *c, const char *p, ssize_t n)
{
	return !c->tls && !c->has_sent && !c->listener->is_unix && n >= 2 && p[0] == TLS_RECORD &&
	       p[1] == 3;
}

static bool give_up(struct connection *c, const char *what)
{
	if (what)
		accuse(c, what);
	close_connection(c);
	return false;
}

/* Reads of the PROXY header, and not a byte behind it.  False when the connection is
 * over, or there is nothing to read.
 */
static bool read_proxy_header(struct connection *c)
{
	struct state *s = c->s;
	struct sockaddr_storage from;
	char bytes[512];
	size_t used;
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) /* without a byte: a look whether the port is open */
		return give_up(c, c->proxy->n ? "closed the connection within its PROXY header"
					      : NULL);
	enum proxy_result r = proxy_take(c->proxy, bytes, (size_t)n, &used, &from);
	if (r == PROXY_BROKEN)
		return give_up(c, "is in trusted_proxies, but sent no valid PROXY header: closed "
				  "(enable it there, such as send-proxy-v2 in HAProxy)");
	if (recv(c->fd, bytes, used, MSG_DONTWAIT) != (ssize_t)used)
		return give_up(c, "cannot be read");
	if (r == PROXY_MORE)
		return true;
	free(c->proxy);
	c->proxy = NULL;
	c->active_ns = mono_ns();
	if (from.ss_family != AF_UNSPEC)
		senders_origin(s->senders, &c->origin, &from);
	if (senders_allow(s->senders, &c->origin.address))
		return true;
	return give_up(c, from.ss_family == AF_UNSPEC
				  ? NULL
				  : "is not in allow: closed (add it to allow)");
}

/* What to say about a PROXY header where none is read. */
static const char *unread_header(const struct connection *c, const char *p, ssize_t n)
{
	if (c->has_sent || c->tls || c->listener->is_unix || !proxy_begins(p, (size_t)n))
		return NULL;
	return c->s->options.proxy_protocol ? "sent a PROXY header, but is not in trusted_proxies: "
					      "closed (add it to trusted_proxies)"
					    : "sends a PROXY header, which is treated as a message "
					      "(set proxy_protocol: true and trusted_proxies)";
}

/* False when the connection is over. */
static bool read_once(struct connection *c)
{
	struct state *s = c->s;
	char why[512] = "", *p = s->buffer + c->rest_len;
	if (c->proxy)
		return read_proxy_header(c);
	ssize_t n = read_some(c, p, why, sizeof(why));
	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n == -EPROTO)
		return give_up(c, why);
	if (n <= 0) {
		s->now_ns = wall_ns();
		finish(c);
		return false;
	}
	if (speaks_tls(c, p, n))
		return give_up(c, "speaks TLS, but this address does not (let it send to a tls: "
				  "address, or disable TLS there)");
	const char *header = unread_header(c, p, n);
	if (header && s->options.proxy_protocol)
		return give_up(c, header);
	if (header)
		complain(s->src, &s->warnings, "PROXY", "%s: %s %s", c->listener->address,
			 c->origin.peer, header);
	c->has_sent = true;
	c->active_ns = mono_ns();
	s->now_ns = wall_ns();
	if (c->rest_len)
		memcpy(s->buffer, c->rest, c->rest_len);
	int r = take(c, s->buffer, c->rest_len + (size_t)n, false);
	if (r == -EPROTO)
		return give_up(c, "sent no valid octet count, or one far beyond max_message: "
				  "closed (see framing)");
	return r == 0 && (n == READ_SIZE || c->tls != NULL);
}

static void on_readable(struct sluice_source *src, int fd, short revents, void *ctx)
{
	struct connection *c = ctx;
	(void)src;
	(void)fd;
	(void)revents;
	/* What TLS has decrypted already makes the descriptor readable no more. */
	for (int i = 0; i < READS_PER_TURN || (c->tls && tls_session_has_more(c->tls)); i++)
		if (!read_once(c))
			return;
}

/* ---- accepting ---- */

static bool is_refused(struct state *s, const struct listener *l, const struct origin *o)
{
	if (!l->is_unix && !senders_is_proxy(s->senders, &o->address) &&
	    !senders_allow(s->senders, &o->address)) {
		complain(s->src, &s->warnings, "allow",
			 "%s: %s is not in allow: ignored (add it to allow)", l->address, o->peer);
		return true;
	}
	if ((int64_t)s->n_connections < s->options.max_connections)
		return false;
	if (!s->has_refused)
		say(s->src, SLUICE_LOG_WARNING,
		    "%s: more than %lld connections: %s and further ones are closed at once (raise "
		    "max_connections)",
		    l->address, (long long)s->options.max_connections, o->peer);
	s->has_refused = true;
	return true;
}

static void begin(struct state *s, struct listener *l, int fd, const struct origin *o)
{
	struct connection *c = must(calloc(1, sizeof(*c)));
	*c = (struct connection){.next = s->connections,
				 .s = s,
				 .listener = l,
				 .fd = fd,
				 .origin = *o,
				 .active_ns = mono_ns()};
	s->connections = c;
	s->n_connections++;
	s->n_accepted++;
	if (!l->is_unix && senders_is_proxy(s->senders, &o->address))
		c->proxy = must(calloc(1, sizeof(*c->proxy)));
	if (l->is_tls)
		c->tls = tls_session_new(s->tls, fd);
	if ((l->is_tls && !c->tls) || s->src->host->watch(s->src, fd, POLLIN, on_readable, c))
		close_connection(c);
}

static void on_accept(struct sluice_source *src, int fd, short revents, void *ctx)
{
	struct listener *l = ctx;
	struct state *s = l->s;
	(void)src;
	(void)revents;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		struct origin o;
		int conn =
			accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (conn < 0) {
			if (errno == EMFILE || errno == ENFILE)
				complain(s->src, &s->warnings, "descriptors",
					 "%s: no descriptors left for connections "
					 "(limits.open_files)",
					 l->address);
			return;
		}
		senders_origin(s->senders, &o, &from);
		struct ucred cred;
		len = sizeof(cred);
		if (l->is_unix && getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
			o.has_credentials = true;
			o.pid = cred.pid;
			o.uid = cred.uid;
		}
		if (is_refused(s, l, &o)) {
			s->n_refused++;
			close(conn);
			continue;
		}
		begin(s, l, conn, &o);
	}
}

void connections_start(struct state *s, struct listener *l)
{
	if (!s->buffer)
		s->buffer = must(malloc(s->options.max_message + 64 + READ_SIZE));
	int r = s->src->host->watch(s->src, l->fd, POLLIN, on_accept, l);
	if (r)
		say(s->src, SLUICE_LOG_ERROR, "%s: %s", l->address, strerror(-r));
}

void connections_expire(struct state *s)
{
	int64_t now = mono_ns();
	for (struct connection *c = s->connections, *next; c; c = next) {
		next = c->next;
		bool shakes_hands = c->proxy || (c->tls && !tls_session_is_up(c->tls));
		int64_t patience = shakes_hands ? s->options.handshake_ns : s->options.idle_ns;
		if (!patience || now - c->active_ns < patience)
			continue;
		if (shakes_hands)
			accuse(c, c->proxy ? "sent no PROXY header within handshake_timeout: closed"
					   : "did not finish the TLS handshake within "
					     "handshake_timeout: closed");
		s->now_ns = wall_ns();
		finish(c);
	}
}

/* Senders have been told that it has arrived: what is in the sockets is read, as
 * far as there is time.
 */
void connections_close_all(struct state *s)
{
	int64_t until = mono_ns() + LAST_WORDS_NS;
	while (s->connections) {
		struct connection *c = s->connections;
		bool more = mono_ns() < until;
		while (more && c == s->connections)
			more = read_once(c) && mono_ns() < until;
		if (c == s->connections) {
			s->now_ns = wall_ns();
			finish(c);
		}
	}
}

void connections_free(struct state *s)
{
	free(s->buffer);
}

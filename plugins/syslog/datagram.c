/* SPDX-License-Identifier: MIT
 *
 * Datagrams are read many at a time.  What the kernel had no room for it only
 * counts: that count is read back (SO_MEMINFO, socket(7)) and declared, so
 * that received and dropped together are what was sent.
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/say.h"
#include "syslog.h"

#define WINDOW_NS (10 * MS)
#define PAUSE_NS  (1 * MS)

enum { WAKES_MAX = 50, BATCH_MAX = 64, BATCH_BYTES = 1024 * 1024, BATCHES_PER_TURN = 16 };

/* Credentials, and no room for descriptors that somebody sends along. */
#define CONTROL_SIZE CMSG_SPACE(sizeof(struct ucred))

struct datagrams {
	size_t n;
	size_t room; /* bytes for each */
	struct mmsghdr *heads;
	struct iovec *iov;
	struct sockaddr_storage *from;
	char *bytes;
	char *control;
};

static struct datagrams *new_datagrams(size_t max_message)
{
	struct datagrams *d = must(calloc(1, sizeof(*d)));
	d->room = max_message;
	d->n = BATCH_BYTES / max_message;
	d->n = d->n < 4 ? 4 : d->n > BATCH_MAX ? BATCH_MAX : d->n;
	d->heads = must(calloc(d->n, sizeof(d->heads[0])));
	d->iov = must(calloc(d->n, sizeof(d->iov[0])));
	d->from = must(calloc(d->n, sizeof(d->from[0])));
	d->bytes = must(malloc(d->n * d->room));
	d->control = must(malloc(d->n * CONTROL_SIZE));
	return d;
}

void datagrams_free(struct state *s)
{
	struct datagrams *d = s->datagrams;
	if (!d)
		return;
	free(d->heads);
	free(d->iov);
	free(d->from);
	free(d->bytes);
	free(d->control);
	free(d);
}

static void prepare(struct datagrams *d, bool is_unix)
{
	for (size_t i = 0; i < d->n; i++) {
		d->iov[i] = (struct iovec){d->bytes + i * d->room, d->room};
		d->heads[i].msg_hdr = (struct msghdr){
			.msg_name = &d->from[i],
			.msg_namelen = sizeof(d->from[i]),
			.msg_iov = &d->iov[i],
			.msg_iovlen = 1,
			.msg_control = is_unix ? d->control + i * CONTROL_SIZE : NULL,
			.msg_controllen = is_unix ? CONTROL_SIZE : 0,
		};
		d->from[i].ss_family = AF_UNSPEC;
	}
}

/* The kernel says who has sent it: SCM_CREDENTIALS, unix(7). */
static void take_credentials(struct msghdr *h, struct origin *o)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		struct ucred cred;
		int passed;
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			for (size_t at = CMSG_LEN(0); at + sizeof(passed) <= c->cmsg_len;
			     at += sizeof(passed)) {
				memcpy(&passed, (char *)c + at, sizeof(passed));
				close(passed);
			}
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		o->has_credentials = true;
		o->pid = cred.pid;
		o->uid = cred.uid;
	}
}

/* 0 or -ECANCELED. */
static int take(struct state *s, struct listener *l, struct mmsghdr *m, struct origin *o)
{
	size_t n = m->msg_len, kept = n < s->datagrams->room ? n : s->datagrams->room;
	const char *p = m->msg_hdr.msg_iov->iov_base;
	if (l->is_unix)
		take_credentials(&m->msg_hdr, o);
	else if (!senders_allow(s->senders, &o->address)) {
		s->n_refused++;
		complain(s->src, &s->warnings, "allow", "%s: not among those that may send (allow)",
			 o->peer);
		return 0;
	}
	if (n == kept)
		return deliver(s, o, p, n, 0, 0);
	s->n_oversize++;
	if (s->options.on_oversize == OVERSIZE_DROP)
		return deliver_gap(s, "oversize", 1, o->peer, NULL,
				   "a datagram of %zu bytes was dropped (max_message)", n);
	return deliver(s, o, p, kept, SLUICE_TRUNCATED, n);
}

/* Reads what there is, within a budget; how many. */
static size_t drain(struct listener *l)
{
	struct state *s = l->s;
	struct datagrams *d = s->datagrams;
	struct origin o = {0};
	struct sockaddr_storage last = {0};
	size_t total = 0;
	for (int batch = 0; batch < BATCHES_PER_TURN; batch++) {
		prepare(d, l->is_unix);
		/* MSG_TRUNC: the length that it had, not the one that had room. */
		int n = recvmmsg(l->fd, d->heads, (unsigned)d->n,
				 MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC, NULL);
		if (n <= 0)
			break;
		s->now_ns = wall_ns();
		for (int i = 0; i < n; i++) {
			if (!o.peer[0] || memcmp(&last, &d->from[i], sizeof(last)) != 0) {
				senders_origin(s->senders, &o, &d->from[i]);
				last = d->from[i];
			}
			/* What has been read is gone from the socket: all of it is offered. */
			int ignored = take(s, l, &d->heads[i], &o);
			(void)ignored;
		}
		total += (size_t)n;
		if ((size_t)n < d->n)
			break;
	}
	return total;
}

static void on_datagrams(struct sluice_source *src, int fd, short revents, void *ctx);

static void on_pause_over(struct sluice_source *src, void *ctx)
{
	struct listener *l = ctx;
	if (drain(l))
		src->host->timer(src, PAUSE_NS, 0, on_pause_over, l);
	else if (src->host->watch(src, l->fd, POLLIN, on_datagrams, l))
		say(src, SLUICE_LOG_ERROR, "%s cannot be read any more", l->address);
}

/* A wake-up for each datagram costs more than the datagram: while they come
 * quickly, they are let gather for a moment in the socket.
 */
static void on_datagrams(struct sluice_source *src, int fd, short revents, void *ctx)
{
	struct listener *l = ctx;
	int64_t now = mono_ns();
	(void)revents;
	drain(l);
	if (now - l->window_ns > WINDOW_NS) {
		l->window_ns = now;
		l->n_wakes = 0;
	}
	if (++l->n_wakes < WAKES_MAX)
		return;
	l->n_wakes = 0;
	int ignored = src->host->watch(src, fd, 0, NULL, NULL);
	(void)ignored;
	src->host->timer(src, PAUSE_NS, 0, on_pause_over, l);
}

/* ---- what was dropped ---- */

static bool read_drops(int fd, uint32_t *ret)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(info);
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0 ||
	    len <= SK_MEMINFO_DROPS * sizeof(info[0]))
		return false;
	*ret = info[SK_MEMINFO_DROPS];
	return true;
}

/* A cursor holds the count that was declared, and of which socket: the hub keeps
 * the socket over a restart of ours, and the kernel goes on counting.
 */
struct counted {
	uint64_t cookie;
	uint32_t dropped;
};

static struct sluice_cursor cursor_of(const struct listener *l, struct counted *value)
{
	memset(value, 0, sizeof(*value));
	value->cookie = l->cookie;
	value->dropped = l->dropped;
	return (struct sluice_cursor){l->address, strlen(l->address), value, sizeof(*value)};
}

static void count_drops(struct state *s, struct listener *l)
{
	uint32_t now;
	struct counted value;
	if (!l->is_datagram || !read_drops(l->fd, &now) || now == l->dropped)
		return;
	uint32_t n = now - l->dropped;
	l->dropped = now;
	s->n_dropped += n;
	struct sluice_cursor c = cursor_of(l, &value);
	int ignored = deliver_gap(s, "dropped", n, NULL, &c,
				  "%s: the kernel dropped %u %s that were not read in time (raise "
				  "receive_buffer)",
				  l->address, n, plural(n, "datagram", "datagrams"));
	(void)ignored;
}

void datagrams_count_drops(struct state *s)
{
	for (size_t i = 0; i < s->n_listeners; i++)
		count_drops(s, &s->listeners[i]);
}

static void resume_count(struct state *s, struct listener *l)
{
	struct sluice_cursor c;
	struct counted value;
	socklen_t len = sizeof(l->cookie);
	getsockopt(l->fd, SOL_SOCKET, SO_COOKIE, &l->cookie, &len);
	for (size_t i = 0; s->src->host->cursor(s->src, i, &c) == 0; i++) {
		if (c.value_len != sizeof(value) || c.key_len != strlen(l->address) ||
		    memcmp(c.key, l->address, c.key_len) != 0)
			continue;
		memcpy(&value, c.value, sizeof(value));
		if (value.cookie == l->cookie)
			l->dropped = value.dropped;
	}
}

void datagrams_start(struct state *s, struct listener *l)
{
	int on = 1;
	if (!s->datagrams)
		s->datagrams = new_datagrams(s->options.max_message);
	if (l->is_unix)
		setsockopt(l->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	resume_count(s, l);
	int r = s->src->host->watch(s->src, l->fd, POLLIN, on_datagrams, l);
	if (r)
		say(s->src, SLUICE_LOG_ERROR, "%s: %s", l->address, strerror(-r));
}

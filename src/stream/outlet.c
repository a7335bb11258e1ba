/* SPDX-License-Identifier: MIT */
#include "stream/outlet.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "wire/fcgi.h"

/* What tells that the peer is gone.  A FastCGI peer may have more to say; to a CGI
 * program's output nobody talks, and Apache's mod_cgid shuts that side down at once.
 */
static uint32_t wait_events(const struct outlet *o)
{
	return o->framing == HANDOFF_FCGI ? EPOLLIN | EPOLLRDHUP : 0; /* HUP and ERR always */
}

void outlet_close(struct outlet *o)
{
	if (o->fd < 0)
		return;
	list_remove(&o->gone.link);
	loop_remove(o->loop, &o->io);
	fd_close(&o->fd);
	buf_fini(&o->pending);
	o->pending_at = 0;
}

static void go(struct outlet *o)
{
	outlet_close(o);
	o->ops->on_gone(o);
}

static void on_gone(struct loop_task *t)
{
	go(container_of(t, struct outlet, gone));
}

/* The connection is broken.  The caller, which may be sending now, learns it later through
 * on_gone().
 */
static void lose(struct outlet *o)
{
	o->is_lost = o->waits = true;
	buf_fini(&o->pending);
	o->pending_at = 0;
	loop_defer(o->loop, &o->gone);
}

static bool takes(const struct outlet *o)
{
	return o->fd >= 0 && !o->is_lost;
}

/* What the socket takes; the connection is lost when it is broken. */
static size_t try_send(struct outlet *o, const char *p, size_t n)
{
	size_t done = 0;
	while (done < n) {
		ssize_t w = fd_send(o->fd, p + done, n - done);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (w < 0) {
			lose(o);
			return 0;
		}
		done += (size_t)w;
	}
	if (done)
		o->moved_ns = loop_now(o->loop);
	return done;
}

static void send_pending(struct outlet *o)
{
	o->waits = false;
	size_t n = try_send(o, o->pending.data + o->pending_at, o->pending.len - o->pending_at);
	if (o->is_lost)
		return;
	o->pending_at += n;
	o->waits = o->pending_at < o->pending.len;
	if (o->waits) {
		loop_change(o->loop, &o->io, wait_events(o) | EPOLLOUT);
		return;
	}
	buf_fini(&o->pending);
	o->pending_at = 0;
	if (o->ends)
		loop_defer(o->loop, &o->gone);
	else
		loop_change(o->loop, &o->io, wait_events(o));
}

size_t outlet_try(struct outlet *o, const char *p, size_t n)
{
	return takes(o) ? try_send(o, p, n) : 0;
}

void outlet_keep(struct outlet *o, const char *p, size_t n)
{
	if (!takes(o))
		return;
	buf_put(&o->pending, p, n);
	o->waits = true;
	loop_change(o->loop, &o->io, wait_events(o) | EPOLLOUT);
}

void outlet_put(struct outlet *o, struct str text)
{
	if (!takes(o) || !text.len)
		return;
	if (o->framing == HANDOFF_FCGI)
		fcgi_put_stdout(&o->pending, o->fcgi_id, text);
	else
		buf_put_str(&o->pending, text);
	send_pending(o);
}

void outlet_put_framed(struct outlet *o, struct buf *bytes)
{
	if (!takes(o) || !bytes->len)
		return;
	if (o->pending.len) {
		buf_put_str(&o->pending, buf_str(bytes));
	} else {
		o->pending = *bytes;
		*bytes = (struct buf){0};
	}
	send_pending(o);
}

void outlet_end(struct outlet *o)
{
	if (!takes(o) || o->ends)
		return;
	o->ends = true;
	if (o->framing == HANDOFF_FCGI)
		fcgi_put_end(&o->pending, o->fcgi_id);
	send_pending(o);
}

static void on_io(struct loop_io *io, uint32_t events)
{
	struct outlet *o = container_of(io, struct outlet, io);
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		unsigned char waste[4096];
		ssize_t n = o->framing == HANDOFF_FCGI ? read(o->fd, waste, sizeof(waste)) : 1;
		bool aborted = n >= 2 && waste[0] == 1 && waste[1] == FCGI_TYPE_ABORT;
		if (n == 0 || aborted || (n < 0 && errno != EAGAIN && errno != EINTR) ||
		    (events & (EPOLLHUP | EPOLLERR))) {
			go(o);
			return;
		}
	}
	if (events & EPOLLOUT && takes(o)) {
		send_pending(o);
		if (!o->waits && !o->ends)
			o->ops->on_room(o);
	}
}

int outlet_open(struct outlet *o, struct loop *l, int fd, uint16_t fcgi_id,
		enum handoff_framing framing, const struct outlet_ops *ops)
{
	o->ops = ops;
	o->loop = l;
	o->fd = fd;
	o->fcgi_id = fcgi_id;
	o->framing = framing;
	o->io.fd = -1;
	o->gone.fn = on_gone;
	list_init(&o->gone.link);
	o->moved_ns = loop_now(l);
	int r = fd_set_nonblocking(fd);
	if (!r)
		r = loop_add(l, &o->io, fd, wait_events(o), on_io);
	if (r) {
		loop_remove(l, &o->io);
		fd_close(&o->fd);
	}
	return r;
}

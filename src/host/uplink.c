/* SPDX-License-Identifier: MIT */
#include "host/uplink.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* A hub that cannot write its journal must not hold up the end. */
#define FINISH_NS (1500 * NS_PER_MS)

enum {
	FRAME_FULL = 64 * 1024,
	FRAME_OLD_NS = 1000000,
	CONTROL_MAX = 64 * 1024 * 1024,
};

/* The cursor of one key within the frame being gathered. */
struct dirty {
	struct buf key, value;
};

void uplink_fini(struct uplink *u)
{
	for (size_t i = 0; i < u->dirty_room; i++) {
		buf_fini(&u->dirty[i].key);
		buf_fini(&u->dirty[i].value);
	}
	free(u->dirty);
	buf_fini(&u->events);
	buf_fini(&u->control);
}

/* The hub is gone: there is nobody to work for, and nothing that is not
 * committed may be told to anyone else.
 */
static no_return void hub_is_gone(void)
{
	_exit(0);
}

void uplink_send(struct uplink *u, struct str s)
{
	while (s.len) {
		ssize_t w = send(u->fd, s.data, s.len, MSG_NOSIGNAL);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			hub_is_gone();
		s.data += w;
		s.len -= (size_t)w;
	}
}

void uplink_send_simple(struct uplink *u, enum frame_type type, struct str body)
{
	struct buf out = {0};
	size_t begun = frame_begin(&out, type);
	buf_put_str(&out, body);
	frame_end(&out, begun);
	uplink_send(u, buf_str(&out));
	buf_fini(&out);
}

static void heed(struct uplink *u)
{
	struct str rest = buf_str(&u->control);
	struct frame f;
	while (frame_next(&rest, CONTROL_MAX, &f) == 1) {
		if (f.type == FRAME_CREDIT && f.body.len == 4)
			u->credit += get_u32(f.body.data);
		else if (f.type == FRAME_STOP)
			u->stopping = true;
		else if (f.type == FRAME_PING)
			uplink_send_simple(u, FRAME_PONG, (struct str){NULL, 0});
		else
			u->on_frame(u->ctx, &f);
	}
	buf_drop(&u->control, u->control.len - rest.len);
}

void uplink_hear(struct uplink *u, bool wait)
{
	ssize_t n = recv(u->fd, buf_reserve(&u->control, 4096), 4096, wait ? 0 : MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		hub_is_gone();
	if (n > 0)
		u->control.len += (size_t)n;
	heed(u);
}

/* ---- gathering ------------------------------------------------------------------------ */

static void begin(struct uplink *u)
{
	if (u->events.len)
		return;
	u->begun = frame_begin(&u->events, FRAME_EVENTS);
	u->begun_ns = clock_mono_ns();
}

void uplink_put_event(struct uplink *u, const struct event *ev)
{
	begin(u);
	record_put_event(&u->events, ev);
}

void uplink_put_cursor(struct uplink *u, struct str key, struct str value)
{
	size_t i = u->last_dirty;
	begin(u);
	if (i >= u->n_dirty || !str_eq(buf_str(&u->dirty[i].key), key))
		for (i = 0; i < u->n_dirty && !str_eq(buf_str(&u->dirty[i].key), key);)
			i++;
	if (i == u->n_dirty) {
		if (i == u->dirty_room) {
			size_t room = i ? i * 2 : 4;
			u->dirty = mem_resize(u->dirty, room * sizeof(u->dirty[0]));
			memset(u->dirty + i, 0, (room - i) * sizeof(u->dirty[0]));
			u->dirty_room = room;
		}
		u->n_dirty++;
		u->dirty[i].key.len = u->dirty[i].value.len = 0;
		u->dirty_bytes += CURSOR_KEY_MAX;
		buf_put(&u->dirty[i].key, key.data, MIN(key.len, (size_t)CURSOR_KEY_MAX));
	}
	u->dirty_bytes -= u->dirty[i].value.len;
	u->dirty_bytes += MIN(value.len, (size_t)CURSOR_VALUE_MAX);
	u->dirty[i].value.len = 0;
	buf_put(&u->dirty[i].value, value.data, MIN(value.len, (size_t)CURSOR_VALUE_MAX));
	u->last_dirty = i;
}

static void put_dirty(struct uplink *u)
{
	for (size_t i = 0; i < u->n_dirty; i++)
		record_put_cursor(&u->events,
				  &(struct cursor){.key = buf_str(&u->dirty[i].key),
						   .value = buf_str(&u->dirty[i].value)});
	u->n_dirty = u->last_dirty = 0;
	u->dirty_bytes = 0;
}

static void set_behind(struct uplink *u, bool is_behind)
{
	if (u->is_behind == is_behind)
		return;
	u->is_behind = is_behind;
	u->on_behind(u->ctx, is_behind);
}

bool uplink_is_full(const struct uplink *u)
{
	return u->credit <= 0 && u->events.len >= FRAME_FULL;
}

int uplink_flush(struct uplink *u, bool wait)
{
	if (u->events.len || u->is_behind)
		uplink_hear(u, false);
	if (u->credit > 0)
		set_behind(u, false);
	if (!u->events.len)
		return u->stopping ? -ECANCELED : 0;
	if (u->credit <= 0)
		set_behind(u, true);
	while (wait && u->credit <= 0 && !u->stopping)
		uplink_hear(u, true);
	if (u->credit > 0) {
		put_dirty(u);
		frame_end(&u->events, u->begun);
		uplink_send(u, buf_str(&u->events));
		u->credit -= (int64_t)u->events.len;
		buf_reset(&u->events, 4 * FRAME_FULL);
		if (u->credit > 0)
			set_behind(u, false);
	}
	return u->stopping ? -ECANCELED : 0;
}

void uplink_finish(struct uplink *u)
{
	int64_t until = clock_mono_ns() + FINISH_NS;
	for (;;) {
		int ignored = uplink_flush(u, false);
		(void)ignored;
		int64_t left = (until - clock_mono_ns()) / NS_PER_MS;
		struct pollfd p = {.fd = u->fd, .events = POLLIN};
		if (!u->events.len || left <= 0 || poll(&p, 1, (int)left) == 0)
			return;
	}
}

int uplink_settle(struct uplink *u)
{
	if (u->events.len + u->dirty_bytes >= FRAME_FULL) {
		if (!u->stopping)
			return uplink_flush(u, true);
		uplink_finish(u); /* last words */
		return -ECANCELED;
	}
	if (clock_mono_ns() - u->begun_ns >= FRAME_OLD_NS)
		return uplink_flush(u, false);
	return 0;
}

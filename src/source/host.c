/* SPDX-License-Identifier: MIT */
#include "source/host.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "source/opening.h"
#include "source/plugin.h"
#include "source/tables.h"
#include "wire/record.h"

enum {
	FRAME_FULL = 64 * 1024,
	FRAME_OLD_NS = 1000000,
	WAIT_FDS_MAX = 1024,
	CONTROL_MAX = 1024 * 1024,
};

/* The cursor of one key within the frame being gathered. */
struct dirty {
	struct buf key, value;
};

struct host {
	struct sluice_source src; /* first: what the plugin holds */
	int fd;
	struct opening opening;
	const struct sluice_option *table;
	struct buf control; /* bytes from the hub, not yet whole frames */
	struct buf events;  /* the frame being gathered; empty when there is none */
	size_t begun;
	int64_t begun_ns;
	struct dirty *dirty; /* the first n_dirty are in use */
	size_t n_dirty, dirty_room;
	size_t last_dirty;
	int64_t credit; /* bytes; a frame may be sent while it is positive */
	bool stopping;
};

/* ---- the connection -------------------------------------------------------------- */

/* The hub is gone: there is nobody to work for, and nothing that is not
 * committed may be told to anyone else.
 */
static no_return void hub_is_gone(void)
{
	_exit(0);
}

static void send_bytes(struct host *h, const char *p, size_t n)
{
	while (n) {
		ssize_t w = send(h->fd, p, n, MSG_NOSIGNAL);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			hub_is_gone();
		p += w;
		n -= (size_t)w;
	}
}

/* Heeds the whole frames that the hub has sent so far. */
static void heed(struct host *h)
{
	struct str rest = buf_str(&h->control);
	struct frame f;
	while (frame_next(&rest, CONTROL_MAX, &f) == 1) {
		if (f.type == FRAME_CREDIT && f.body.len == 4)
			h->credit += get_u32(f.body.data);
		else if (f.type == FRAME_STOP)
			h->stopping = true;
	}
	buf_drop(&h->control, h->control.len - rest.len);
}

/* Reads what the hub has sent; with `wait` at least something. */
static void hear(struct host *h, bool wait)
{
	ssize_t n = recv(h->fd, buf_reserve(&h->control, 4096), 4096, wait ? 0 : MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		hub_is_gone();
	if (n > 0)
		h->control.len += (size_t)n;
	heed(h);
}

/* ---- gathering ------------------------------------------------------------------------ */

static void begin_events(struct host *h)
{
	if (h->events.len)
		return;
	h->begun = frame_begin(&h->events, FRAME_EVENTS);
	h->begun_ns = clock_mono_ns();
}

static void put_dirty(struct host *h)
{
	for (size_t i = 0; i < h->n_dirty; i++)
		record_put_cursor(&h->events,
				  &(struct cursor){.key = buf_str(&h->dirty[i].key),
						   .value = buf_str(&h->dirty[i].value)});
	h->n_dirty = h->last_dirty = 0;
}

/* Sends the gathered frame once there is credit.  0, or -ECANCELED when the
 * source has to stop before there was: then the frame is dropped, which loses
 * nothing, for its cursors are dropped with it.
 */
static int flush(struct host *h)
{
	if (!h->events.len)
		return h->stopping ? -ECANCELED : 0;
	put_dirty(h);
	frame_end(&h->events, h->begun);
	while (h->credit <= 0 && !h->stopping)
		hear(h, true);
	if (h->credit > 0) {
		send_bytes(h, h->events.data, h->events.len);
		h->credit -= (int64_t)h->events.len;
	}
	buf_reset(&h->events, 4 * FRAME_FULL);
	return h->stopping ? -ECANCELED : 0;
}

static int flush_if_due(struct host *h)
{
	if (h->events.len >= FRAME_FULL || clock_mono_ns() - h->begun_ns >= FRAME_OLD_NS)
		return flush(h);
	return 0;
}

static bool key_is(const struct dirty *d, const struct sluice_cursor *c)
{
	return str_eq(buf_str(&d->key), (struct str){c->key, c->key_len});
}

static void note_cursor(struct host *h, const struct sluice_cursor *c)
{
	size_t i = h->last_dirty;
	if (i >= h->n_dirty || !key_is(&h->dirty[i], c))
		for (i = 0; i < h->n_dirty && !key_is(&h->dirty[i], c);)
			i++;
	if (i == h->n_dirty) {
		if (i == h->dirty_room) {
			size_t room = i ? i * 2 : 4;
			h->dirty = mem_resize(h->dirty, room * sizeof(h->dirty[0]));
			memset(h->dirty + i, 0, (room - i) * sizeof(h->dirty[0]));
			h->dirty_room = room;
		}
		h->n_dirty++;
		h->dirty[i].key.len = 0;
		buf_put(&h->dirty[i].key, c->key, MIN(c->key_len, (size_t)CURSOR_KEY_MAX));
	}
	h->dirty[i].value.len = 0;
	buf_put(&h->dirty[i].value, c->value, MIN(c->value_len, (size_t)CURSOR_VALUE_MAX));
	h->last_dirty = i;
}

/* ---- what the plugin calls ---------------------------------------------------------------- */

static struct host *host_of(struct sluice_source *src)
{
	return container_of(src, struct host, src);
}

static const char *host_option(struct sluice_source *src, const char *name, size_t i)
{
	struct host *h = host_of(src);
	const struct option_value *v = option_find(&h->opening.options, name);
	if (v)
		return i < v->n ? v->items[i] : NULL;
	const struct sluice_option *o = option_lookup(h->table, name);
	return o && i == 0 ? o->fallback : NULL;
}

static int64_t host_number(struct sluice_source *src, const char *name)
{
	const struct sluice_option *o = option_lookup(host_of(src)->table, name);
	const char *text = host_option(src, name, 0);
	int64_t ret = 0;
	char *why = NULL;
	if (o && text && option_number(o, text, &ret, &why))
		free(why);
	return ret;
}

static void send_refusal(struct host *h, const char *option, const char *message)
{
	struct buf out = {0};
	size_t begun = frame_begin(&out, FRAME_REFUSED);
	buf_put_short(&out, str_of(option));
	buf_put_short(&out, str_of(message));
	frame_end(&out, begun);
	send_bytes(h, out.data, out.len);
	buf_fini(&out);
}

static int host_refuse(struct sluice_source *src, const char *option, const char *message)
{
	send_refusal(host_of(src), option ? option : "", message);
	return -EINVAL;
}

static void put_fields(const struct sluice_event *in, struct buf *out)
{
	for (size_t i = 0; i < in->n_fields && i < FIELDS_MAX; i++) {
		const struct sluice_value *v = &in->fields[i];
		struct field f = {.name = str_of(v->name),
				  .type = FIELD_NULL,
				  .string = {v->string, v->string_len},
				  .integer = v->integer,
				  .number = v->number};
		if (v->type == SLUICE_STRING)
			f.type = FIELD_STRING;
		else if (v->type == SLUICE_INT)
			f.type = FIELD_INT;
		else if (v->type == SLUICE_DOUBLE)
			f.type = FIELD_DOUBLE;
		else if (v->type == SLUICE_BOOL)
			f.type = FIELD_BOOL;
		field_put(out, &f);
	}
}

static int host_emit(struct sluice_source *src, const struct sluice_event *in)
{
	struct host *h = host_of(src);
	if (h->stopping)
		return -ECANCELED;
	struct buf fields = {0};
	put_fields(in, &fields);
	struct event ev = {
		.time_ns = in->time_ns ? in->time_ns : clock_wall_ns(),
		.severity = in->severity >= 0 && in->severity <= 7 ? (uint8_t)in->severity
								   : SEVERITY_NONE,
		.flags = (uint8_t)in->flags,
		.type = str_of(in->type),
		.message = {in->body, in->body_len},
		.fields = buf_str(&fields),
	};
	if (h->opening.event_size && ev.message.len > h->opening.event_size) {
		ev.message.len = utf8_cut(ev.message, h->opening.event_size);
		ev.flags |= EVENT_TRUNCATED;
	}
	begin_events(h);
	record_put_event(&h->events, &ev);
	if (in->cursor)
		note_cursor(h, in->cursor);
	buf_fini(&fields);
	return flush_if_due(h);
}

static int host_commit(struct sluice_source *src, const struct sluice_cursor *c)
{
	struct host *h = host_of(src);
	if (h->stopping)
		return -ECANCELED;
	begin_events(h);
	note_cursor(h, c);
	return flush_if_due(h);
}

static int host_wait(struct sluice_source *src, struct pollfd *fds, size_t n, int timeout_ms)
{
	struct host *h = host_of(src);
	struct pollfd all[WAIT_FDS_MAX + 1];
	int r = flush(h);
	if (r)
		return r;
	if (n > WAIT_FDS_MAX)
		return -EINVAL;
	int64_t until = clock_mono_ns() + timeout_ms * NS_PER_MS;
	for (;;) {
		all[0] = (struct pollfd){.fd = h->fd, .events = POLLIN};
		if (n)
			memcpy(all + 1, fds, n * sizeof(all[0]));
		int64_t left = (until - clock_mono_ns() + NS_PER_MS - 1) / NS_PER_MS;
		int ready = poll(all, n + 1, timeout_ms < 0 ? -1 : (int)MAX(left, 0));
		if (ready < 0 && errno != EINTR)
			return -errno;
		bool hub = ready > 0 && all[0].revents;
		if (hub)
			hear(h, false);
		if (h->stopping)
			return -ECANCELED;
		if (ready > 0 && n)
			memcpy(fds, all + 1, n * sizeof(all[0]));
		if (ready > hub || (timeout_ms >= 0 && clock_mono_ns() >= until))
			return MAX(ready, 0) - hub;
	}
}

static int host_cursor(struct sluice_source *src, size_t i, struct sluice_cursor *ret)
{
	struct str rest = host_of(src)->opening.cursors;
	struct record rec;
	for (; record_next(&rest, &rec) == 1; i--) {
		if (i)
			continue;
		*ret = (struct sluice_cursor){rec.cursor.key.data, rec.cursor.key.len,
					      rec.cursor.value.data, rec.cursor.value.len};
		return 0;
	}
	return -ENOENT;
}

static void host_log(struct sluice_source *src, enum sluice_log_level level, const char *message)
{
	struct buf out = {0};
	size_t begun = frame_begin(&out, FRAME_LOG);
	buf_put_u8(&out, (uint8_t)level);
	buf_put_short(&out, str_of(message));
	frame_end(&out, begun);
	send_bytes(host_of(src), out.data, out.len);
	buf_fini(&out);
}

static void host_counter(struct sluice_source *src, const char *name, uint64_t value)
{
	struct buf out = {0};
	size_t begun = frame_begin(&out, FRAME_COUNTER);
	buf_put_short(&out, str_of(name));
	buf_put_u64(&out, value);
	frame_end(&out, begun);
	send_bytes(host_of(src), out.data, out.len);
	buf_fini(&out);
}

static const char *host_name(struct sluice_source *src)
{
	return host_of(src)->opening.name;
}

static const struct sluice_host services = {
	.struct_size = sizeof(struct sluice_host),
	.option = host_option,
	.number = host_number,
	.refuse = host_refuse,
	.emit = host_emit,
	.commit = host_commit,
	.wait = host_wait,
	.cursor = host_cursor,
	.log = host_log,
	.counter = host_counter,
	.name = host_name,
};

/* ---- life ---------------------------------------------------------------------------------- */

/* Waits for the opening frame; `body` gets its bytes, which the opening borrows. */
static void receive_opening(struct host *h, struct buf *body)
{
	struct buf in = {0};
	struct frame f;
	for (;;) {
		struct str rest = buf_str(&in);
		int got = frame_next(&rest, OPENING_MAX, &f);
		if (got < 0)
			exit(1);
		if (got == 1)
			break;
		ssize_t n = recv(h->fd, buf_reserve(&in, 65536), 65536, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			hub_is_gone();
		in.len += (size_t)n;
	}
	buf_put_str(body, f.body);
	buf_drop(&in, FRAME_HEAD + f.body.len);
	h->control = in;
	heed(h);
	if (f.type != FRAME_OPEN || opening_get(buf_str(body), &h->opening))
		exit(1);
}

static void send_simple(struct host *h, enum frame_type type, struct str body)
{
	struct buf out = {0};
	size_t begun = frame_begin(&out, type);
	buf_put_str(&out, body);
	frame_end(&out, begun);
	send_bytes(h, out.data, out.len);
	buf_fini(&out);
}

static void send_end(struct host *h, int result)
{
	struct buf body = {0};
	buf_put_u8(&body, result == -EINVAL);
	buf_puts(&body, result == -EINVAL ? "the plugin gave up for good"
			: result < 0      ? strerror(-result)
					  : "the plugin has finished");
	send_simple(h, FRAME_END, buf_str(&body));
	buf_fini(&body);
}

static int run_plugin(struct host *h, const struct sluice_plugin *p)
{
	void *state = NULL;
	if (p->open && p->open(&h->src, &state) < 0)
		return 1;
	send_simple(h, FRAME_OPENED, (struct str){NULL, 0});
	if (h->opening.mode == OPENING_RUN) {
		int r = p->run(&h->src, state);
		if (r != -ECANCELED) {
			int ignored = flush(h);
			(void)ignored;
			send_end(h, r);
		}
	}
	if (p->close)
		p->close(&h->src, state);
	return 0;
}

int host_main(void)
{
	struct host h = {.src.host = &services, .fd = SOURCE_FD};
	struct buf opening = {0};
	struct sluice_plugin plugin;
	char *why = NULL;
	int ret = 1;
	/* Ctrl-C reaches the whole terminal; the hub says when to stop. */
	signal(SIGINT, SIG_IGN);
	fd_raise_limit();
	receive_opening(&h, &opening);
	if (plugin_load(h.opening.path, &plugin, &why)) {
		send_refusal(&h, "", why);
		free(why);
	} else if (h.opening.mode == OPENING_DESCRIBE) {
		struct buf tables = {0};
		tables_put(&tables, &plugin);
		send_simple(&h, FRAME_DESCRIBE, buf_str(&tables));
		buf_fini(&tables);
		ret = 0;
	} else {
		h.table = plugin.options;
		ret = run_plugin(&h, &plugin);
	}
	for (size_t i = 0; i < h.dirty_room; i++) {
		buf_fini(&h.dirty[i].key);
		buf_fini(&h.dirty[i].value);
	}
	free(h.dirty);
	buf_fini(&h.events);
	buf_fini(&h.control);
	opening_fini(&h.opening);
	buf_fini(&opening);
	return ret;
}

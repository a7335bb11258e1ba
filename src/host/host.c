/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/unit.h"
#include "conf/packed.h"
#include "host/confine.h"
#include "host/emission.h"
#include "host/identity.h"
#include "host/needs.h"
#include "host/plugin.h"

#define COUNTER_PACE_NS (50 * NS_PER_MS)

enum {
	WAIT_FDS_MAX = 1024,
	OWN_FDS = 3,
	GRANT_TEXT_MAX = 1024,
};

/* ---- options --------------------------------------------------------------------------- */

static const char *host_option(struct sluice_source *src, const char *name, size_t i)
{
	struct host *h = host_of(src);
	const struct option_value *v = option_find(&h->opening.source.options, name);
	if (v)
		return i < v->n ? v->items[i] : NULL;
	const struct sluice_option *o = option_lookup(h->tables.options, name);
	return o && i == 0 ? o->fallback : NULL;
}

static int host_is_set(struct sluice_source *src, const char *name)
{
	return option_is_set(&host_of(src)->opening.source.options, name);
}

static int64_t host_number(struct sluice_source *src, const char *name)
{
	const struct sluice_option *o = option_lookup(host_of(src)->tables.options, name);
	const char *text = host_option(src, name, 0);
	int64_t ret = 0;
	char *why = NULL;
	if (o && text && option_number(o, text, &ret, &why))
		free(why);
	return ret;
}

static double host_real(struct sluice_source *src, const char *name)
{
	const char *text = host_option(src, name, 0);
	int64_t low, high;
	double ret = 0;
	if (!text)
		return 0;
	if (unit_parse_double(text, &ret) && unit_parse_range(text, &low, &high) == 0)
		ret = (double)high;
	return ret;
}

static void send_refusal(struct host *h, const char *option, const char *message)
{
	struct buf body = {0};
	buf_put_short(&body, str_of(option));
	buf_put_short(&body, str_of(message));
	uplink_send_simple(&h->up, FRAME_REFUSED, buf_str(&body));
	buf_fini(&body);
}

static int host_refuse(struct sluice_source *src, const char *option, const char *message)
{
	send_refusal(host_of(src), option ? option : "", message);
	return -EINVAL;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void send_counter(struct host *h, struct host_counter *c, int64_t now)
{
	struct buf body = {0};
	buf_put_short(&body, str_of(c->name));
	buf_put_u64(&body, c->value);
	uplink_send_simple(&h->up, FRAME_COUNTER, buf_str(&body));
	buf_fini(&body);
	c->sent_ns = now;
	c->waits = false;
}

/* Those whose newest value has not been sent. */
static void send_counters(struct host *h)
{
	if (!h->n_counters_waiting)
		return;
	for (size_t i = 0; i < h->n_counters; i++)
		if (h->counters[i].waits)
			send_counter(h, &h->counters[i], clock_mono_ns());
	h->n_counters_waiting = 0;
}

static struct host_counter *find_counter(struct host *h, const char *name)
{
	for (size_t i = 0; i < h->n_counters; i++)
		if (strcmp(h->counters[i].name, name) == 0)
			return &h->counters[i];
	if (h->n_counters == HOST_COUNTERS_MAX)
		return NULL; /* the hub shows no more either */
	struct host_counter *c = &h->counters[h->n_counters++];
	*c = (struct host_counter){.name = mem_strdup(name)};
	return c;
}

/* A plugin may count every event: values that come too soon are sent when it waits. */
static void host_counter(struct sluice_source *src, const char *name, uint64_t value)
{
	struct host *h = host_of(src);
	struct host_counter *c = find_counter(h, name);
	int64_t now = clock_mono_ns();
	if (!c)
		return;
	c->value = value;
	if (c->sent_ns && now - c->sent_ns < COUNTER_PACE_NS) {
		h->n_counters_waiting += !c->waits;
		c->waits = true;
		return;
	}
	h->n_counters_waiting -= c->waits;
	send_counter(h, c, now);
}

static const char *host_name(struct sluice_source *src)
{
	return host_of(src)->opening.source.name;
}

/* ---- reload ---------------------------------------------------------------------------------- */

static void take_over(struct host *h)
{
	struct source_settings fresh;
	struct reader r = reader_of(h->reload.data, h->reload.len);
	packed_get_source(&r, &fresh);
	if (!r.failed) {
		struct source_settings old = h->opening.source;
		h->opening.source = fresh;
		int result = h->plugin.reload ? h->plugin.reload(&h->src, h->state) : -ENOSYS;
		char taken = result == 0;
		uplink_send_simple(&h->up, FRAME_RELOADED, (struct str){&taken, 1});
		fresh = old;
	}
	source_settings_fini(&fresh);
	h->reload.len = 0;
}

static void on_frame(void *ctx, const struct frame *f)
{
	struct host *h = ctx;
	if (f->type != FRAME_RELOAD)
		return;
	h->reload.len = 0;
	buf_put_str(&h->reload, f->body);
}

static void on_behind(void *ctx, bool is_behind)
{
	struct host *h = ctx;
	if (!h->is_open)
		return;
	if (is_behind && h->plugin.pause)
		h->plugin.pause(&h->src, h->state);
	else if (!is_behind && h->plugin.resume)
		h->plugin.resume(&h->src, h->state);
}

/* ---- waiting ------------------------------------------------------------------------------------
 */

static int nearer(int a_ms, int b_ms)
{
	if (a_ms < 0 || b_ms < 0)
		return MAX(a_ms, b_ms);
	return MIN(a_ms, b_ms);
}

static int left_ms(int64_t until_ns, int timeout_ms)
{
	if (timeout_ms < 0)
		return -1;
	int64_t left = (until_ns - clock_mono_ns() + NS_PER_MS - 1) / NS_PER_MS;
	return (int)MAX(left, 0);
}

/* One poll over everything.  How many of `fds` are ready; *woken when the
 * waiting is over in any case.
 */
static int poll_all(struct host *h, struct pollfd *fds, size_t n, int timeout_ms, bool *woken)
{
	struct pollfd all[OWN_FDS + WAIT_FDS_MAX];
	size_t own = 0;
	all[own++] = (struct pollfd){.fd = h->up.fd, .events = POLLIN};
	all[own++] = (struct pollfd){.fd = h->wake_fd, .events = POLLIN};
	if (h->reactor) {
		all[own++] = (struct pollfd){.fd = reactor_fd(h->reactor), .events = POLLIN};
		timeout_ms = nearer(timeout_ms, reactor_next_ms(h->reactor));
	}
	if (n)
		memcpy(all + own, fds, n * sizeof(all[0]));
	int ready = poll(all, own + n, timeout_ms);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	if (all[0].revents)
		uplink_hear(&h->up, false);
	if (all[1].revents) {
		uint64_t ignored;
		*woken = read(h->wake_fd, &ignored, sizeof(ignored)) > 0;
	}
	for (size_t i = 0; i < own; i++)
		ready -= all[i].revents != 0;
	if (n)
		memcpy(fds, all + own, n * sizeof(all[0]));
	if (h->reactor && !h->up.stopping)
		reactor_turn(h->reactor);
	return ready;
}

static int host_wait(struct sluice_source *src, struct pollfd *fds, size_t n, int timeout_ms)
{
	struct host *h = host_of(src);
	int64_t until = clock_mono_ns() + timeout_ms * NS_PER_MS;
	bool woken = false;
	if (n > WAIT_FDS_MAX)
		return -EINVAL;
	for (;;) {
		int r = uplink_flush(&h->up, false);
		if (r)
			return r;
		if (h->reload.len)
			take_over(h);
		send_counters(h);
		host_log_tell_dropped(h);
		int ready = poll_all(h, fds, n, left_ms(until, timeout_ms), &woken);
		if (h->up.stopping)
			return -ECANCELED;
		if (ready || woken || h->is_left || left_ms(until, timeout_ms) == 0)
			return ready;
	}
}

static int host_loop(struct sluice_source *src)
{
	struct host *h = host_of(src);
	while (!h->is_left) {
		int r = host_wait(src, NULL, 0, -1);
		if (r < 0)
			return r;
	}
	h->is_left = false;
	return h->up.stopping ? -ECANCELED : h->left_with;
}

static void host_leave(struct sluice_source *src, int result)
{
	struct host *h = host_of(src);
	h->is_left = true;
	h->left_with = result;
}

static void host_wake(struct sluice_source *src)
{
	uint64_t one = 1;
	ssize_t ignored = write(host_of(src)->wake_fd, &one, sizeof(one));
	(void)ignored;
}

/* ---- the loop
 * ------------------------------------------------------------------------------------ */

static struct reactor *reactor_of(struct sluice_source *src)
{
	struct host *h = host_of(src);
	if (!h->reactor)
		h->reactor = reactor_new(src);
	return h->reactor;
}

static int host_watch(struct sluice_source *src, int fd, short events, sluice_fd_fn *fn, void *ctx)
{
	return reactor_watch(reactor_of(src), fd, events, fn, ctx);
}

static int host_timer(struct sluice_source *src, int64_t first_ns, int64_t every_ns,
		      sluice_timer_fn *fn, void *ctx)
{
	return reactor_timer(reactor_of(src), first_ns, every_ns, fn, ctx);
}

static void host_cancel(struct sluice_source *src, int timer)
{
	reactor_cancel(reactor_of(src), timer);
}

/* ---- through the hub
 * ------------------------------------------------------------------------------- */

/* The hub's answer to a wish: a descriptor, or a negative errno said in the log. */
static int await_grant(struct host *h)
{
	char answer[4 + GRANT_TEXT_MAX];
	struct pollfd p[2] = {{.fd = h->up.fd, .events = POLLIN},
			      {.fd = GRANT_FD, .events = POLLIN}};
	int fd = -1;
	for (;;) {
		/* What else the hub says is left for later. */
		if (poll(p, h->up.stopping ? 1 : 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents)
			break;
		if (p[0].revents)
			uplink_hear(&h->up, false);
		if (h->up.stopping)
			return -ECANCELED;
	}
	ssize_t n = fd_recv_packet(GRANT_FD, answer, sizeof(answer) - 1, &fd);
	if (n < 4)
		_exit(0); /* the hub is gone */
	if (fd >= 0)
		return fd;
	answer[n] = 0;
	if (n > 4)
		host_log(&h->src, SLUICE_LOG_ERROR, answer + 4);
	return (int)get_u32(answer) ? (int)get_u32(answer) : -EIO;
}

static int host_listen(struct sluice_source *src, const char *address,
		       const struct sluice_listen *how)
{
	struct host *h = host_of(src);
	struct buf body = {0};
	if (h->up.stopping)
		return -ECANCELED;
	buf_put_short(&body, str_of(address));
	buf_put_u32(&body, how && how->mode ? (uint32_t)how->mode : 0660);
	buf_put_short(&body, str_of(how && how->owner ? how->owner : ""));
	buf_put_short(&body, str_of(how && how->group ? how->group : ""));
	buf_put_u32(&body, how ? (uint32_t)how->receive_buffer : 0);
	uplink_send_simple(&h->up, FRAME_WANT_LISTEN, buf_str(&body));
	buf_fini(&body);
	return await_grant(h);
}

static int host_open(struct sluice_source *src, const char *path)
{
	struct host *h = host_of(src);
	if (h->up.stopping)
		return -ECANCELED;
	uplink_send_simple(&h->up, FRAME_WANT_OPEN, str_of(path));
	return await_grant(h);
}

/* ---- children
 * ---------------------------------------------------------------------------------------- */

static pid_t host_spawn(struct sluice_source *src, struct sluice_spawn *s)
{
	char *why = NULL;
	if (!(host_of(src)->plugin.flags & SLUICE_NEEDS_EXEC)) {
		host_log(src, SLUICE_LOG_ERROR,
			 "the plugin starts a program, but has no SLUICE_NEEDS_EXEC in its flags");
		return -EPERM;
	}
	struct host *h = host_of(src);
	pid_t pid = reactor_spawn(reactor_of(src), s, &why);
	/* The same trouble again is no news. */
	if (why && (!h->spawn_trouble || strcmp(why, h->spawn_trouble) != 0))
		host_log(src, SLUICE_LOG_ERROR, why);
	free(h->spawn_trouble);
	h->spawn_trouble = why;
	return pid;
}

static void host_stop_child(struct sluice_source *src, pid_t pid, int signo, int64_t grace_ns)
{
	if (pid > 1)
		reactor_stop_child(reactor_of(src), pid, signo, grace_ns);
}

static const struct sluice_host services = {
	.struct_size = sizeof(struct sluice_host),
	.option = host_option,
	.number = host_number,
	.real = host_real,
	.refuse = host_refuse,
	.emit = host_emit,
	.commit = host_commit,
	.wait = host_wait,
	.cursor = host_cursor,
	.log = host_log,
	.counter = host_counter,
	.name = host_name,
	.watch = host_watch,
	.timer = host_timer,
	.cancel = host_cancel,
	.loop = host_loop,
	.leave = host_leave,
	.wake = host_wake,
	.listen = host_listen,
	.open = host_open,
	.spawn = host_spawn,
	.stop_child = host_stop_child,
	.is_set = host_is_set,
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
		ssize_t n = recv(h->up.fd, buf_reserve(&in, 65536), 65536, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			exit(0); /* the hub is gone */
		in.len += (size_t)n;
	}
	buf_put_str(body, f.body);
	bool sound = f.type == FRAME_OPEN;
	buf_drop(&in, FRAME_HEAD + f.body.len);
	h->up.control = in;
	if (!sound || opening_get(buf_str(body), &h->opening))
		exit(1);
	uplink_hear(&h->up, false); /* what came with it */
}

static void send_end(struct host *h, int result)
{
	struct buf body = {0};
	enum end_kind kind = result == -EINVAL ? END_FOR_GOOD
			     : result < 0      ? END_LATER
					       : END_FINISHED;
	buf_put_u8(&body, (uint8_t)kind);
	buf_puts(&body, result == -EINVAL ? "the plugin gave up for good"
			: result < 0      ? strerror(-result)
					  : "the plugin has finished");
	uplink_send_simple(&h->up, FRAME_END, buf_str(&body));
	buf_fini(&body);
}

static void tell_in_vain(void *ctx, const char *sentence)
{
	struct host *h = ctx;
	host_log(&h->src, SLUICE_LOG_WARNING, sentence);
}

static void run_plugin(struct host *h)
{
	const struct sluice_plugin *p = &h->plugin;
	needs_check(h->tables.options, &h->opening.source.options, tell_in_vain, h);
	if (p->open && p->open(&h->src, &h->state) < 0)
		return;
	h->is_open = true;
	uplink_send_simple(&h->up, FRAME_OPENED, (struct str){NULL, 0});
	if (h->opening.mode == OPENING_RUN) {
		int r = p->run(&h->src, h->state);
		send_counters(h);
		uplink_finish(&h->up);
		if (r != -ECANCELED)
			send_end(h, r);
	}
	h->is_open = false;
	if (h->reactor)
		reactor_free(h->reactor);
	h->reactor = NULL;
	if (p->close)
		p->close(&h->src, h->state);
}

static void read_tables(struct host *h, struct buf *tables)
{
	tables_put(tables, &h->plugin);
	if (tables_get(buf_str(tables), &h->tables))
		send_refusal(h, "", "the plugin's tables are broken (see sluice-plugin(3))");
}

/* Gives up what its plugin must not have.  0, or -EINVAL with *why. */
static int confine(struct host *h, bool *borrows, char **why)
{
	const struct source_settings *src = &h->opening.source;
	struct buf has = {0}, lacks = {0}, body = {0};
	int r = confine_limits(src, why);
	if (!r)
		r = identity_take(src, borrows, &has, &lacks, why);
	if (!r)
		r = confine_close(src, &has, &lacks, why);
	if (!r) {
		buf_put_short(&body, buf_str(&has));
		buf_put_short(&body, buf_str(&lacks));
		buf_put_u32(&body, src->plugin_flags);
		uplink_send_simple(&h->up, FRAME_CONFINED, buf_str(&body));
	}
	buf_fini(&has);
	buf_fini(&lacks);
	buf_fini(&body);
	return r;
}

/* The confinement was chosen for the flags of an earlier version of this file. */
static int check_rights(const struct host *h, char **why)
{
	const uint32_t rights = SLUICE_NEEDS_EXEC | SLUICE_NEEDS_NETWORK | SLUICE_NEEDS_UNIX;
	if (!(h->plugin.flags & rights & ~h->opening.source.plugin_flags))
		return 0;
	*why = mem_printf("%s was replaced by a version that needs more rights (run sluice "
			  "reload to grant them)",
			  h->opening.source.plugin);
	return -EINVAL;
}

/* Everything before the plugin has a say.  0, or -EINVAL after telling why. */
static int prepare(struct host *h)
{
	const struct source_settings *src = &h->opening.source;
	bool is_asked = h->opening.mode == OPENING_DESCRIBE, borrows = false;
	char *why = NULL;
	int r = plugin_check_file(src->plugin, &why);
	if (!r && is_asked)
		confine_unknown(src);
	else if (!r)
		r = confine(h, &borrows, &why);
	if (!r)
		r = plugin_load(src->plugin, &h->plugin, &why);
	if (borrows)
		identity_give_back(src);
	if (!r && !is_asked)
		r = check_rights(h, &why);
	mem_trim(); /* of what making the filter took, which is most of the heap */
	if (r)
		send_refusal(h, "", why);
	free(why);
	return r;
}

/* Standard input may be the terminal that sluice was started from. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		close(STDIN_FILENO);
	fd_close(&null);
}

int host_main(void)
{
	struct host h = {.src.host = &services,
			 .up = {.fd = SOURCE_FD, .on_frame = on_frame, .on_behind = on_behind}};
	struct buf opening = {0}, tables = {0};
	int ret = 1;
	h.up.ctx = &h;
	/* Ctrl-C reaches the whole terminal; the hub says when to stop. */
	signal(SIGINT, SIG_IGN);
	leave_terminal();
	fd_raise_limit();
	unsetenv(FD_SOFT_LIMIT); /* not for what the plugin starts */
	h.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	receive_opening(&h, &opening);
	if (prepare(&h) == 0) {
		read_tables(&h, &tables);
		if (h.opening.mode == OPENING_DESCRIBE) {
			uplink_send_simple(&h.up, FRAME_DESCRIBE, buf_str(&tables));
			ret = 0;
		} else {
			run_plugin(&h);
			ret = 0;
		}
	}
	tables_fini(&h.tables);
	uplink_fini(&h.up);
	for (size_t i = 0; i < h.n_counters; i++)
		free(h.counters[i].name);
	free(h.spawn_trouble);
	buf_fini(&h.fields);
	buf_fini(&h.reload);
	buf_fini(&tables);
	buf_fini(&opening);
	opening_fini(&h.opening);
	fd_close(&h.wake_fd);
	return ret;
}

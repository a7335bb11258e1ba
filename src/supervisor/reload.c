/* SPDX-License-Identifier: MIT */
#include "supervisor/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/packed.h"
#include "conf/lints.h"
#include "host/plugin.h"
#include "source/probe.h"
#include "supervisor/commands.h"
#include "supervisor/listen.h"
#include "supervisor/sockets.h"
#include "supervisor/workers.h"

/* A package manager writes several files, and some of them in pieces. */
#define PLUGINS_SETTLE_NS (300 * NS_PER_MS)

enum { ERRORS_MAX = 1024 * 1024 };

enum reload_state { IDLE, CHECKING, APPLYING };

struct reloader {
	struct supervisor *supervisor;
	enum reload_state state;
	bool of_plugins;           /* the settings stay; files of plugins may be others */
	bool listens_elsewhere;    /* than before; to be told */
	bool again, again_plugins; /* asked for meanwhile */
	struct settings *pending;  /* owned; NULL when only of plugins */
	struct loop_child checker;
	int packed_fd, errors_fd; /* what the checker writes */
	struct fd_map listen[LISTEN_MAX];
	size_t n_listen; /* those of `pending`, open already */

	int inotify;
	struct loop_io inotify_io;
	struct loop_timer settle;
};

static struct loop *loop_of(const struct reloader *r)
{
	return r->supervisor->loop;
}

static void begin(struct reloader *r, bool of_plugins);

static void put_line(void *ctx, const char *sentence)
{
	buf_printf(ctx, "\n%s", sentence);
}

/* Answers the client that asked for the reload, with all lints. */
static void answer(struct reloader *r, bool good, const char *text)
{
	const struct settings *s = r->supervisor->settings;
	struct buf all = {0};
	buf_puts(&all, text);
	for (size_t i = 0; good && r->listens_elsewhere && i < s->hub.n_listen; i++)
		buf_printf(&all, "\nlistening on %s (the web server has to know)",
			   s->hub.listen[i]);
	if (good) {
		lints_find(s, put_line, &all);
		lints_log(s);
	}
	r->listens_elsewhere = false;
	commands_answer(r->supervisor->commands, COMMAND_RELOAD, good, buf_text(&all));
	buf_fini(&all);
}

static void finish(struct reloader *r, bool good, const char *text)
{
	bool of_plugins = r->of_plugins;
	if (r->state != IDLE)
		r->supervisor->activity = ACTIVITY_NONE;
	r->state = IDLE;
	settings_free(r->pending);
	r->pending = NULL;
	fd_close(&r->packed_fd);
	fd_close(&r->errors_fd);
	if (good)
		log_info("%s: %s", of_plugins ? "plugins looked at" : "reloaded", text);
	else
		log_error("not reloaded, the old configuration stays: %s", text);
	if (!of_plugins)
		answer(r, good, text);
	if (r->again) {
		r->again = false;
		begin(r, false);
	} else if (r->again_plugins) {
		r->again_plugins = false;
		begin(r, true);
	}
}

/* ---- sockets ------------------------------------------------------------------------------ */

static int listening_fd(const struct supervisor *s, const char *address)
{
	for (size_t i = 0; i < s->n_listen; i++)
		if (strcmp(s->settings->hub.listen[i], address) == 0)
			return s->listen[i].from;
	return -1;
}

static void close_new(struct reloader *r)
{
	for (size_t i = 0; i < r->n_listen; i++) {
		const char *address = r->pending->hub.listen[i];
		if (listening_fd(r->supervisor, address) >= 0)
			continue;
		listen_unlink(address);
		fd_close(&r->listen[i].from);
	}
	r->n_listen = 0;
}

/* Opens what is new, and reuses what is open.  0, or -1 with *why owned. */
static int open_new(struct reloader *r, char **why)
{
	const struct hub_settings *hub = &r->pending->hub;
	r->n_listen = 0;
	for (size_t i = 0; i < hub->n_listen && i < LISTEN_MAX; i++) {
		int fd = listening_fd(r->supervisor, hub->listen[i]);
		if (fd < 0)
			fd = listen_open(hub->listen[i], why);
		if (fd < 0) {
			close_new(r);
			return -1;
		}
		r->listen[r->n_listen++] = (struct fd_map){fd, RESPONDER_FIRST_FD + (int)i};
	}
	return 0;
}

static void watch_plugins(struct reloader *r);

/* All is well: the new settings are the settings. */
static void take_over(struct reloader *r)
{
	struct supervisor *s = r->supervisor;
	struct settings *old = s->settings, *fresh = r->pending;
	fd_close(&s->config_fd);
	s->config_fd = r->packed_fd;
	r->packed_fd = -1;
	if (!fresh)
		return;
	bool listens_elsewhere =
		!setting_equals(settings_find(hub_rows, "listen"), &old->hub, &fresh->hub);
	for (size_t i = 0; i < s->n_listen; i++) {
		bool kept = false;
		for (size_t k = 0; k < r->n_listen; k++)
			kept |= r->listen[k].from == s->listen[i].from;
		if (kept)
			continue;
		if (!s->keeps_file[i])
			listen_unlink(old->hub.listen[i]);
		fd_close(&s->listen[i].from);
	}
	s->settings = fresh;
	r->pending = NULL;
	if (settings_restart_responders(hub_rows, &old->hub, &fresh->hub) ||
	    settings_restart_responders(access_rows, &old->access, &fresh->access))
		workers_replace_responders(s, r->listen, r->n_listen);
	r->n_listen = 0;
	r->listens_elsewhere = listens_elsewhere;
	settings_free(old);
	watch_plugins(r);
}

/* ---- applying ------------------------------------------------------------------------------- */

void reload_hub_says(struct reloader *r, bool taken, const char *text)
{
	if (r->state != APPLYING)
		return;
	if (taken)
		take_over(r);
	else if (r->pending)
		close_new(r);
	finish(r, taken, text);
}

void reload_hub_is_gone(struct reloader *r)
{
	if (r->state != APPLYING)
		return;
	take_over(r);
	finish(r, true, "the hub has just ended; it starts again with the new configuration");
}

static void apply(struct reloader *r)
{
	char *why = NULL;
	struct supervisor *s = r->supervisor;
	if (r->pending && strcmp(r->pending->hub.state_dir, s->settings->hub.state_dir) != 0) {
		finish(r, false, "hub.state_dir cannot change while sluice runs (restart it)");
		return;
	}
	if (r->pending && open_new(r, &why)) {
		finish(r, false, why);
		free(why);
		return;
	}
	r->state = APPLYING;
	enum control what = r->of_plugins ? CONTROL_RELOAD_PLUGINS : CONTROL_RELOAD;
	if (workers_tell_hub(s, what, r->packed_fd))
		reload_hub_is_gone(r);
}

/* ---- checking -------------------------------------------------------------------------------- */

static int write_fd(int fd, struct str s)
{
	while (s.len) {
		ssize_t w = write(fd, s.data, s.len);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		s.data += w;
		s.len -= (size_t)w;
	}
	return 0;
}

int reload_pack(const struct settings *s)
{
	struct buf packed = {0};
	packed_put(&packed, s);
	int fd = memfd_create("sluice-settings", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : write_fd(fd, buf_str(&packed));
	buf_fini(&packed);
	if (!r)
		return fd;
	log_error("cannot keep the settings: %s", strerror(-r));
	fd_close(&fd);
	return -1;
}

/* The checker: a copy of this process that asks the plugins and goes.  `e` holds what is
 * known to be wrong.
 */
static no_return void check(struct reloader *r, pid_t parent, struct errors *e)
{
	struct buf packed = {0}, text = {0};
	struct settings *s = r->pending ? r->pending : r->supervisor->settings;
	process_die_with_parent(parent, SIGKILL);
	for (size_t i = 0; i < s->n_sources; i++) {
		struct source_settings *src = &s->sources[i];
		src->plugin = src->trouble = NULL;
		src->options = (struct option_values){0};
	}
	probe_sources(s, e);
	if (r->pending)
		probe_tell_troubles(s, e);
	errors_put(e, &text);
	if (!e->count)
		packed_put(&packed, s);
	int bad =
		write_fd(r->errors_fd, buf_str(&text)) || write_fd(r->packed_fd, buf_str(&packed));
	_exit(bad || e->count ? 2 : 0);
}

static void on_checked(struct loop_child *c, int status)
{
	struct reloader *r = container_of(c, struct reloader, checker);
	struct buf text = {0};
	c->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		apply(r);
		return;
	}
	char *path = mem_printf("/proc/self/fd/%d", r->errors_fd);
	int ignored = fd_read_file(path, ERRORS_MAX, &text);
	(void)ignored;
	if (!text.len) {
		char *how = process_describe_status(status);
		buf_printf(&text, "checking it failed: %s", how);
		free(how);
	}
	while (text.len && text.data[text.len - 1] == '\n')
		text.len--;
	finish(r, false, buf_text(&text));
	buf_fini(&text);
	free(path);
}

static void begin(struct reloader *r, bool of_plugins)
{
	struct errors e = {0};
	if (r->state != IDLE) {
		r->again |= !of_plugins;
		r->again_plugins |= of_plugins;
		return;
	}
	r->of_plugins = of_plugins;
	if (r->supervisor->activity == ACTIVITY_UPGRADE) {
		/* The new program reads everything anew. */
		finish(r, false, "an upgrade is under way, which reads the configuration anyway");
		return;
	}
	if (!of_plugins)
		commands_reload_begins(r->supervisor->commands);
	if (!of_plugins)
		r->pending = settings_load(r->supervisor->settings->file, &e);
	if (r->pending && r->supervisor->is_attached)
		sockets_leave_to_web_server(r->pending);
	/* All mistakes at once: the plugins are asked even so, by the checker. */
	pid_t parent = getpid();
	r->packed_fd = memfd_create("sluice-settings", MFD_CLOEXEC);
	r->errors_fd = memfd_create("sluice-errors", MFD_CLOEXEC);
	pid_t pid = -1;
	if (r->packed_fd >= 0 && r->errors_fd >= 0)
		pid = fork();
	if (pid == 0)
		check(r, parent, &e);
	if (pid < 0) {
		finish(r, false, "no process for checking it");
	} else {
		r->state = CHECKING;
		r->supervisor->activity = ACTIVITY_RELOAD;
		loop_watch_child(loop_of(r), &r->checker, pid, on_checked);
	}
	errors_fini(&e);
}

void reload_begin(struct reloader *r)
{
	begin(r, false);
}

static void on_settled(struct loop_timer *t)
{
	begin(container_of(t, struct reloader, settle), true);
}

static void on_plugins(struct loop_io *io, uint32_t events maybe_unused)
{
	struct reloader *r = container_of(io, struct reloader, inotify_io);
	char ignored[4096] __attribute__((aligned(8)));
	while (read(r->inotify, ignored, sizeof(ignored)) > 0)
		continue;
	loop_timer_set(loop_of(r), &r->settle, loop_now(loop_of(r)) + PLUGINS_SETTLE_NS);
}

static void watch_plugins(struct reloader *r)
{
	char **dirs = plugin_dirs(&r->supervisor->settings->hub);
	for (size_t i = 0; r->inotify >= 0 && dirs[i]; i++)
		if (inotify_add_watch(r->inotify, dirs[i],
				      IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_ATTRIB) < 0)
			log_warning("%s is not watched for new plugins: %s (sluice reload looks at "
				    "it)",
				    dirs[i], strerror(errno));
	plugin_dirs_free(dirs);
}

/* ---- life -------------------------------------------------------------------------------------
 */

struct reloader *reload_new(struct supervisor *s)
{
	struct reloader *r = mem_zero(sizeof(*r));
	r->supervisor = s;
	r->inotify_io.fd = r->packed_fd = r->errors_fd = -1;
	r->settle.fn = on_settled;
	r->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (r->inotify >= 0 && loop_add(s->loop, &r->inotify_io, r->inotify, EPOLLIN, on_plugins))
		fd_close(&r->inotify); /* sluice reload looks at them all the same */
	watch_plugins(r);
	return r;
}

void reload_free(struct reloader *r)
{
	struct loop *l = loop_of(r);
	loop_timer_cancel(l, &r->settle);
	loop_remove(l, &r->inotify_io);
	loop_unwatch_child(&r->checker);
	if (r->checker.pid)
		kill(r->checker.pid, SIGKILL);
	fd_close(&r->inotify);
	if (r->pending)
		close_new(r);
	settings_free(r->pending);
	fd_close(&r->packed_fd);
	fd_close(&r->errors_fd);
	free(r);
}

/* SPDX-License-Identifier: MIT */
#include "supervisor/roles.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/unit.h"
#include "conf/packed.h"
#include "host/host.h"
#include "host/nursery.h"
#include "host/opening.h"
#include "hub/hub.h"
#include "responder/responder.h"
#include "source/sources.h"
#include "supervisor/control.h"

enum { HUB_TURN_US = 500 };

/* Ends with the process that has started it; 0, or -1 when nobody has. */
static int begin(int argc, char **argv, int signo)
{
	int64_t parent;
	if (argc < 1 || unit_parse_int(argv[0], &parent)) {
		fputs("sluice: this is started by sluice itself (see sluice --help)\n", stderr);
		return -1;
	}
	process_die_with_parent((pid_t)parent, signo);
	return 0;
}

/* ---- hub ----------------------------------------------------------------------------- */

struct hub_process {
	struct hub hub;
	struct loop_io control;
	struct sources *sources;
	bool stopping;
};

static void on_drained(void *ctx)
{
	struct hub_process *p = ctx;
	loop_stop(p->hub.loop);
}

static void on_sources_gone(void *ctx)
{
	struct hub_process *p = ctx;
	hub_shutdown(&p->hub, on_drained, p);
}

static void on_stop(void *ctx, int signo maybe_unused)
{
	struct hub_process *p = ctx;
	if (p->stopping)
		return;
	p->stopping = true;
	sources_stop(p->sources, on_sources_gone, p);
}

static struct settings *settings_in(int fd)
{
	char *path = mem_printf("/proc/self/fd/%d", fd);
	struct buf packed = {0};
	int r = fd_read_file(path, PACKED_MAX, &packed);
	struct settings *s = r ? NULL : packed_get(buf_str(&packed));
	buf_fini(&packed);
	free(path);
	return s;
}

/* Takes other settings.  Appends what to answer; whether they were taken. */
static bool reload(struct hub_process *p, int fd, bool of_plugins, struct buf *answer)
{
	struct settings *old = p->hub.settings, *fresh = fd < 0 ? NULL : settings_in(fd);
	char *why = NULL;
	if (p->stopping)
		why = mem_strdup("it is just ending");
	else if (!fresh)
		why = mem_strdup("the settings did not arrive whole");
	if (!why && hub_reload(&p->hub, fresh, &why) == 0) {
		sources_reload(p->sources, !of_plugins, answer);
		settings_free(old);
		return true;
	}
	buf_puts(answer, why);
	settings_free(fresh);
	free(why);
	return false;
}

/* `over` is in milliseconds; -1: no more. */
static void drain(struct hub *h, const char *over, struct buf *answer)
{
	int64_t ms = -1;
	if (unit_parse_int(over, &ms) || ms < 0) {
		hub_undrain(h);
		buf_puts(answer, "new streams are taken again");
		return;
	}
	buf_printf(answer, "%zu %s closed over %lld s, and no new ones are accepted", h->streams.n,
		   plural(h->streams.n, "stream is being", "streams are being"),
		   (long long)(ms / 1000));
	hub_drain(h, ms * NS_PER_MS);
}

static void on_control(struct loop_io *io, uint32_t events maybe_unused)
{
	struct hub_process *p = container_of(io, struct hub_process, control);
	struct buf answer = {0};
	char packet[64];
	int fd;
	ssize_t n = fd_recv_packet(io->fd, packet, sizeof(packet) - 1, &fd);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		loop_remove(p->hub.loop, io); /* the supervisor is gone, and so are we */
		return;
	}
	packet[n] = 0;
	char what = packet[0];
	buf_putc(&answer, what == CONTROL_PING ? CONTROL_PONG : CONTROL_DRAINING);
	if (what == CONTROL_DRAIN)
		drain(&p->hub, packet + 1, &answer);
	else if (what != CONTROL_PING)
		answer.data[0] = reload(p, fd, what == CONTROL_RELOAD_PLUGINS, &answer)
					 ? CONTROL_TAKEN
					 : CONTROL_REFUSED;
	int ignored =
		fd_send_packet(io->fd, answer.data, MIN(answer.len, (size_t)CONTROL_TEXT_MAX), -1);
	(void)ignored;
	fd_close(&fd);
	buf_fini(&answer);
}

static void on_unused(struct hub *h maybe_unused)
{
	const char what = CONTROL_UNUSED;
	if (fd_send_packet(HUB_CONTROL_FD, &what, 1, -1))
		log_debug("the supervisor is gone");
}

int hub_role(int argc, char **argv)
{
	log_init("hub");
	if (begin(argc, argv, SIGTERM))
		return 2;
	/* Ctrl-C reaches the whole terminal; the supervisor passes it on as SIGTERM. */
	signal(SIGINT, SIG_IGN);
	/* Not for the processes that it starts. */
	for (int fd = HUB_GATE_FD; fd <= HUB_CONTROL_FD; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	fd_raise_limit();
	mem_hold_little();
	srandom((unsigned)clock_wall_ns());
	struct hub_process p = {0};
	struct loop *loop = loop_new();
	struct settings *s = settings_in(HUB_CONFIG_FD);
	char *why = NULL;
	/* What source processes leave behind becomes ours, to be ended. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	loop_adopt_orphans(loop, sources_end_orphans);
	if (!loop || !s || hub_open(&p.hub, loop, s, HUB_GATE_FD, &why)) {
		log_error("%s", why ? why : "cannot start");
		log_finish();
		_exit(HUB_CANNOT_OPEN); /* nothing is worth tidying up, or safe to */
	}
	p.sources = sources_start(&p.hub);
	if (loop_signal(loop, SIGTERM, on_stop, &p) || fd_set_nonblocking(HUB_CONTROL_FD) ||
	    loop_add(loop, &p.control, HUB_CONTROL_FD, EPOLLIN, on_control)) {
		log_error("cannot take signals");
		return HUB_CANNOT_OPEN;
	}
	static const char ready = CONTROL_READY;
	if (fd_send_packet(HUB_CONTROL_FD, &ready, 1, -1))
		log_debug("the supervisor is gone");
	if (argc > 1)
		hub_watch_use(&p.hub, on_unused);
	process_take_turns(HUB_TURN_US);
	loop_run(loop);
	sources_free(p.sources);
	hub_close(&p.hub);
	process_end_children();
	settings_free(p.hub.settings);
	loop_free(loop);
	return 0;
}

/* ---- responder, source ------------------------------------------------------------------ */

int responder_role(int argc, char **argv)
{
	log_init("responder");
	int64_t n;
	if (argc != 9 || unit_parse_int(argv[4], &n) || begin(argc, argv, SIGTERM))
		return 2;
	return responder_main(&(struct responder_config){
		.hub_socket = argv[1],
		.prefix = argv[2],
		.console_dir = argv[3],
		.ping_fd = RESPONDER_PING_FD,
		.first_listen_fd = RESPONDER_FIRST_FD,
		.n_listen = (size_t)n,
		.checks_peers = true,
		.peers = argv[5],
		.certificate = argv[6],
		.origins = argv[7],
		.frame_ancestors = argv[8],
	});
}

int source_role(int argc, char **argv)
{
	log_init("source");
	if (begin(argc, argv, SIGKILL))
		return 2;
	fd_close_from(GRANT_FD + 1); /* whatever else was inherited */
	return host_main();
}

int nursery_role(int argc, char **argv)
{
	log_init("source");
	if (begin(argc, argv, SIGKILL))
		return 2;
	/* Ctrl-C signals all processes of the terminal; this one ends with its parent instead. */
	signal(SIGINT, SIG_IGN);
	fd_close_from(SOURCE_FD + 1);
	return nursery_main(getppid(), argv - 2, host_main);
}

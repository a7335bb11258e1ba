/* SPDX-License-Identifier: MIT
 *
 * roles - what a process of sluice does that another one has started.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/unit.h"
#include "cli/cli.h"
#include "cli/supervisor.h"
#include "hub/hub.h"
#include "responder/responder.h"
#include "source/host.h"
#include "source/sources.h"

int role_parent(int argc, char **argv, int signo)
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
	struct sources *sources;
	bool stopping;
};

static void on_sources_gone(void *ctx)
{
	struct hub_process *p = ctx;
	hub_drain(&p->hub);
	loop_stop(p->hub.loop);
}

static void on_stop(void *ctx, int signo maybe_unused)
{
	struct hub_process *p = ctx;
	if (p->stopping)
		return;
	p->stopping = true;
	sources_stop(p->sources, on_sources_gone, p);
}

static struct settings *settings_of_parent(void)
{
	struct errors e = {0};
	char *path = mem_printf("/proc/self/fd/%d", HUB_CONFIG_FD);
	struct settings *s = settings_load(path, &e);
	if (e.count)
		log_warning("the configuration reads differently now: %s", buf_text(&e.text));
	for (size_t i = 0; i < s->n_sources; i++)
		settings_keep_options(&s->sources[i]);
	errors_fini(&e);
	free(path);
	return s;
}

int hub_role(int argc, char **argv)
{
	log_init("hub");
	if (role_parent(argc, argv, SIGTERM))
		return 2;
	/* Ctrl-C reaches the whole terminal; the supervisor passes it on as SIGTERM. */
	signal(SIGINT, SIG_IGN);
	fd_raise_limit();
	srandom((unsigned)clock_wall_ns());
	struct hub_process p = {0};
	struct loop *loop = loop_new();
	struct settings *s = settings_of_parent();
	char *why = NULL;
	if (!loop || hub_open(&p.hub, loop, s, HUB_GATE_FD, &why)) {
		log_error("%s", why ? why : "cannot start");
		_exit(HUB_CANNOT_OPEN); /* nothing is worth tidying up, or safe to */
	}
	p.sources = sources_start(&p.hub);
	if (loop_signal(loop, SIGTERM, on_stop, &p)) {
		log_error("cannot take signals");
		return HUB_CANNOT_OPEN;
	}
	loop_run(loop);
	hub_close(&p.hub);
	sources_free(p.sources);
	loop_free(loop);
	settings_free(s);
	return 0;
}

/* ---- responder, source ------------------------------------------------------------------ */

int responder_role(int argc, char **argv)
{
	log_init("responder");
	int64_t n;
	if (argc != 5 || unit_parse_int(argv[4], &n) || role_parent(argc, argv, SIGTERM))
		return 2;
	return responder_main(&(struct responder_config){
		.hub_socket = argv[1],
		.prefix = argv[2],
		.console_dir = argv[3],
		.first_listen_fd = RESPONDER_FIRST_FD,
		.n_listen = (size_t)n,
	});
}

int source_role(int argc, char **argv)
{
	log_init("source");
	if (role_parent(argc, argv, SIGKILL))
		return 2;
	return host_main();
}

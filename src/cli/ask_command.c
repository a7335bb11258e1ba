/* SPDX-License-Identifier: MIT
 *
 * ask_command - sluice reload, drain, upgrade: ask the running sluice, and say how that
 * went.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/unit.h"
#include "cli/cli.h"
#include "cli/commands.h"

static const char reload_usage[] =
	"usage: sluice reload [-c FILE]\n\n"
	"Has the running sluice read its configuration again.  Everything is checked\n"
	"first: on any mistake it is printed, the old configuration stays, and the exit\n"
	"status is 2.  Sources that have not changed and all open streams go on\n"
	"untouched.  SIGHUP does the same, and tells the log.\n";

static const char upgrade_usage[] =
	"usage: sluice upgrade [-c FILE]\n\n"
	"Has the running sluice become the program that has been installed in its place.\n"
	"The new one checks the configuration first.  The process, its lock and its sockets\n"
	"stay: no request is refused, and streams come back and go on where they were.\n"
	"Sources start anew; those that listen themselves, as for syslog, are closed for a\n"
	"moment.\n";

static const char drain_usage[] =
	"usage: sluice drain [--over 30s | --cancel] [-c FILE]\n\n"
	"Sends clients away one after the other, spread over that time, and takes no new\n"
	"streams; /health/ready answers 503 so that a load balancer looks elsewhere.\n"
	"--cancel takes streams again.\n";

static int ask(int argc, char **argv, const char *usage, const char *word)
{
	int status;
	struct errors e = {0};
	const char *file = config_argument(argc, argv, usage, &status);
	if (!file)
		return status;
	/* Only for where it runs; its mistakes are told by who reloads. */
	struct settings *s = settings_load(file, &e);
	status = commands_ask(s->hub.state_dir, word);
	if (status == 1 && e.count) {
		cli_print_errors(&e);
		status = 2;
	}
	errors_fini(&e);
	settings_free(s);
	return status;
}

int reload_command(int argc, char **argv)
{
	return ask(argc, argv, reload_usage, "reload\n");
}

int upgrade_command(int argc, char **argv)
{
	return ask(argc, argv, upgrade_usage, "upgrade\n");
}

int drain_command(int argc, char **argv)
{
	int64_t over_ns = 30 * NS_PER_SEC;
	bool cancels = argc > 0 && strcmp(argv[0], "--cancel") == 0;
	int used = cancels ? 1 : 0;
	if (argc > 1 && strcmp(argv[0], "--over") == 0) {
		used = 2;
		if (unit_parse_duration(argv[1], &over_ns) || over_ns < 0 ||
		    over_ns > 3600 * NS_PER_SEC) {
			fprintf(stderr,
				"sluice: --over %s: a duration from 0s to 1h, such as 30s\n",
				argv[1]);
			return 2;
		}
	}
	char *word = mem_printf("drain %lld\n", cancels ? -1LL : (long long)(over_ns / NS_PER_MS));
	int status = ask(argc - used, argv + used, drain_usage, word);
	free(word);
	return status;
}

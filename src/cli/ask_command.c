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
#include "cli/arguments.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "conf/paths.h"

static const char reload_usage[] =
	"usage: sluice reload [-c FILE]\n"
	"\n"
	"Makes the running sluice read its configuration again.  Everything is checked\n"
	"first: on any mistake it is printed, the old configuration stays, and the exit\n"
	"status is 2.  Sources that have not changed and all open streams go on\n"
	"untouched.  SIGHUP does the same, and reports to the log.\n";

static const char upgrade_usage[] =
	"usage: sluice upgrade [-c FILE]\n"
	"\n"
	"Switches the running sluice to the newly installed program, which checks the\n"
	"configuration first.  The process, its lock and its sockets stay, so no request\n"
	"is refused, and clients reconnect and resume.  Sources are restarted; those that\n"
	"listen, such as syslog, are closed for a moment.\n";

static const char drain_usage[] =
	"usage: sluice drain [--over DURATION | --cancel] [-c FILE]\n"
	"\n"
	"Disconnects all clients gradually, and accepts no new streams.  /health/ready\n"
	"answers 503, so that a load balancer uses another server.\n";

/* `reads`: the running one then reads its configuration again, which has to be this one. */
static int ask(const char *file, const char *word, bool reads)
{
	struct errors e = {0};
	/* Only for where it runs; its mistakes are told by who reloads. */
	struct settings *s = settings_load(file, &e);
	int status = ask_running(s->hub.state_dir, reads ? file : NULL, word);
	if (status == 1 && e.count) {
		errors_log(&e);
		status = 2;
	}
	errors_fini(&e);
	settings_free(s);
	return status;
}

int reload_command(int argc, char **argv)
{
	int status;
	const char *config = NULL;
	struct arguments a = {.command = "reload", .usage = reload_usage, .config = &config};
	if (!arguments_read(&a, argc, argv, &status))
		return status;
	return ask(path_of_config(config), "reload\n", true);
}

int upgrade_command(int argc, char **argv)
{
	int status;
	const char *config = NULL;
	struct arguments a = {.command = "upgrade", .usage = upgrade_usage, .config = &config};
	if (!arguments_read(&a, argc, argv, &status))
		return status;
	return ask(path_of_config(config), "upgrade\n", true);
}

static char *take_over(void *into, const char *value)
{
	int64_t ns;
	if (unit_parse_duration(value, &ns) || ns < 0 || ns > 3600 * NS_PER_SEC)
		return mem_strdup("not a duration from 0s to 1h, such as 30s");
	*(int64_t *)into = ns;
	return NULL;
}

int drain_command(int argc, char **argv)
{
	enum { UNSET = -1 };
	int status;
	bool cancels = false;
	int64_t over_ns = UNSET;
	const char *config = NULL;
	const struct flag flags[] = {
		{"over", 0, "DURATION", "how long it takes, up to 1h (default: 30s)", take_over,
		 &over_ns},
		{"cancel", 0, NULL, "accept streams again", take_yes, &cancels},
		{0}};
	struct arguments a = {
		.command = "drain", .usage = drain_usage, .flags = flags, .config = &config};
	if (!arguments_read(&a, argc, argv, &status))
		return status;
	if (cancels && over_ns != UNSET)
		return arguments_refuse(&a, "--over and --cancel cannot be used together");
	if (over_ns == UNSET)
		over_ns = 30 * NS_PER_SEC;
	char *word = mem_printf("drain %lld\n", cancels ? -1LL : (long long)(over_ns / NS_PER_MS));
	status = ask(path_of_config(config), word, false);
	free(word);
	return status;
}

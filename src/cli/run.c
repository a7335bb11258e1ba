/* SPDX-License-Identifier: MIT
 *
 * run - sluice run: the supervisor, in the foreground.
 */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "conf/paths.h"
#include "conf/lints.h"
#include "supervisor/inherit.h"
#include "supervisor/supervisor.h"
#include "supervisor/systemd.h"

static const char usage[] =
	"usage: sluice run [-c FILE]\n"
	"\n"
	"Checks the configuration, then follows its sources and serves their streams\n"
	"to the web server at hub.listen.  Stays in the foreground and logs to\n"
	"standard error.  SIGTERM or Ctrl-C ends it and all that it has started;\n"
	"SIGHUP makes it read the configuration again.\n";

enum { RETRY_S = 3 };

/* After an upgrade clients wait at the sockets, and what was good a moment ago has been
 * changed since: it will be mended.  The predecessor had blocked all signals.
 */
static struct settings *wait_for_settings(const char *file)
{
	struct settings *s = NULL;
	sigset_t hup;
	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	sigprocmask(SIG_SETMASK, &hup, NULL);
	while (!s) {
		log_error("the program that was upgraded waits for the configuration to be right");
		systemd_notify("WATCHDOG=1\nSTATUS=waiting for the configuration to be right");
		sleep(RETRY_S);
		s = load_checked(file, false);
	}
	return s;
}

int run_command(int argc, char **argv)
{
	int status;
	bool is_attached = false;
	const char *config = NULL;
	const struct flag flags[] = {{"attached", 0, NULL,
				      "used by sluice.fcgi: listen nowhere, and exit after being\n"
				      "unused for hub.linger",
				      take_yes, &is_attached},
				     {0}};
	struct arguments a = {.command = "run", .usage = usage, .flags = flags, .config = &config};
	if (!arguments_read(&a, argc, argv, &status))
		return status;
	const char *file = path_of_config(config);
	log_init("run");
	if (is_attached) {
		umask(022);
		if (chdir("/") < 0)
			log_debug("cannot leave the directory");
	}
	struct settings *s = load_checked(file, false);
	if (!s && inherit_is_there())
		s = wait_for_settings(file);
	if (!s)
		return 2;
	lints_log(s);
	return supervise(s, is_attached);
}

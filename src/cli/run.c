/* SPDX-License-Identifier: MIT
 *
 * run - sluice run: the supervisor, in the foreground.
 */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/inherit.h"
#include "cli/systemd.h"

static const char usage[] =
	"usage: sluice run [-c FILE]\n\n"
	"Checks the configuration, then follows its sources and serves their streams\n"
	"to the web server at hub.listen.  Stays in the foreground and logs to standard\n"
	"error; SIGTERM or Ctrl-C ends it and all that it has started, SIGHUP has it read\n"
	"the configuration again.\n\n"
	"With --attached it is for a web server that starts sluice.fcgi, which calls it so:\n"
	"it listens nowhere, and ends when nobody has used it for hub.linger.\n";

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
	bool is_attached = argc > 0 && strcmp(argv[argc - 1], "--attached") == 0;
	const char *file = config_argument(argc - is_attached, argv, usage, &status);
	if (!file)
		return status;
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
	log_remarks(s);
	return supervise(s, is_attached);
}

/* SPDX-License-Identifier: MIT
 *
 * run - sluice run: the supervisor, in the foreground.
 */
#include "base/log.h"
#include "cli/cli.h"

static const char usage[] =
	"usage: sluice run [-c FILE]\n\n"
	"Checks the configuration, then follows its sources and serves their streams\n"
	"to the web server at hub.listen.  Stays in the foreground and logs to standard\n"
	"error; SIGTERM or Ctrl-C ends it and all that it has started, SIGHUP has it read\n"
	"the configuration again.\n";

int run_command(int argc, char **argv)
{
	int status;
	const char *file = config_argument(argc, argv, usage, &status);
	if (!file)
		return status;
	log_init("run");
	struct settings *s = load_checked(file, false);
	if (!s)
		return 2;
	return supervise(s);
}

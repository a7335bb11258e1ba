/* SPDX-License-Identifier: MIT
 *
 * run - sluice run: the supervisor, in the foreground.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"

static const char usage[] =
	"usage: sluice run [-c FILE]\n\n"
	"Checks the configuration, then follows its sources and serves their streams\n"
	"to the web server at hub.listen.  Stays in the foreground and logs to standard\n"
	"error; SIGTERM or Ctrl-C ends it and all that it has started, SIGHUP has it read\n"
	"the configuration again.\n\n"
	"With --attached it is for a web server that starts sluice.fcgi, which calls it so:\n"
	"it listens nowhere, and ends when nobody has used it for hub.linger.\n";

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
	if (!s)
		return 2;
	log_remarks(s);
	return supervise(s, is_attached);
}

/* SPDX-License-Identifier: MIT
 *
 * check - sluice check: everything that can be said about a configuration
 * without starting anything.
 */
#include <stdio.h>

#include "cli/cli.h"

static const char usage[] =
	"usage: sluice check [-c FILE]\n\n"
	"Reads the configuration and asks each source's plugin about its options.\n"
	"Every mistake is told with its place; the exit status is 2 if there are any.\n";

int check_command(int argc, char **argv)
{
	int status;
	const char *file = config_argument(argc, argv, usage, &status);
	if (!file)
		return status;
	struct settings *s = load_checked(file, true);
	if (!s)
		return 2;
	printf("%s: good: %zu source%s, %zu channel%s\n", file, s->n_sources,
	       s->n_sources == 1 ? "" : "s", s->n_channels, s->n_channels == 1 ? "" : "s");
	settings_free(s);
	return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * check - sluice check: everything that can be said about a configuration
 * without starting anything.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/unit.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "conf/paths.h"
#include "conf/lints.h"
#include "host/identity.h"
#include "hub/schema.h"

static const char usage[] =
	"usage: sluice check [-c FILE]\n"
	"\n"
	"Reads the configuration and asks each source's plugin about its options.\n"
	"Every mistake is reported with its place, in the order of the lines; the exit\n"
	"status is 2 if there are any.  Nothing is started.\n";

static void print_lint(void *ctx maybe_unused, const char *sentence)
{
	puts(sentence);
}

/* Sources that run as root without being asked to. */
static void lint_users(const struct settings *s)
{
	for (size_t i = 0; geteuid() == 0 && i < s->n_sources; i++) {
		const struct source_settings *src = &s->sources[i];
		const char *why = src->user ? NULL : identity_stays(src);
		if (!why)
			continue;
		struct buf place = {0};
		place_put(&place, src->tree->at);
		cli_print(stdout,
			  "%ssources.%s runs as root because %s (set user: to another user, or "
			  "to root to confirm it)\n",
			  buf_text(&place), src->name, why);
		buf_fini(&place);
	}
}

/* What plugins warn of when they look at their options. */
static void print_warnings(const struct settings *s)
{
	for (size_t i = 0; i < s->n_sources; i++) {
		const struct source_settings *src = &s->sources[i];
		const char *line = src->warnings;
		while (line && *line) {
			int n = (int)strcspn(line, "\n");
			struct buf place = {0};
			place_put(&place, src->tree->at);
			cli_print(stdout, "%ssources.%s: %.*s\n", buf_text(&place), src->name, n,
				  line);
			buf_fini(&place);
			line += n + 1;
		}
	}
}

int check_command(int argc, char **argv)
{
	int status;
	const char *config = NULL;
	struct arguments a = {.command = "check", .usage = usage, .config = &config};
	if (!arguments_read(&a, argc, argv, &status))
		return status;
	const char *file = path_of_config(config);
	struct settings *s = load_checked(file, true);
	if (!s)
		return 2;
	struct buf changes = {0};
	if (schema_compare(s, s->hub.state_dir, &changes))
		cli_print(stdout,
			  "%s: compared with the running configuration, this may break "
			  "clients:\n"
			  "%s",
			  file, buf_text(&changes));
	buf_fini(&changes);
	lints_find(s, print_lint, NULL);
	lint_users(s);
	print_warnings(s);
	for (size_t i = 0; i < s->hub.n_listen; i++)
		if (strncmp(s->hub.listen[i], "tcp:", 4) == 0)
			cli_print(stdout,
				  "%s: whatever can connect to %s can claim to be any user (let "
				  "only the web server connect, or use a unix: socket)\n",
				  file, s->hub.listen[i]);
	cli_print(stdout, "%s: good: %zu %s, %zu %s\n", file, s->n_sources,
		  plural(s->n_sources, "source", "sources"), s->n_channels,
		  plural(s->n_channels, "channel", "channels"));
	settings_free(s);
	return 0;
}

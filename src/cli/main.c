/* SPDX-License-Identifier: MIT
 *
 * main - finds the subcommand and runs it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/unit.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "supervisor/front.h"
#include "supervisor/roles.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary; /* NULL: not for people */
} commands[] = {
	{"run", run_command, "read a configuration, follow its sources, serve their streams"},
	{"check", check_command, "report the mistakes in a configuration, and start nothing"},
	{"reload", reload_command, "make the running sluice apply its changed configuration"},
	{"drain", drain_command, "disconnect all clients gradually"},
	{"upgrade", upgrade_command, "switch the running sluice to the newly installed program"},
	{"journal", journal_command, "look into the journals: verify, cat, stat"},
	{"mount", mount_command, "print the lines that a web server needs for this installation"},
	{"doctor", doctor_command, "show what changes a stream on its way, and how to fix it"},
	{"ticket", ticket_command, "give somebody access to channels for a while, or revoke it"},
	{"plugins", plugins_command, "list the plugins, or one plugin's options and events"},
	{"run-plugin", run_plugin_command, "run one plugin and print its events"},
	{"test-plugin", test_plugin_command, "test that a plugin follows the rules"},
	{"new-plugin", new_plugin_command,
	 "create a plugin: source, manual page, build file, "
	 "test"},
	{"hub", hub_role, NULL},
	{"responder", responder_role, NULL},
	{"source", source_role, NULL},
	{"nursery", nursery_role, NULL},
};

static void print_help(FILE *out)
{
	fputs("sluice streams events - lines of log files and more - as Server-Sent Events\n"
	      "through the web server that is already there.\n\n"
	      "usage: sluice COMMAND ...\n\n",
	      out);
	for (size_t i = 0; i < array_size(commands); i++)
		if (commands[i].summary)
			fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	fputs("\noptions:\n", out);
	arguments_print_flags(
		out,
		(const struct flag[]){{"config", 'c', "FILE", FLAG_CONFIG_DOC, NULL, NULL},
				      {"help", 'h', NULL,
				       "print this text; after a command, its options", NULL, NULL},
				      {"version", 0, NULL, "print the version", NULL, NULL},
				      {0}});
	fputs("\nSLUICE_LOG=error|warning|info|debug sets how much is logged to standard error.\n",
	      out);
}

static int unknown(const char *name)
{
	const char *names[array_size(commands) + 1];
	size_t n = 0;
	for (size_t i = 0; i < array_size(commands); i++)
		if (commands[i].summary)
			names[n++] = commands[i].name;
	names[n] = NULL;
	const char *near = unit_nearest(name, names);
	if (name[0] == '-')
		cli_print(stderr,
			  "sluice: \"%s\": options go behind a command (see sluice --help)\n",
			  name);
	else if (near)
		cli_print(stderr,
			  "sluice: unknown command \"%s\" (did you mean \"%s\"?  See sluice "
			  "--help)\n",
			  name, near);
	else
		cli_print(stderr, "sluice: unknown command \"%s\" (see sluice --help)\n", name);
	return 2;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < array_size(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* sluice help NAME; `argv` has room for the command's own arguments. */
static int help_on(const char *name, char **argv)
{
	const struct command *c = find(name);
	argv[1] = (char[]){"--help"};
	return c && c->summary ? c->run(1, argv + 1) : unknown(name);
}

int main(int argc, char **argv)
{
	fd_fill_standard();
	signal(SIGPIPE, SIG_IGN);
	/* Before any argument: a web server may pass on what a client has sent as such. */
	if (front_is_meant(argc, argv))
		return front_main();
	if (front_is_misused(argc, argv)) {
		puts("Status: 500 Internal Server Error\r\nContent-Type: text/plain\r\n\r\n"
		     "Mount sluice.fcgi, not sluice itself.");
		return 2;
	}
	const char *name = argc > 1 ? argv[1] : "--help";
	if (strcmp(name, "--version") == 0) {
		puts("sluice " SLUICE_VERSION);
		return 0;
	}
	if (argc > 2 && strcmp(name, "help") == 0)
		return help_on(argv[2], argv + 1);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		print_help(argc > 1 ? stdout : stderr);
		return argc > 1 ? 0 : 2;
	}
	const struct command *c = find(name);
	return c ? c->run(argc - 2, argv + 2) : unknown(name);
}

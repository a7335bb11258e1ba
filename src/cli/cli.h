/* SPDX-License-Identifier: MIT
 *
 * cli - the subcommands, for people.
 *
 * Each gets the arguments after its name and returns the exit status:
 * 0 good, 1 failed, 2 wrong usage or configuration.
 */
#ifndef SLUICE_CLI_CLI_H
#define SLUICE_CLI_CLI_H

#include "cli/print.h"
#include "conf/settings.h"
#include "source/probe.h"

int run_command(int argc, char **argv);
int check_command(int argc, char **argv);
int journal_command(int argc, char **argv);
int ticket_command(int argc, char **argv);
int mount_command(int argc, char **argv);
int doctor_command(int argc, char **argv);
int reload_command(int argc, char **argv);
int drain_command(int argc, char **argv);
int upgrade_command(int argc, char **argv);
int plugins_command(int argc, char **argv);
int run_plugin_command(int argc, char **argv);
int new_plugin_command(int argc, char **argv);
int test_plugin_command(int argc, char **argv);

/* Loads a configuration and checks it with its plugins.  Owned, or NULL after
 * printing every mistake on standard error.  A plugin that is no good is a
 * mistake if `strict`; else it is told, and only its own sources will not run.
 */
struct settings *load_checked(const char *file, bool strict) must_check;

/* The file of a plugin, named by a path or, without a slash, as one of those that
 * are installed.  Owned, or NULL with *why owned.
 */
char *plugin_argument(const char *name, char **why) must_check;

/* Arguments key=value as options of a table.  0, or -1 after printing what is
 * wrong with them.
 */
int plugin_options(int argc, char **argv, const struct sluice_option *table,
		   struct option_values *ret) must_check;

/* A source of that plugin with those options; `tables` and `ret` owned in any
 * case.  0, or the exit status after printing why.
 */
int plugin_settings(const char *name, int argc, char **argv, struct tables *tables,
		    struct source_settings *ret) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * cli - the subcommands, for people, and the roles that sluice starts itself in.
 *
 * Each gets the arguments after its name and returns the exit status:
 * 0 good, 1 failed, 2 wrong usage or configuration.
 */
#ifndef SLUICE_CLI_CLI_H
#define SLUICE_CLI_CLI_H

#include "conf/settings.h"

int run_command(int argc, char **argv);
int check_command(int argc, char **argv);

/* Roles; argv[0] is the parent's process id. */
int hub_role(int argc, char **argv);
int responder_role(int argc, char **argv);
int source_role(int argc, char **argv);

/* Reads -c FILE, --help and nothing else.  The file to use (borrowed), falling
 * back to SLUICE_CONFIG and then to the installed path; or NULL with *status
 * set: the command is over.
 */
const char *config_argument(int argc, char **argv, const char *usage, int *status) must_check;

/* Loads a configuration and checks it with its plugins.  Owned, or NULL after
 * printing every mistake on standard error.
 */
struct settings *load_checked(const char *file) must_check;

/* Runs the supervisor: what `sluice run` is. */
int supervise(struct settings *s);

/* The first argument of a role. */
int role_parent(int argc, char **argv, int signo) must_check;

#endif

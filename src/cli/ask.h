/* SPDX-License-Identifier: MIT
 *
 * ask - a command for the running sluice (supervisor/commands.h).
 */
#ifndef SLUICE_CLI_ASK_H
#define SLUICE_CLI_ASK_H

#include "base/attr.h"

/* Asks, and prints what it answers.  The exit status.  `file` is the configuration that is
 * meant, and the word is refused if sluice runs with another one; or NULL.
 */
int ask_running(const char *state_dir, const char *file, const char *word) must_check;

#endif

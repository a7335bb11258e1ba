/* SPDX-License-Identifier: MIT
 *
 * commands - what sluice reload, drain and upgrade ask of a running supervisor, on
 * state_dir/control.sock: a word and a line feed; the answer is "ok" or "error", a line
 * feed, and a text.
 */
#ifndef SLUICE_CLI_COMMANDS_H
#define SLUICE_CLI_COMMANDS_H

#include <stdbool.h>

#include "base/attr.h"

struct commands;
struct supervisor;

enum command_kind { COMMAND_RELOAD, COMMAND_DRAIN, COMMAND_UPGRADE };

/* NULL with *why owned. */
struct commands *commands_open(struct supervisor *s, char **why) must_check;
void commands_close(struct commands *c);

/* Answers all who wait for this. */
void commands_answer(struct commands *c, enum command_kind kind, bool good, const char *text);

/* A reload begins: who has asked by now waits for this one, who asks later for the
 * next.
 */
void commands_reload_begins(struct commands *c);

/* Asks a running supervisor, and prints what it answers.  The exit status.  `file` is the
 * configuration that is meant, and the word is refused if it runs with another one; or NULL.
 */
int commands_ask(const char *state_dir, const char *file, const char *word) must_check;

#endif

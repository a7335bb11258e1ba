/* SPDX-License-Identifier: MIT
 *
 * commands - what sluice reload, drain and upgrade ask of a running supervisor, on
 * state_dir/control.sock: a word and a line feed; the answer is "ok" or "error", a line
 * feed, and a text.  The other end is cli/ask.c.
 */
#ifndef SLUICE_SUPERVISOR_COMMANDS_H
#define SLUICE_SUPERVISOR_COMMANDS_H

#include <stdbool.h>

#include "base/attr.h"
#include "loop/loop.h"

/* In the state directory. */
#define COMMANDS_SOCKET "control.sock"

struct commands;

enum command_kind { COMMAND_RELOAD, COMMAND_DRAIN, COMMAND_UPGRADE, COMMAND_WHICH };

/* Somebody waits for the answer to this, which comes now or later, by commands_answer(). */
typedef void command_fn(void *ctx, enum command_kind kind, const char *argument);

/* Owned; it does not listen yet. */
struct commands *commands_new(struct loop *l, const char *state_dir, command_fn *obey,
			      void *ctx) must_check;
void commands_free(struct commands *c);

/* 0, or -1 with *why owned. */
int commands_listen(struct commands *c, char **why);
/* Ends all connections, and listens no more. */
void commands_shut(struct commands *c);

/* Answers all who wait for this. */
void commands_answer(struct commands *c, enum command_kind kind, bool good, const char *text);

/* A reload begins: who has asked by now waits for this one, who asks later, until it is
 * answered, for the next.
 */
void commands_reload_begins(struct commands *c);

#endif

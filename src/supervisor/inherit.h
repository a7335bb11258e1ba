/* SPDX-License-Identifier: MIT
 *
 * inherit - descriptors that a supervisor hands to the program that replaces it.
 *
 * An upgrade is an execve(2): the process stays the same one, and with it the lock of
 * the state directory and every listening socket; so no connection is refused.
 */
#ifndef SLUICE_SUPERVISOR_INHERIT_H
#define SLUICE_SUPERVISOR_INHERIT_H

#include "supervisor/supervisor_internal.h"

/* What a predecessor has left: the descriptor of that name ("lock", "gate", or an
 * address), of that state directory; else -1.  Each is given once.  *keeps_file: it is
 * systemd's, who keeps its file.
 */
int inherit_take(const char *state_dir, const char *name, bool *keeps_file) must_check;

/* Whether this program takes over from another one. */
bool inherit_is_there(void) must_check;

/* Closes what nobody took. */
void inherit_close_rest(void);

/* Becomes the program at `path`, with these arguments and the supervisor's sockets.
 * Returns only when that cannot be: a negative errno.
 */
int inherit_exec(const struct supervisor *s, const char *path, char *const argv[]) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * upgrade - the supervisor becomes the program that was put in its place.
 *
 *	CHECKING (the new program reads the configuration) -> RETIRING (responders end
 *	with their last requests) -> ENDING (the hub says goodbye) -> execve(2)
 *
 * Until the hub is told to end, everything can still stay as it was.  Requests that
 * come meanwhile wait in the listening sockets.
 */
#ifndef SLUICE_SUPERVISOR_UPGRADE_H
#define SLUICE_SUPERVISOR_UPGRADE_H

#include <stdbool.h>

#include "base/attr.h"

struct supervisor;
struct upgrader;

struct upgrader *upgrade_new(struct supervisor *s) must_check;
void upgrade_free(struct upgrader *u);

void upgrade_begin(struct upgrader *u);

/* A worker has ended.  Whether that was on the way: it is not to be started again. */
bool upgrade_worker_ended(struct upgrader *u);

#endif

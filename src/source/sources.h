/* SPDX-License-Identifier: MIT
 *
 * sources - the hub's side of all source processes: start, read, restart, stop.
 *
 *	STARTING -> RUNNING -> WAITING (backoff) -> STARTING ...
 *	     \-> FAILED (refused its options, or gave up for good)
 *	any -> STOPPING -> gone
 *
 * What a source process sends is treated as a stranger's: checked by length,
 * and a process that sends anything else is ended and started again.
 */
#ifndef SLUICE_SOURCE_SOURCES_H
#define SLUICE_SOURCE_SOURCES_H

#include "hub/hub.h"

struct sources;

/* Starts a process for each source of the hub's settings. */
struct sources *sources_start(struct hub *h) must_check;

/* Asks all to stop; `done` is called once the last one has gone, within 3 s. */
void sources_stop(struct sources *s, void (*done)(void *ctx), void *ctx);

void sources_free(struct sources *s);

#endif

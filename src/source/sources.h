/* SPDX-License-Identifier: MIT
 *
 * sources - all source processes of a hub: the set of them, and its changes.
 */
#ifndef SLUICE_SOURCE_SOURCES_H
#define SLUICE_SOURCE_SOURCES_H

#include "base/process.h"
#include "hub/hub.h"

struct sources;

/* Starts a process for each source of the hub's settings. */
struct sources *sources_start(struct hub *h) must_check;

/* Takes the hub's settings over, which have changed: starts what is new, stops
 * what is gone, restarts what differs or whose plugin is another file by now,
 * and leaves the rest alone.  With `retry` also those that had failed are tried
 * again.  Appends a sentence on what was done.
 */
void sources_reload(struct sources *s, bool retry, struct buf *done);

/* Asks all to stop; `done` is called once the last one has gone, within 3 s. */
void sources_stop(struct sources *s, void (*done)(void *ctx), void *ctx);

void sources_free(struct sources *s);

struct names;
struct names *sources_names(const struct hub *h) must_check;

struct source;

/* A source wants to listen where another one did: then it gets that socket. */
void sources_move_socket(struct source *to, struct str address);

/* A process for it, with these descriptors.  0 or a negative errno. */
int sources_spawn(struct source *s, const struct fd_map *map, size_t n, pid_t *pid) must_check;

/* Ends children of this process that the loop does not watch: what a source that
 * is no more had started, and what that had started.
 */
void sources_end_orphans(struct loop *l);

#endif

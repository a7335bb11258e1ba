/* SPDX-License-Identifier: MIT
 *
 * reactor - descriptors, timers and children that a plugin has registered with
 * its host.
 */
#ifndef SLUICE_HOST_REACTOR_H
#define SLUICE_HOST_REACTOR_H

#include "base/attr.h"
#include "sluice-plugin.h"

struct reactor;

/* `src` is passed to what is called back. */
struct reactor *reactor_new(struct sluice_source *src) must_check;
/* Ends all children, their groups, and what has become of those. */
void reactor_free(struct reactor *r);

int reactor_watch(struct reactor *r, int fd, short events, sluice_fd_fn *fn, void *ctx);
int reactor_timer(struct reactor *r, int64_t first_ns, int64_t every_ns, sluice_timer_fn *fn,
		  void *ctx);
void reactor_cancel(struct reactor *r, int timer);
pid_t reactor_spawn(struct reactor *r, struct sluice_spawn *s, char **why);
void reactor_stop_child(struct reactor *r, pid_t pid, int signo, int64_t grace_ns);

/* Readable when reactor_turn() would call something back; in so many
 * milliseconds a timer will (-1: none).
 */
int reactor_fd(const struct reactor *r);
int reactor_next_ms(const struct reactor *r);
void reactor_turn(struct reactor *r);

#endif

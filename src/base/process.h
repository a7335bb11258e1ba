/* SPDX-License-Identifier: MIT
 *
 * process - starting further roles of this program.
 */
#ifndef SLUICE_BASE_PROCESS_H
#define SLUICE_BASE_PROCESS_H

#include <sys/types.h>

#include "base/attr.h"

struct fd_map {
	int from, to;
};

/* Where this program lies, or what has been put in its place since; owned.  NULL when
 * nothing is there any more.
 */
char *process_own_path(void) must_check;

/* Starts this program again with `argv` (ended by NULL; argv[0] is what `ps`
 * shows), descriptors mapped, no signal blocked or ignored.  0 and *pid, or a
 * negative errno.
 */
int process_spawn(char *const argv[], const struct fd_map *map, size_t n, pid_t *pid) must_check;

/* The same with another program. */
int process_spawn_other(const char *path, char *const argv[], const struct fd_map *map, size_t n,
			pid_t *pid) must_check;

/* The same in a session of its own and with that environment, to go on without this
 * process.
 */
int process_spawn_apart(char *const argv[], char *const envp[], const struct fd_map *map,
			size_t n) must_check;

/* Has the kernel send `signo` to this process when `parent` ends; ends it at
 * once when `parent` is its parent no more.
 */
void process_die_with_parent(pid_t parent, int signo);

/* Asks for the processor in turns of that many microseconds for this thread: the shorter
 * they are, the sooner it gets one when it wakes.  Linux before 6.12 ignores it.
 */
void process_take_turns(unsigned us);

/* "exit status 3", "killed by signal 9 (Killed)": owned. */
char *process_describe_status(int status) must_check;

/* Kills and reaps all children of this process, those included that become its
 * children meanwhile, for some time at most.
 */
void process_end_children(void);

/* Calls `fn` with each child of this process. */
void process_each_child(void (*fn)(void *ctx, pid_t pid), void *ctx);

#endif

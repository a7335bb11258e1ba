/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

enum { MAPS_MAX = 64 };

extern char **environ;

static const char deleted[] = " (deleted)";

static bool is_replaced(const char *self, size_t len)
{
	size_t n = sizeof(deleted) - 1;
	return len > n && strcmp(self + len - n, deleted) == 0;
}

char *process_own_path(void)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len < 0)
		return NULL;
	self[len] = 0;
	if (is_replaced(self, (size_t)len))
		self[(size_t)len - (sizeof(deleted) - 1)] = 0;
	return access(self, X_OK) == 0 ? mem_strdup(self) : NULL;
}

static int above_targets(const struct fd_map *map, size_t n)
{
	int above = STDERR_FILENO + 1;
	for (size_t i = 0; i < n; i++)
		above = MAX(above, map[i].to + 1);
	return above;
}

static int spawn(const char *path, char *const argv[], char *const envp[], const struct fd_map *map,
		 size_t n, short flags, pid_t *pid)
{
	if (n > MAPS_MAX)
		return -EINVAL;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr,
				 (short)(flags | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
	/* Copies out of the way first: a target may be the source of another. */
	int copies[MAPS_MAX];
	int r = 0, above = above_targets(map, n);
	size_t made = 0;
	for (; !r && made < n; made++) {
		copies[made] = fcntl(map[made].from, F_DUPFD_CLOEXEC, above);
		if (copies[made] < 0) {
			r = -errno;
			break;
		}
		r = -posix_spawn_file_actions_adddup2(&actions, copies[made], map[made].to);
	}
	if (!r)
		r = -posix_spawn(pid, path, &actions, &attr, argv, envp);
	for (size_t i = 0; i < made; i++)
		fd_close(&copies[i]);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return r;
}

/* A package may have put another program in the place of this one since: the roles
 * stay of one version.
 */
static int own_image(char self[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", self, PATH_MAX - 1);
	if (len < 0)
		return -errno;
	self[len] = 0;
	if (is_replaced(self, (size_t)len))
		strcpy(self, "/proc/self/exe");
	return 0;
}

int process_spawn(char *const argv[], const struct fd_map *map, size_t n, pid_t *pid)
{
	char self[PATH_MAX];
	int r = own_image(self);
	return r ? r : spawn(self, argv, environ, map, n, 0, pid);
}

int process_spawn_other(const char *path, char *const argv[], const struct fd_map *map, size_t n,
			pid_t *pid)
{
	return spawn(path, argv, environ, map, n, 0, pid);
}

int process_spawn_apart(char *const argv[], char *const envp[], const struct fd_map *map, size_t n)
{
	pid_t pid;
	char self[PATH_MAX];
	int r = own_image(self);
	return r ? r : spawn(self, argv, envp, map, n, POSIX_SPAWN_SETSID, &pid);
}

void process_die_with_parent(pid_t parent, int signo)
{
	prctl(PR_SET_PDEATHSIG, signo);
	/* It may have gone before the call: then the signal never comes. */
	if (getppid() != parent)
		_exit(0);
}

/* sched_setattr(2): the C library has neither the call nor the struct. */
void process_take_turns(unsigned us)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attr = {.size = sizeof(attr),
		  .policy = (uint32_t)sched_getscheduler(0),
		  .nice = getpriority(PRIO_PROCESS, 0),
		  .runtime_ns = us * 1000ULL};
	if (syscall(SYS_sched_setattr, 0, &attr, 0) < 0)
		return; /* it was only to be asked for */
}

char *process_describe_status(int status)
{
	if (WIFSIGNALED(status))
		return mem_printf("killed by signal %d (%s)", WTERMSIG(status),
				  strsignal(WTERMSIG(status)));
	return mem_printf("exit status %d", WEXITSTATUS(status));
}

void process_each_child(void (*fn)(void *ctx, pid_t pid), void *ctx)
{
	char path[64], text[65536];
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	fd_close(&fd);
	text[MAX(n, 0)] = 0;
	for (char *p = text, *end; *p; p = end) {
		pid_t pid = (pid_t)strtol(p, &end, 10);
		if (end == p)
			break;
		fn(ctx, pid);
		while (*end == ' ')
			end++;
	}
}

static void end_child(void *ctx maybe_unused, pid_t pid)
{
	kill(pid, SIGKILL);
}

void process_end_children(void)
{
	for (int i = 0; i < 100; i++) {
		process_each_child(end_child, NULL);
		pid_t pid;
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			continue;
		if (pid < 0)
			return; /* no child is left */
		usleep(2000);
	}
}

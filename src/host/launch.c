/* SPDX-License-Identifier: MIT */
#include "host/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

extern char **environ;

/* What the child reports when it does not get as far as the program. */
struct failure {
	int error;
	enum step { STEP_DESCRIPTORS, STEP_CWD, STEP_NICE, STEP_EXEC } step;
};

static no_return void fail(int to, enum step step)
{
	struct failure f = {.error = errno, .step = step};
	ssize_t ignored = write(to, &f, sizeof(f));
	(void)ignored;
	_exit(127);
}

/* Between fork and exec. */
static no_return void become(const struct sluice_spawn *s, int out, int err, int report,
			     pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	setpgid(0, 0);
	/* When the source dies, whatever it dies of, this goes with it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		fail(report, STEP_DESCRIPTORS);
	syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
	fd_restore_limit();
	if (chdir(s->cwd ? s->cwd : "/") < 0)
		fail(report, STEP_CWD);
	if (s->umask >= 0)
		umask((mode_t)s->umask);
	errno = 0;
	if (s->nice && nice(s->nice) == -1 && errno)
		fail(report, STEP_NICE);
	char *const *argv = (char *const *)(uintptr_t)s->argv;
	char *const *env = s->env ? (char *const *)(uintptr_t)s->env : environ;
	execvpe(argv[0], argv, env);
	fail(report, STEP_EXEC);
}

static int make_pipe(int ends[2])
{
	return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
}

static void close_pipe(int ends[2])
{
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

static char *explain(const struct sluice_spawn *s, const struct failure *f)
{
	const char *error = strerror(f->error);
	switch (f->step) {
	case STEP_DESCRIPTORS: return mem_printf("cannot set up the program's pipes: %s", error);
	case STEP_CWD:
		return mem_printf("cannot enter the working directory %s: %s (create it, or change "
				  "cwd)",
				  s->cwd, error);
	case STEP_NICE: return mem_printf("cannot change the niceness by %d: %s", s->nice, error);
	case STEP_EXEC: break;
	}
	const char *what_to_do = "";
	if (f->error == ENOENT && !strchr(s->argv[0], '/'))
		what_to_do = " (it is in no directory of PATH: write its full path)";
	else if (f->error == ENOENT)
		what_to_do = " (if the file is there, the interpreter in its first line is not)";
	else if (f->error == EACCES)
		what_to_do = " (make it executable for the source's user: chmod +x)";
	return mem_printf("cannot run %s: %s%s", s->argv[0], error, what_to_do);
}

pid_t launch(struct sluice_spawn *s, char **why)
{
	int out[2] = {-1, -1}, err[2] = {-1, -1}, report[2] = {-1, -1};
	pid_t pid = -1, parent = getpid();
	fd_fill_standard(); /* the plugin may have closed them: ours must not take their places */
	int r = make_pipe(out);
	s->out = s->err = -1;
	if (!r && !s->merge_stderr)
		r = make_pipe(err);
	if (!r)
		r = make_pipe(report);
	if (!r) {
		pid = fork();
		r = pid < 0 ? -errno : 0;
	}
	if (pid == 0)
		become(s, out[1], s->merge_stderr ? out[1] : err[1], report[1], parent);
	fd_close(&out[1]);
	fd_close(&err[1]);
	fd_close(&report[1]);
	struct failure f = {0};
	if (!r && read(report[0], &f, sizeof(f)) == sizeof(f)) {
		r = -f.error;
		waitpid(pid, NULL, 0);
		*why = explain(s, &f);
	} else if (r) {
		*why = mem_printf("no process: %s", strerror(-r));
	}
	fd_close(&report[0]);
	if (r || fd_set_nonblocking(out[0]) || (err[0] >= 0 && fd_set_nonblocking(err[0]))) {
		close_pipe(out);
		close_pipe(err);
		return r ? r : -EIO;
	}
	s->out = out[0];
	s->err = err[0];
	return pid;
}

/* SPDX-License-Identifier: MIT */
#include "cli/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "supervisor/commands.h"

#define COME_BACK_NS (5 * NS_PER_SEC)

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int err = errno;
		fd_close(&fd);
		return -err;
	}
	return fd;
}

static int ask(int fd, const char *word)
{
	struct buf got = {0};
	ssize_t n = send(fd, word, strlen(word), MSG_NOSIGNAL);
	while (n > 0 && (n = read(fd, buf_reserve(&got, 65536), 65536)) > 0)
		got.len += (size_t)n;
	const char *text = buf_text(&got);
	int status = 1;
	if (strncmp(text, "ok\n", 3) == 0) {
		cli_print(stdout, "%s", text + 3);
		status = 0;
	} else if (strncmp(text, "error\n", 6) == 0) {
		cli_print(stderr, "%s", text + 6);
		fputs("sluice: nothing was changed\n", stderr);
		status = 2;
	} else {
		fputs("sluice: the running sluice ended before it answered (see its log)\n",
		      stderr);
	}
	buf_fini(&got);
	return status;
}

/* Whether a sluice has the state directory, be it just being upgraded. */
static bool is_running(const char *state_dir)
{
	char *path = mem_printf("%s/lock", state_dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool runs = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	fd_close(&fd);
	free(path);
	return runs;
}

/* The configuration of the sluice that listens there, owned; NULL if it does not say. */
static char *file_of_running(const char *path)
{
	static const char word[] = "which\n";
	struct buf got = {0};
	int fd = connect_to(path);
	ssize_t n = fd < 0 ? -1 : send(fd, word, strlen(word), MSG_NOSIGNAL);
	while (n > 0 && (n = read(fd, buf_reserve(&got, PATH_MAX), PATH_MAX)) > 0)
		got.len += (size_t)n;
	const char *text = buf_text(&got);
	bool says = strncmp(text, "ok\n", 3) == 0;
	char *file = says ? mem_strndup(text + 3, strcspn(text + 3, "\n")) : NULL;
	buf_fini(&got);
	fd_close(&fd);
	return file;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;
	return strcmp(a, b) == 0 || (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
				     x.st_ino == y.st_ino);
}

/* A reload reads only the file that sluice was started with, so another one is refused. */
static bool runs_with(const char *path, const char *file)
{
	char *running = file ? file_of_running(path) : NULL;
	bool runs = !running || is_same_file(running, file);
	if (!runs)
		cli_print(stderr,
			  "sluice: the running sluice uses %s, not %s: nothing was changed (use "
			  "-c %s, or stop sluice and start it with the other file)\n",
			  running, file, running);
	free(running);
	return runs;
}

int ask_running(const char *state_dir, const char *file, const char *word)
{
	char *path = mem_printf("%s/" COMMANDS_SOCKET, state_dir);
	int fd = connect_to(path), status = 1;
	int64_t until = clock_mono_ns() + COME_BACK_NS;
	while (fd < 0 && fd != -EACCES && clock_mono_ns() < until && is_running(state_dir)) {
		usleep(50 * 1000);
		fd = connect_to(path);
	}
	if (fd >= 0)
		status = runs_with(path, file) ? ask(fd, word) : 2;
	else if (fd == -EACCES)
		fprintf(stderr,
			"sluice: %s: permission denied (run this command as root, or as the user "
			"that sluice runs as)\n",
			path);
	else
		fprintf(stderr,
			"sluice: no sluice runs with this configuration: %s: %s (start it with "
			"sluice run; after a change of hub.state_dir, end the old one first)\n",
			path, strerror(-fd));
	fd_close(&fd);
	free(path);
	return status;
}

/* SPDX-License-Identifier: MIT
 *
 * reload_command - sluice reload: asks a running sluice to take up its changed
 * configuration, and says how that went.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/cli.h"

static const char usage[] =
	"usage: sluice reload [-c FILE]\n\n"
	"Has the running sluice read its configuration again.  Everything is checked\n"
	"first: on any mistake it is printed, the old configuration stays, and the exit\n"
	"status is 2.  Sources that have not changed and all open streams go on\n"
	"untouched.  SIGHUP does the same, and tells the log.\n";

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

static int ask(int fd)
{
	struct buf answer = {0};
	ssize_t n = send(fd, "reload\n", 7, MSG_NOSIGNAL);
	while (n > 0 && (n = read(fd, buf_reserve(&answer, 65536), 65536)) > 0)
		answer.len += (size_t)n;
	const char *text = buf_text(&answer);
	int status = 1;
	if (strncmp(text, "ok\n", 3) == 0) {
		fputs(text + 3, stdout);
		status = 0;
	} else if (strncmp(text, "error\n", 6) == 0) {
		fputs(text + 6, stderr);
		fputs("sluice: nothing was changed\n", stderr);
		status = 2;
	} else {
		fputs("sluice: it ended before it answered (see its log)\n", stderr);
	}
	buf_fini(&answer);
	return status;
}

int reload_command(int argc, char **argv)
{
	int status;
	struct errors e = {0};
	const char *file = config_argument(argc, argv, usage, &status);
	if (!file)
		return status;
	/* Only for where it runs; its mistakes are told by who reloads. */
	struct settings *s = settings_load(file, &e);
	char *path = mem_printf("%s/control.sock", s->hub.state_dir);
	int fd = connect_to(path);
	if (fd >= 0) {
		status = ask(fd);
		close(fd);
	} else if (e.count) {
		fputs(buf_text(&e.text), stderr);
		status = 2;
	} else {
		fprintf(stderr, "sluice: no sluice runs with this configuration: %s: %s\n", path,
			strerror(-fd));
		status = 1;
	}
	errors_fini(&e);
	settings_free(s);
	free(path);
	return status;
}

/* SPDX-License-Identifier: MIT
 *
 * Both protocols are promised to stay (sd_listen_fds(3), sd_notify(3)), and are a page
 * without libsystemd, which would bring five further libraries into every process.
 */
#include "supervisor/systemd.h"

#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/unit.h"

enum { FIRST_FD = 3 };

/* A number in the environment that is meant for this process; 0 when there is none. */
static int64_t number_for_us(const char *name, const char *pid_name)
{
	const char *text = getenv(name), *pid = getenv(pid_name);
	int64_t n, of;
	if (!text || unit_parse_int(text, &n) ||
	    (pid && (unit_parse_int(pid, &of) || of != getpid())))
		return 0;
	return n;
}

static bool listens_on(int fd, const struct address *a)
{
	struct sockaddr_storage bound = {0};
	socklen_t len = sizeof(bound), size = sizeof(int);
	int listens = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
		return false;
	if (a->kind == ADDRESS_UNIX_STREAM) {
		const struct sockaddr_un *un = (const void *)&bound;
		return un->sun_family == AF_UNIX && strcmp(un->sun_path, a->path) == 0;
	}
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *all = NULL;
	bool is = getaddrinfo(a->host, a->port, &hints, &all) == 0 && len == all->ai_addrlen &&
		  memcmp(&bound, all->ai_addr, len) == 0;
	if (all)
		freeaddrinfo(all);
	return is;
}

int systemd_socket(const char *address)
{
	struct address a;
	char *why = NULL;
	int64_t n = getenv("LISTEN_PID") ? number_for_us("LISTEN_FDS", "LISTEN_PID") : 0;
	if (n <= 0 || address_parse(address, &a, &why)) {
		free(why);
		return -1;
	}
	for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++)
		if (listens_on(fd, &a))
			return fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
	return -1;
}

void systemd_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	if (!n || n >= sizeof(addr.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(addr.sun_path, path, n);
	if (path[0] == '@')
		addr.sun_path[0] = 0; /* abstract */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
		ssize_t ignored = sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
					 (const struct sockaddr *)&addr, len);
		(void)ignored;
	}
	fd_close(&fd);
}

int64_t systemd_watchdog_ns(void)
{
	return number_for_us("WATCHDOG_USEC", "WATCHDOG_PID") * 1000;
}

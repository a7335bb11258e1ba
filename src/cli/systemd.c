/* SPDX-License-Identifier: MIT */
#include "cli/systemd.h"

#ifdef HAVE_SYSTEMD
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "base/address.h"
#include "base/clock.h"

static bool listens_on(int fd, const struct address *a)
{
	if (a->kind == ADDRESS_UNIX_STREAM)
		return sd_is_socket_unix(fd, SOCK_STREAM, 1, a->path, 0) > 0;
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *all = NULL;
	bool is = sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0 &&
		  getsockname(fd, (struct sockaddr *)&bound, &len) == 0 &&
		  getaddrinfo(a->host, a->port, &hints, &all) == 0 && len == all->ai_addrlen &&
		  memcmp(&bound, all->ai_addr, len) == 0;
	if (all)
		freeaddrinfo(all);
	return is;
}

int systemd_socket(const char *address)
{
	struct address a;
	char *why = NULL;
	int n = sd_listen_fds(0), found = -1;
	if (n <= 0 || address_parse(address, &a, &why)) {
		free(why);
		return -1;
	}
	for (int fd = SD_LISTEN_FDS_START; found < 0 && fd < SD_LISTEN_FDS_START + n; fd++)
		if (listens_on(fd, &a))
			found = fcntl(fd, F_DUPFD_CLOEXEC, 100); /* out of the way of our roles' */
	return found;
}

void systemd_notify(const char *text)
{
	sd_notify(0, text);
}

int64_t systemd_watchdog_ns(void)
{
	uint64_t usec = 0;
	return sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)usec * 1000 : 0;
}

#else

int systemd_socket(const char *address maybe_unused)
{
	return -1;
}

void systemd_notify(const char *text maybe_unused)
{
}

int64_t systemd_watchdog_ns(void)
{
	return 0;
}
#endif

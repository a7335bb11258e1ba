/* SPDX-License-Identifier: MIT */
#include "cli/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { BACKLOG = 4096 };

/* 0 when nothing is in the way of binding `addr`; -1 with *why. */
static int clear_the_way(const struct sockaddr_un *addr, int type, char **why)
{
	struct stat st;
	if (lstat(addr->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		*why = mem_printf("%s exists and is no socket (remove it, or listen elsewhere)",
				  addr->sun_path);
		return -1;
	}
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int r = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	int err = errno;
	close(fd);
	if (r == 0 || err == EAGAIN) {
		*why = mem_printf(
			"%s: another process listens there (stop it, or listen elsewhere)",
			addr->sun_path);
		return -1;
	}
	if (err != ECONNREFUSED) {
		*why = mem_printf("%s: %s", addr->sun_path, strerror(err));
		return -1;
	}
	log_info("%s: replacing a socket that a process left behind", addr->sun_path);
	unlink(addr->sun_path);
	return 0;
}

static int open_unix(const char *path, int type, mode_t mode, char **why)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr.sun_path)) {
		*why = mem_printf(
			"%s: longer than the %zu characters that a socket's path may have", path,
			sizeof(addr.sun_path) - 1);
		return -1;
	}
	memcpy(addr.sun_path, path, strlen(path));
	if (clear_the_way(&addr, type, why))
		return -1;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0) {
		*why = mem_printf("cannot listen on %s: %s%s", path, strerror(errno),
				  errno == ENOENT ? " (make its directory)" : "");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static int open_tcp(const char *host_port, char **why)
{
	char *host = mem_strdup(host_port);
	char *port = strrchr(host, ':');
	*port++ = 0;
	size_t n = strlen(host);
	char *name = host;
	if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = 0;
		name++;
	}
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *all = NULL;
	int fd = -1, err = getaddrinfo(name, port, &hints, &all);
	if (err) {
		*why = mem_printf("cannot listen on %s: %s", host_port, gai_strerror(err));
	} else {
		int on = 1;
		fd = socket(all->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		    bind(fd, all->ai_addr, all->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
			*why = mem_printf("cannot listen on %s: %s%s", host_port, strerror(errno),
					  errno == EADDRINUSE
						  ? " (another process has the port: stop it, "
						    "or listen on another one)"
						  : "");
			if (fd >= 0)
				close(fd);
			fd = -1;
		}
	}
	if (all)
		freeaddrinfo(all);
	free(host);
	return fd;
}

int listen_open(const char *address, char **why)
{
	if (strncmp(address, "unix:", 5) == 0)
		return open_unix(address + 5, SOCK_STREAM, 0666, why);
	return open_tcp(address + 4, why);
}

int listen_open_gate(const char *path, char **why)
{
	return open_unix(path, SOCK_SEQPACKET, 0600, why);
}

void listen_unlink(const char *address)
{
	if (strncmp(address, "unix:", 5) == 0)
		unlink(address + 5);
}

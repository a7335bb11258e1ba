/* SPDX-License-Identifier: MIT
 *
 * rawsend - the limit to compare with: reads lines from a FIFO and does nothing
 * with them but one send() to each peer.  No journal, no history, no cursors.
 *
 *	rawsend SOCKET FIFO
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "wire/fcgi.h"

enum { PEERS_MAX = 20000 };

static int peers[PEERS_MAX];
static size_t n_peers;

/* A peer gets what makes the load client count it as connected. */
static void take_peer(int listener)
{
	struct buf b = {0};
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || n_peers == PEERS_MAX)
		return;
	fcgi_put_stdout(&b, 1, STR("event: hello\ndata: {}\n\n"));
	if (send(fd, b.data, b.len, MSG_NOSIGNAL) == (ssize_t)b.len)
		peers[n_peers++] = fd;
	buf_fini(&b);
}

static void broadcast(char *lines, size_t n)
{
	struct buf b = {0};
	buf_reserve(&b, FCGI_HEADER);
	b.len = FCGI_HEADER;
	for (char *p = lines, *lf; (lf = memchr(p, '\n', n - (size_t)(p - lines))); p = lf + 1) {
		/* As many bytes as a line of sluice's has around its message. */
		buf_puts(&b, "id: abcdef.1763689264123-0\nevent: line\ndata: ");
		buf_put(&b, p, (size_t)(lf - p));
		buf_puts(&b, "\n\n");
	}
	fcgi_frame_stdout(&b, 0, 1);
	for (size_t i = 0; i < n_peers; i++) {
		size_t done = 0;
		while (done < b.len) {
			ssize_t w = send(peers[i], b.data + done, b.len - done, MSG_NOSIGNAL);
			if (w < 0)
				break;
			done += (size_t)w;
		}
	}
	buf_fini(&b);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	static char lines[65536];
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	/* Under its name it is there once it listens. */
	snprintf(un.sun_path, sizeof(un.sun_path), "%s.new", argv[1]);
	fd_raise_limit();
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fifo = open(argv[2], O_RDWR | O_CLOEXEC);
	if (fifo < 0 || bind(listener, (struct sockaddr *)&un, sizeof(un)) < 0 ||
	    listen(listener, 4096) < 0 || rename(un.sun_path, argv[1]) < 0) {
		perror("rawsend");
		return 1;
	}
	for (;;) {
		struct pollfd p[2] = {{.fd = listener, .events = POLLIN},
				      {.fd = fifo, .events = POLLIN}};
		poll(p, 2, -1);
		if (p[0].revents)
			take_peer(listener);
		if (p[1].revents) {
			ssize_t n = read(fifo, lines, sizeof(lines));
			if (n > 0)
				broadcast(lines, (size_t)n);
		}
	}
}

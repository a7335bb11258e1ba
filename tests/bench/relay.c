/* SPDX-License-Identifier: MIT
 *
 * relay - publishes lines from a FIFO to an HTTP server, one POST each, as nchan
 * wants them; for comparing it with what reads the lines itself.
 *
 *	relay FIFO HOST:PORT/PATH LINES-A-MESSAGE
 *
 * Requests are sent without waiting for the answers of those before.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"

static int connect_to(const char *where, char host[256])
{
	const char *slash = strchr(where, '/');
	snprintf(host, 256, "%.*s", (int)(slash - where), where);
	char *colon = strchr(host, ':');
	*colon = 0;
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(colon + 1))};
	inet_pton(AF_INET, host, &in.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return connect(fd, (struct sockaddr *)&in, sizeof(in)) ? -1 : fd;
}

static int send_all(int fd, struct str s)
{
	while (s.len) {
		ssize_t w = send(fd, s.data, s.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (w < 0 && errno != EAGAIN)
			return -1;
		if (w < 0) {
			/* The server has answers for us first. */
			static char waste[65536];
			struct pollfd p = {fd, POLLIN | POLLOUT, 0};
			poll(&p, 1, -1);
			if (p.revents & POLLIN && recv(fd, waste, sizeof(waste), MSG_DONTWAIT) == 0)
				return -1;
			continue;
		}
		s.data += w;
		s.len -= (size_t)w;
	}
	return 0;
}

static void put_post(struct buf *out, const char *path, const char *body, size_t n)
{
	buf_printf(out, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Length: %zu\r\n\r\n", path, n);
	buf_put(out, body, n);
}

/* All whole lines in `in`, so many to a message. */
static void put_posts(struct buf *out, struct buf *in, const char *path, int pack)
{
	size_t from = 0, at = 0;
	int n = 0;
	for (const char *lf; (lf = memchr(in->data + at, '\n', in->len - at));) {
		at = (size_t)(lf - in->data) + 1;
		if (++n == pack) {
			put_post(out, path, in->data + from, at - 1 - from);
			from = at;
			n = 0;
		}
	}
	if (at > from)
		put_post(out, path, in->data + from, at - 1 - from);
	buf_drop(in, at);
}

int main(int argc, char **argv)
{
	static char answers[65536];
	char host[256];
	if (argc != 4) {
		fputs("usage: relay FIFO HOST:PORT/PATH LINES-A-MESSAGE\n", stderr);
		return 2;
	}
	int lines = open(argv[1], O_RDWR | O_CLOEXEC), to = connect_to(argv[2], host);
	if (lines < 0 || to < 0) {
		perror("relay");
		return 1;
	}
	struct buf in = {0}, out = {0};
	for (;;) {
		struct pollfd p[2] = {{lines, POLLIN, 0}, {to, POLLIN, 0}};
		poll(p, 2, -1);
		if (p[1].revents && recv(to, answers, sizeof(answers), MSG_DONTWAIT) == 0)
			return 1;
		if (!(p[0].revents & POLLIN))
			continue;
		ssize_t n = read(lines, buf_reserve(&in, 65536), 65536);
		if (n <= 0)
			return 0;
		in.len += (size_t)n;
		out.len = 0;
		put_posts(&out, &in, strchr(argv[2], '/'), atoi(argv[3]));
		if (send_all(to, buf_str(&out)))
			return 1;
	}
}

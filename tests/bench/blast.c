/* SPDX-License-Identifier: MIT
 *
 * blast - sends numbered syslog messages as fast as it can.
 *
 *	blast udp|tcp PORT N [RATE]
 *
 * RATE is in messages a second; without it there is none.  Prints how many were
 * sent and how long that took.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, ROOM = 160 };

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t message(char *out, long i, const char *end)
{
	return (size_t)snprintf(out, ROOM,
				"<13>Nov 21 06:00:00 host app[42]: message number %09ld with some "
				"text behind it so that it has the usual length%s",
				i, end);
}

static long send_udp(int fd, long from, long n)
{
	static char text[BATCH][ROOM];
	struct mmsghdr heads[BATCH];
	struct iovec iov[BATCH];
	int count = (int)(n - from < BATCH ? n - from : BATCH);
	memset(heads, 0, sizeof(heads));
	for (int i = 0; i < count; i++) {
		iov[i] = (struct iovec){text[i], message(text[i], from + i, "")};
		heads[i].msg_hdr.msg_iov = &iov[i];
		heads[i].msg_hdr.msg_iovlen = 1;
	}
	int sent = sendmmsg(fd, heads, (unsigned)count, 0);
	return sent > 0 ? sent : 0;
}

static long send_tcp(int fd, long from, long n)
{
	static char text[1024 * ROOM];
	size_t len = 0;
	long count = n - from < 1024 ? n - from : 1024;
	for (long i = 0; i < count; i++)
		len += message(text + len, from + i, "\n");
	for (size_t at = 0; at < len;) {
		ssize_t w = send(fd, text + at, len - at, MSG_NOSIGNAL);
		if (w < 0) {
			perror("send");
			exit(1);
		}
		at += (size_t)w;
	}
	return count;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	int is_udp = strcmp(argv[1], "udp") == 0;
	long n = atol(argv[3]), sent = 0;
	double rate = argc > 4 ? atof(argv[4]) : 0, began;
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(argv[2])),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, is_udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror("connect");
		return 1;
	}
	began = now();
	while (sent < n) {
		sent += is_udp ? send_udp(fd, sent, n) : send_tcp(fd, sent, n);
		while (rate > 0 && (double)sent / rate > now() - began)
			usleep(200);
	}
	printf("{\"sent\": %ld, \"seconds\": %.6f}\n", sent, now() - began);
	close(fd);
	return 0;
}

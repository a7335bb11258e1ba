/* SPDX-License-Identifier: MIT
 *
 * Preloaded into a program: its wall clock differs by as many seconds as the file says that
 * $CLOCK_SHIFT names.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *ret)
{
	char text[32];
	long r = syscall(SYS_clock_gettime, id, ret);
	int fd = id == CLOCK_REALTIME ? open(getenv("CLOCK_SHIFT"), O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return (int)r;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	ret->tv_sec += atol(text);
	return (int)r;
}

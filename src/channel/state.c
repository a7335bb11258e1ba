/* SPDX-License-Identifier: MIT */
#include "channel/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#define TELL_NS (200 * NS_PER_MS)

/* The process that has noted itself in the lock file; owned. */
static char *holder(int fd)
{
	char pid[16] = "unknown";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
	if (n > 0)
		pid[n] = 0;
	return mem_strdup(pid);
}

/* 0 or a negative errno.  Logs what it waits for, if that takes a while. */
static int lock_file(int fd, const char *dir, int wait_ms)
{
	int64_t began = clock_mono_ns(), waited = 0;
	bool is_told = false;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		waited = clock_mono_ns() - began;
		if (errno != EWOULDBLOCK || waited > wait_ms * NS_PER_MS)
			return -errno;
		if (!is_told && waited > TELL_NS) {
			char *pid = holder(fd);
			log_info("hub.state_dir %s is in use by another sluice (process %s): "
				 "waiting "
				 "%d s for it to end",
				 dir, pid, wait_ms / 1000);
			free(pid);
			is_told = true;
		}
		usleep(20 * 1000);
	}
	return 0;
}

int state_lock(const char *dir, int wait_ms, char **why)
{
	int r = fd_make_dirs(dir);
	if (r) {
		*why = mem_printf(
			"hub.state_dir %s cannot be made: %s (make it, or name another one)", dir,
			strerror(-r));
		return r;
	}
	char *path = mem_printf("%s/lock", dir);
	/* Who can open it can lock it, and keep us from starting. */
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd >= 0 && fchmod(fd, 0600) < 0)
		log_debug("%s: its mode stays as it is", path);
	if (fd < 0) {
		r = -errno;
		*why = mem_printf(
			"hub.state_dir %s cannot be written: %s (give this user the right, "
			"or name another directory)",
			dir, strerror(-r));
		free(path);
		return r;
	}
	r = lock_file(fd, dir, wait_ms);
	if (r) {
		char *pid = holder(fd);
		*why = mem_printf(
			"hub.state_dir %s is in use by another sluice (process %s): stop that "
			"one, or name another directory",
			dir, pid);
		free(pid);
		close(fd);
		free(path);
		return r;
	}
	char pid[16];
	int n = snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n)
		log_debug("%s: could not note the process id", path);
	free(path);
	/* Out of the way of the numbers that children are given. */
	int high = fcntl(fd, F_DUPFD, 50);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

static void new_epoch(char epoch[EPOCH_MAX + 1])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	unsigned char random[6];
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		memset(random, (int)(clock_wall_ns() >> 10), sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		epoch[i] = digits[random[i] % 36];
	epoch[sizeof(random)] = 0;
}

static void boot_id(struct buf *out)
{
	if (fd_read_file("/proc/sys/kernel/random/boot_id", 100, out))
		buf_puts(out, "unknown");
	while (out->len && out->data[out->len - 1] == '\n')
		out->len--;
}

/* Overwrites the file.  This works on a full disk too, as the line never changes its length. */
static int write_in_place(const char *path, struct str line)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;
	if (fd < 0 || fstat(fd, &st) < 0 || (size_t)st.st_size != line.len)
		r = -ENOSPC;
	else if (pwrite(fd, line.data, line.len, 0) != (ssize_t)line.len || fdatasync(fd) < 0)
		r = -EIO;
	fd_close(&fd);
	return r;
}

enum { IDENTITY_LEN = 32 };

/* Tells a directory from its copies: the inode number of the file `lock`, and the time of
 * its creation.
 */
static void identity_of_state(const char *dir, char ret[IDENTITY_LEN + 1])
{
	struct statx st = {0};
	char *path = mem_printf("%s/lock", dir);
	if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &st) < 0)
		st.stx_ino = 0;
	int64_t made_ns = st.stx_mask & STATX_BTIME
				  ? st.stx_btime.tv_sec * NS_PER_SEC + st.stx_btime.tv_nsec
				  : 0;
	snprintf(ret, IDENTITY_LEN + 1, "%016llx%016llx", (unsigned long long)st.stx_ino,
		 (unsigned long long)made_ns);
	free(path);
}

/* One line: epoch, boot id of the machine, "open" or "clean", identity of the directory. */
static int write_epoch(const char *dir, const char *epoch, const char *mark)
{
	struct buf boot = {0}, line = {0};
	char *path = mem_printf("%s/epoch", dir);
	char identity[IDENTITY_LEN + 1];
	boot_id(&boot);
	identity_of_state(dir, identity);
	buf_printf(&line, "%s %s %-5s %s\n", epoch, buf_text(&boot), mark, identity);
	int r = fd_replace_file(path, line.data, line.len);
	if (r == -ENOSPC)
		r = write_in_place(path, buf_str(&line));
	buf_fini(&boot);
	buf_fini(&line);
	free(path);
	return r;
}

/* Why the epoch cannot go on; NULL when it can. */
static const char *why_not(const char *dir, const char *boot, const char *mark,
			   const char *identity)
{
	struct buf now = {0};
	char ours[IDENTITY_LEN + 1];
	boot_id(&now);
	identity_of_state(dir, ours);
	bool same_boot = strcmp(boot, buf_text(&now)) == 0;
	buf_fini(&now);
	if (strcmp(mark, "clean") != 0 && !same_boot)
		return "the machine went down without notice";
	/* One that an earlier version wrote has no identity. */
	if (*identity && strcmp(identity, ours) != 0)
		return "hub.state_dir is a copy, or was restored from one";
	return NULL;
}

int state_new_epoch(const char *dir, char epoch[EPOCH_MAX + 1], char **why)
{
	new_epoch(epoch);
	int r = write_epoch(dir, epoch, "open");
	if (r)
		*why = mem_printf("%s/epoch cannot be written: %s", dir, strerror(-r));
	return r;
}

int state_open(const char *dir, char epoch[EPOCH_MAX + 1], char **why)
{
	struct buf text = {0};
	char *path = mem_printf("%s/epoch", dir);
	char old[EPOCH_MAX + 1] = "", boot[64] = "", mark[16] = "", identity[64] = "";
	int r = fd_read_file(path, 4096, &text);
	bool is_new = r != 0 ||
		      sscanf(buf_text(&text), "%16s %63s %15s %63s", old, boot, mark, identity) < 3;
	const char *ended = is_new ? NULL : why_not(dir, boot, mark, identity);
	if (ended)
		log_warning("%s: a new epoch of ids begins, and clients that reconnect receive a "
			    "gap",
			    ended);
	if (is_new || ended)
		new_epoch(epoch);
	else
		memcpy(epoch, old, sizeof(old));
	r = write_epoch(dir, epoch, "open");
	if (r)
		*why = mem_printf("%s cannot be written: %s", path, strerror(-r));
	buf_fini(&text);
	free(path);
	return r;
}

int state_mark_clean(const char *dir, const char *epoch)
{
	return write_epoch(dir, epoch, "clean");
}

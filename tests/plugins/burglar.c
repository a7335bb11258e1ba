/* SPDX-License-Identifier: MIT
 *
 * A plugin that tries to get out of its process, in every way once, and emits what the
 * kernel has said to each: an event with the way and its errno, 0 where it got through.
 * What begins with "own." it must be able to do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <sluice-plugin.h>

#ifndef FLAGS
#define FLAGS 0
#endif

static const struct sluice_option options[] = {
	{.name = "control", .type = SLUICE_STRING, .doc = "path of a stream socket"},
	{.name = "gate", .type = SLUICE_STRING, .doc = "path of a seqpacket socket"},
	{.name = "fcgi", .type = SLUICE_STRING, .doc = "path of a stream socket"},
	{.name = "dgram", .type = SLUICE_STRING, .doc = "path of a datagram socket"},
	{.name = "abstract", .type = SLUICE_STRING, .doc = "name of a stream socket"},
	{.name = "port", .type = SLUICE_INT, .fallback = "9", .doc = "of a TCP and a UDP server"},
	{.name = "file", .type = SLUICE_STRING, .doc = "that it must not write"},
	{.name = "listen", .type = SLUICE_ADDRESS, .doc = "a datagram socket of its own"},
	{.name = NULL},
};

static const struct sluice_event_type events[] = {
	{.name = "attempt", .version = 1, .doc = "a way out and its errno"},
	{.name = NULL},
};

static struct sluice_source *self;
static pid_t hub;

static const char *text(const char *option)
{
	const char *s = self->host->option(self, option, 0);
	return s ? s : "";
}

/* The errno of what returns -1. */
static int said(long r)
{
	return r < 0 ? errno : 0;
}

/* ---- sockets ---- */

static socklen_t unix_address(struct sockaddr_un *a, const char *path, int is_abstract)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	size_t n = strlen(path);
	memcpy(a->sun_path + is_abstract, path, n);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
}

static int connect_unix(const char *path, int type, int is_abstract)
{
	struct sockaddr_un a;
	socklen_t len = unix_address(&a, path, is_abstract);
	int fd = socket(AF_UNIX, type, 0);
	return fd < 0 ? errno
		      : said(connect(fd, (struct sockaddr *)&a, len - (socklen_t)!is_abstract));
}

static int try_control(void)
{
	return connect_unix(text("control"), SOCK_STREAM, 0);
}

static int try_gate(void)
{
	return connect_unix(text("gate"), SOCK_SEQPACKET, 0);
}

static int try_fcgi(void)
{
	return connect_unix(text("fcgi"), SOCK_STREAM, 0);
}

static int try_abstract(void)
{
	return connect_unix(text("abstract"), SOCK_STREAM, 1);
}

static int try_upper_half(void)
{
	return said(syscall(SYS_socket, AF_UNIX | 1UL << 32, SOCK_STREAM, 0));
}

static int send_to(int fd, const char *path)
{
	struct sockaddr_un a;
	socklen_t len = unix_address(&a, path, 0);
	return said(sendto(fd, "x", 1, 0, (struct sockaddr *)&a, len - 1));
}

static int try_pair(int type)
{
	int pair[2];
	return socketpair(AF_UNIX, type, 0, pair) < 0 ? errno : send_to(pair[0], text("dgram"));
}

static int try_datagram_pair(void)
{
	return try_pair(SOCK_DGRAM | SOCK_CLOEXEC);
}

static int try_raw_pair(void)
{
	return try_pair(SOCK_RAW);
}

static int try_stream_pair_elsewhere(void)
{
	return try_pair(SOCK_STREAM);
}

static int try_granted(void)
{
	static int fd = -1;
	if (fd < 0)
		fd = self->host->listen(self, text("listen"), NULL);
	return fd < 0 ? -fd : send_to(fd, text("dgram"));
}

static int inet(int type, int family)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)self->host->number(self, "port")),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(family, type, 0);
	return fd < 0 ? errno : said(connect(fd, (struct sockaddr *)&a, sizeof(a)));
}

static int try_tcp(void)
{
	return inet(SOCK_STREAM, AF_INET);
}

static int try_udp(void)
{
	return inet(SOCK_DGRAM, AF_INET);
}

static int try_vsock(void)
{
	return said(socket(AF_VSOCK, SOCK_STREAM, 0));
}

static int try_io_uring(void)
{
	char params[120] = {0};
	return said(syscall(SYS_io_uring_setup, 1, params));
}

/* ---- other processes ---- */

static int try_prlimit(void)
{
	struct rlimit r = {1 << 30, RLIM_INFINITY};
	return said(prlimit(hub, RLIMIT_FSIZE, &r, NULL));
}

static int try_read_limit(void)
{
	struct rlimit r;
	return said(prlimit(hub, RLIMIT_FSIZE, NULL, &r));
}

static int try_setpriority(void)
{
	return said(setpriority(PRIO_PROCESS, (id_t)hub, 19));
}

static int try_setpriority_user(void)
{
	return said(setpriority(PRIO_USER, 0, 0));
}

static int try_setpriority_group(void)
{
	return said(setpriority(PRIO_PGRP, 0, 0));
}

static int try_affinity(void)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	return said(sched_setaffinity(hub, sizeof(one), &one));
}

static int try_scheduler(void)
{
	struct sched_param p = {0};
	return said(sched_setscheduler(hub, SCHED_IDLE, &p));
}

static int try_schedparam(void)
{
	struct sched_param p = {0};
	return said(sched_setparam(hub, &p));
}

static int try_ioprio(void)
{
	return said(syscall(SYS_ioprio_set, 1, hub, 3 << 13));
}

static int try_kill(void)
{
	return said(kill(hub, 0));
}

static int try_kill_group(void)
{
	return said(kill(0, 0));
}

static int try_kill_all(void)
{
	return said(kill(-1, 0));
}

static int try_tgkill(void)
{
	return said(syscall(SYS_tgkill, hub, hub, 0));
}

static int try_tkill(void)
{
	return said(syscall(SYS_tkill, hub, 0));
}

static int try_sigqueue(void)
{
	union sigval v = {0};
	return said(sigqueue(hub, 0, v));
}

static int pidfd_of_hub(void)
{
	return (int)syscall(SYS_pidfd_open, hub, 0);
}

static int try_pidfd_signal(void)
{
	int fd = pidfd_of_hub();
	return fd < 0 ? errno : said(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
}

static int try_pidfd_getfd(void)
{
	int fd = pidfd_of_hub();
	return fd < 0 ? errno : said(syscall(SYS_pidfd_getfd, fd, 3, 0));
}

static int try_setown(void)
{
	int ends[2];
	return pipe(ends) < 0 ? 0 : said(fcntl(ends[0], F_SETOWN, hub));
}

static int try_setown_ex(void)
{
	int ends[2];
	struct f_owner_ex who = {F_OWNER_PID, hub};
	return pipe(ends) < 0 ? 0 : said(fcntl(ends[0], F_SETOWN_EX, &who));
}

static int try_setsig(void)
{
	int ends[2];
	return pipe(ends) < 0 ? 0 : said(fcntl(ends[0], F_SETSIG, SIGKILL));
}

static int try_fiosetown(void)
{
	int ends[2], who = hub;
	return pipe(ends) < 0 ? 0 : said(ioctl(ends[0], FIOSETOWN, &who));
}

static int try_ptrace(void)
{
	return said(ptrace(PTRACE_SEIZE, hub, NULL, NULL));
}

static int try_vm_read(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)0x400000, 1};
	return said(process_vm_readv(hub, &here, 1, &there, 1, 0));
}

static int try_memory(void)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)hub);
	return said(open(path, O_RDONLY));
}

static int try_kcmp(void)
{
	return said(syscall(SYS_kcmp, hub, getpid(), 2, 0, 0));
}

static int try_move_pages(void)
{
	return said(syscall(SYS_move_pages, hub, 0, NULL, NULL, NULL, 0));
}

static int try_migrate_pages(void)
{
	unsigned long node = 1;
	return said(syscall(SYS_migrate_pages, hub, 8, &node, &node));
}

/* ---- the machine ---- */

static int try_type_into_terminal(void)
{
	return said(ioctl(0, TIOCSTI, "x"));
}

static int try_keyctl(void)
{
	return said(syscall(SYS_keyctl, 0, -3, 0));
}

static int try_userfaultfd(void)
{
	return said(syscall(SYS_userfaultfd, 1));
}

static int try_bpf(void)
{
	char attr[64] = {0};
	return said(syscall(SYS_bpf, 0, attr, sizeof(attr)));
}

static int try_unshare(void)
{
	return said(unshare(0));
}

static int try_write(void)
{
	return said(open(text("file"), O_WRONLY));
}

static int try_truncate(void)
{
	return said(truncate(text("file"), 0));
}

static int try_chmod(void)
{
	return said(chmod(text("file"), 0644));
}

static int try_new_chmod(void)
{
	return said(syscall(452, AT_FDCWD, text("file"), 0644, 0));
}

static int try_chown(void)
{
	return said(chown(text("file"), geteuid(), getegid()));
}

static int try_touch(void)
{
	return said(utimensat(AT_FDCWD, text("file"), NULL, 0));
}

static int try_xattr(void)
{
	return said(setxattr(text("file"), "user.x", "x", 1, 0));
}

static int try_lease(void)
{
	return said(fcntl(open("/etc/passwd", O_RDONLY), F_SETLEASE, F_RDLCK));
}

static int try_file_flags(void)
{
	int flags = 0, fd = open("/etc/passwd", O_RDONLY);
	return ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ? errno
						      : said(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

/* A child that reports by its exit status: 0 when the program has run. */
static int run_program(const char *path, int fd)
{
	char *argv[] = {(char *)(uintptr_t) "true", NULL}, *env[] = {NULL};
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		if (fd >= 0)
			syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
		else
			execve(path, argv, env);
		_exit(errno);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WEXITSTATUS(status);
}

static int try_exec(void)
{
	return run_program("/bin/true", -1);
}

static int try_exec_loader(void)
{
	return run_program("/lib64/ld-linux-x86-64.so.2", -1);
}

static int try_exec_memory(void)
{
	static const char script[] = "#!/bin/true\n";
	int fd = memfd_create("x", 0);
	return fd < 0 || write(fd, script, sizeof(script) - 1) < 0 ? 0 : run_program("", fd);
}

/* ---- what is its own ---- */

static int own_limit(void)
{
	struct rlimit r;
	return getrlimit(RLIMIT_NOFILE, &r) < 0 ? errno : said(setrlimit(RLIMIT_NOFILE, &r));
}

static int own_priority(void)
{
	return said(setpriority(PRIO_PROCESS, 0, 1));
}

static int own_affinity(void)
{
	cpu_set_t all;
	return sched_getaffinity(0, sizeof(all), &all) < 0
		       ? errno
		       : said(sched_setaffinity(0, sizeof(all), &all));
}

static int own_signal(void)
{
	return kill(getpid(), 0) < 0 ? errno : raise(0);
}

static int own_pair(void)
{
	int pair[2];
	char byte = 'x';
	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || write(pair[0], &byte, 1) != 1
		       ? errno
		       : said(read(pair[1], &byte, 1));
}

static int own_fork(void)
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return waitpid(pid, &status, 0) != pid ? errno : status;
}

static int own_interfaces(void)
{
	return said(socket(AF_NETLINK, SOCK_RAW, 0));
}

static const struct way {
	const char *name;
	int (*try)(void);
} ways[] = {
	{"control", try_control},
	{"gate", try_gate},
	{"fcgi", try_fcgi},
	{"abstract", try_abstract},
	{"upper_half", try_upper_half},
	{"datagram_pair", try_datagram_pair},
	{"raw_pair", try_raw_pair},
	{"stream_pair_elsewhere", try_stream_pair_elsewhere},
	{"granted_socket", try_granted},
	{"tcp", try_tcp},
	{"udp", try_udp},
	{"vsock", try_vsock},
	{"io_uring", try_io_uring},
	{"prlimit", try_prlimit},
	{"read_limit", try_read_limit},
	{"setpriority", try_setpriority},
	{"setpriority_user", try_setpriority_user},
	{"setpriority_group", try_setpriority_group},
	{"sched_setaffinity", try_affinity},
	{"sched_setscheduler", try_scheduler},
	{"sched_setparam", try_schedparam},
	{"ioprio_set", try_ioprio},
	{"kill", try_kill},
	{"kill_group", try_kill_group},
	{"kill_all", try_kill_all},
	{"tgkill", try_tgkill},
	{"tkill", try_tkill},
	{"sigqueue", try_sigqueue},
	{"pidfd_send_signal", try_pidfd_signal},
	{"pidfd_getfd", try_pidfd_getfd},
	{"setown", try_setown},
	{"setown_ex", try_setown_ex},
	{"setsig", try_setsig},
	{"fiosetown", try_fiosetown},
#ifndef SANITIZED
	{"ptrace", try_ptrace},
#endif
	{"vm_read", try_vm_read},
	{"memory", try_memory},
	{"kcmp", try_kcmp},
	{"move_pages", try_move_pages},
	{"migrate_pages", try_migrate_pages},
	{"type_into_terminal", try_type_into_terminal},
	{"keyctl", try_keyctl},
	{"userfaultfd", try_userfaultfd},
	{"bpf", try_bpf},
	{"unshare", try_unshare},
	{"write", try_write},
	{"truncate", try_truncate},
	{"chmod", try_chmod},
	{"new_chmod", try_new_chmod},
	{"chown", try_chown},
	{"touch", try_touch},
	{"xattr", try_xattr},
	{"lease", try_lease},
	{"file_flags", try_file_flags},
	{"exec", try_exec},
	{"exec_loader", try_exec_loader},
	{"exec_memory", try_exec_memory},
	{"own.limit", own_limit},
	{"own.priority", own_priority},
	{"own.affinity", own_affinity},
	{"own.signal", own_signal},
	{"own.pair", own_pair},
	{"own.fork", own_fork},
	{"own.interfaces", own_interfaces},
	{NULL, NULL},
};

/* ---- before it is asked anything ---- */

static struct early {
	const char *name;
	int error;
} early[6];

/* A shared object's code runs while it is loaded. */
static void __attribute__((constructor)) while_loading(void)
{
	hub = getppid();
	early[0] = (struct early){"loading.socket", said(socket(AF_UNIX, SOCK_STREAM, 0))};
	early[1] = (struct early){"loading.kill", try_kill()};
	early[2] = (struct early){"loading.prlimit", try_prlimit()};
	early[3] = (struct early){"loading.exec", try_exec()};
	early[4] = (struct early){"loading.write",
				  said(open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600))};
	early[5] = (struct early){"loading.tcp", said(socket(AF_INET, SOCK_STREAM, 0))};
}

static int emit(const char *name, int error)
{
	char body[80];
	snprintf(body, sizeof(body), "%s %d", name, error);
	struct sluice_event ev = {.type = "attempt",
				  .severity = SLUICE_NO_SEVERITY,
				  .body = body,
				  .body_len = strlen(body)};
	return self->host->emit(self, &ev);
}

static int run(struct sluice_source *src, void *state)
{
	(void)state;
	self = src;
	int r = 0;
	for (size_t i = 0; !r && i < sizeof(early) / sizeof(early[0]); i++)
		r = emit(early[i].name, early[i].error);
	for (const struct way *w = ways; !r && w->name; w++)
		r = emit(w->name, w->try());
	while (!r)
		r = src->host->wait(src, NULL, 0, 1000);
	return r;
}

static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD, .name = "burglar",
	.version = "1",     .summary = "tries to get out of its process",
	.options = options, .events = events,
	.flags = FLAGS,     .run = run,
};

SLUICE_PLUGIN(plugin)

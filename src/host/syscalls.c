/* SPDX-License-Identifier: MIT */
#include "host/syscalls.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "sluice-plugin.h"

enum { FILTER_MAX = 64 * 1024 };

/* What changes the machine, reaches into other processes, or gets around this filter. */
static const char *const forbidden[] = {
	"acct",
	"add_key",
	"bpf",
	"chroot",
	"clock_adjtime",
	"clock_settime",
	"create_module",
	"delete_module",
	"execve",
	"execveat",
	"fanotify_init",
	"finit_module",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"init_module",
	"io_uring_enter",
	"io_uring_register",
	"io_uring_setup",
	"iopl",
	"ioperm",
	"kcmp",
	"kexec_file_load",
	"kexec_load",
	"keyctl",
	"mount",
	"mount_setattr",
	"move_mount",
	"open_by_handle_at",
	"open_tree",
	"perf_event_open",
	"pidfd_getfd",
	"pidfd_send_signal",
	"pivot_root",
	"process_madvise",
	"process_mrelease",
	"process_vm_readv",
	"process_vm_writev",
	"quotactl",
	"quotactl_fd",
	"reboot",
	"request_key",
	"setdomainname",
	"sethostname",
	"setns",
	"settimeofday",
	"swapoff",
	"swapon",
	"syslog",
	"tkill",
	"umount2",
	"unshare",
	"userfaultfd",
	"vhangup",
#ifndef __SANITIZE_ADDRESS__
	"ptrace", /* LeakSanitizer looks at itself that way */
#endif
};

/* What changes a file without writing to it, which Landlock lets pass. */
static const char *const changing[] = {
	"chmod",        "chown",     "fchmod",    "fchmodat",  "fchown",       "fchownat",
	"fremovexattr", "fsetxattr", "futimesat", "lchown",    "lremovexattr", "lsetxattr",
	"removexattr",  "setxattr",  "utime",     "utimensat", "utimes",
};

/* libseccomp 2.5.4 has no names for these; their numbers are the same everywhere. */
enum { FCHMODAT2 = 452, SETXATTRAT = 463, REMOVEXATTRAT = 466, OPEN_TREE_ATTR, FILE_SETATTR = 469 };

static const int unnamed[] = {FCHMODAT2, SETXATTRAT, REMOVEXATTRAT, OPEN_TREE_ATTR, FILE_SETATTR};

/* The number in that argument must be 0, which is the caller: these calls reach any process
 * of the same user.  A thread of the process cannot be told from another process.
 */
static const struct {
	const char *call;
	unsigned arg;
} only_own[] = {
	{"get_robust_list", 0}, {"ioprio_set", 1},     {"migrate_pages", 0},
	{"move_pages", 0},      {"prlimit64", 0},      {"sched_setaffinity", 0},
	{"sched_setattr", 0},   {"sched_setparam", 0}, {"sched_setscheduler", 0},
	{"setpriority", 1},
};

/* The process's own number, and no group or child. */
static const char *const own_pid[] = {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"};

/* Numbers of 32 bits in an argument, of whatever else is in its register. */
static const struct {
	const char *call;
	unsigned arg;
	uint32_t value;
} values[] = {
	/* The kernel sends SIGIO, or another signal, to whoever is named. */
	{"fcntl", 1, F_SETOWN},
	{"fcntl", 1, F_SETOWN_EX},
	{"fcntl", 1, F_SETSIG},
	{"ioctl", 1, FIOSETOWN},
	{"ioctl", 1, SIOCSPGRP},
	/* These type into the terminal that sluice was started from. */
	{"ioctl", 1, TIOCSTI},
	{"ioctl", 1, TIOCLINUX},
	{"ioctl", 1, TIOCSPGRP},
	/* These need no right to write. */
	{"ioctl", 1, FS_IOC_SETFLAGS},
	{"ioctl", 1, FS_IOC_FSSETXATTR},
	{"ioctl", 1, FIFREEZE},
	{"ioctl", 1, FITHAW},
	{"ioctl", 1, FITRIM},
	{"fcntl", 1, F_SETLEASE}, /* would delay whoever opens the file */
	{"prctl", 0, PR_SCHED_CORE},
};

struct filter {
	scmp_filter_ctx ctx;
	int error; /* the first one */
};

static void forbid_number(struct filter *f, int number, int error, unsigned n,
			  const struct scmp_arg_cmp *cmp)
{
	if (f->error || number == __NR_SCMP_ERROR)
		return;
	int r = seccomp_rule_add_array(f->ctx, SCMP_ACT_ERRNO((uint32_t)error), number, n, cmp);
	/* Not on this architecture. */
	f->error = r == -EDOM || r == -EFAULT ? 0 : r;
}

static void forbid(struct filter *f, const char *call, int error, unsigned n,
		   const struct scmp_arg_cmp *cmp)
{
	forbid_number(f, seccomp_syscall_resolve_name(call), error, n, cmp);
}

static void forbid_other(struct filter *f, const char *call, unsigned arg, uint64_t allowed,
			 int error)
{
	forbid(f, call, error, 1, &SCMP_CMP64(arg, SCMP_CMP_NE, allowed));
}

/* The kernel looks at the lower half only, so the upper one must not make a difference. */
static void forbid_value(struct filter *f, const char *call, unsigned arg, uint32_t mask,
			 uint32_t value, int error)
{
	forbid(f, call, error, 1, &SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, mask, value));
}

static void close_sockets(struct filter *f, uint32_t plugin_flags)
{
	bool network = plugin_flags & SLUICE_NEEDS_NETWORK,
	     local = plugin_flags & SLUICE_NEEDS_UNIX;
	/* All but netlink, which tells what network interfaces there are. */
	for (unsigned family = 0; !network && family < AF_NETLINK; family++)
		if (family != AF_UNIX)
			forbid_value(f, "socket", 0, ~0U, family, EACCES);
	if (!network)
		forbid(f, "socket", EACCES, 1, &SCMP_CMP64(0, SCMP_CMP_GT, AF_NETLINK));
	if (!local)
		forbid_value(f, "socket", 0, ~0U, AF_UNIX, EACCES);
	if (!network && !local)
		forbid(f, "connect", EACCES, 0, NULL);
	if (local)
		return;
	/* A pair of datagram sockets (SOCK_RAW makes one too) can send to any other. */
	forbid_value(f, "socketpair", 1, 0xf, SOCK_DGRAM, EACCES);
	forbid_value(f, "socketpair", 1, 0xf, SOCK_RAW, EACCES);
}

static void close_changing(struct filter *f)
{
	for (size_t i = 0; i < array_size(changing); i++)
		forbid(f, changing[i], EPERM, 0, NULL);
	for (size_t i = 0; i < array_size(unnamed); i++)
		forbid_number(f, unnamed[i], EPERM, 0, NULL);
}

static void close_all(struct filter *f, uint32_t plugin_flags, uint32_t pid)
{
	for (size_t i = 0; i < array_size(forbidden); i++)
		forbid(f, forbidden[i], EPERM, 0, NULL);
	for (size_t i = 0; i < array_size(only_own); i++)
		forbid_other(f, only_own[i].call, only_own[i].arg, 0, EPERM);
	for (size_t i = 0; i < array_size(own_pid); i++)
		forbid_other(f, own_pid[i], 0, pid, EPERM);
	for (size_t i = 0; i < array_size(values); i++)
		forbid_value(f, values[i].call, values[i].arg, ~0U, values[i].value, EPERM);
	forbid_other(f, "setpriority", 0, PRIO_PROCESS, EPERM);
	forbid_other(f, "ioprio_set", 0, IOPRIO_WHO_PROCESS, EPERM);
	close_sockets(f, plugin_flags);
}

/* f->ctx is to be released. */
static void make(struct filter *f, uint32_t plugin_flags, bool writes, uint32_t pid)
{
	*f = (struct filter){.ctx = seccomp_init(SCMP_ACT_ALLOW)};
	if (!f->ctx) {
		f->error = -ENOMEM;
		return;
	}
	close_all(f, plugin_flags, pid);
	if (!writes)
		close_changing(f);
}

/* ---- made once for all ------------------------------------------------------------------ */

/* No process has this number: it stands for the one that will load the filter. */
enum { ANY_PID = 0x5bd1e995 };

/* The filter of plugins that declare nothing.  Making one takes most of a millisecond, so the
 * nursery makes this one before it forks.
 */
static struct {
	struct buf code; /* of struct sock_filter */
} ready;

void syscalls_prepare(void)
{
	struct filter f;
	int fd = memfd_create("sluice-filter", MFD_CLOEXEC);
	make(&f, 0, false, ANY_PID);
	if (!f.error)
		f.error = seccomp_export_bpf(f.ctx, fd);
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* Without it each process makes its own. */
	if (f.error || fd_read_file(path, FILTER_MAX, &ready.code))
		buf_fini(&ready.code);
	seccomp_release(f.ctx);
	fd_close(&fd);
}

static int load_ready(void)
{
	struct sock_filter *code = (void *)ready.code.data;
	size_t n = ready.code.len / sizeof(code[0]);
	for (size_t i = 0; i < n; i++)
		if (code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && code[i].k == ANY_PID)
			code[i].k = (uint32_t)getpid();
	struct sock_fprog program = {(unsigned short)n, code};
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

int syscalls_close(uint32_t plugin_flags, bool writes)
{
	struct filter f;
	if (ready.code.len && !writes &&
	    !(plugin_flags & (SLUICE_NEEDS_NETWORK | SLUICE_NEEDS_UNIX)))
		return load_ready();
	make(&f, plugin_flags, writes, (uint32_t)getpid());
	if (!f.error)
		f.error = seccomp_load(f.ctx);
	seccomp_release(f.ctx);
	return f.error;
}

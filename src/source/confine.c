/* SPDX-License-Identifier: MIT */
#include "source/confine.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "source/landlock.h"

enum { GROUPS_MAX = 64 };

/* ---- identity ---------------------------------------------------------------------- */

static int find_groups(const struct source_settings *src, gid_t *gids, char **why)
{
	for (size_t i = 0; i < src->n_groups; i++) {
		const struct group *g = i < GROUPS_MAX ? getgrnam(src->groups[i]) : NULL;
		if (!g) {
			*why = mem_printf("there is no group \"%s\" (see /etc/group)",
					  src->groups[i]);
			return -EINVAL;
		}
		gids[i] = g->gr_gid;
	}
	return 0;
}

int confine_identity(const struct source_settings *src, char **why)
{
	gid_t gids[GROUPS_MAX];
	if (!src->user && !src->n_groups)
		return 0;
	int r = find_groups(src, gids, why);
	if (r)
		return r;
	const struct passwd *p = src->user ? getpwnam(src->user) : NULL;
	if (src->user && !p) {
		*why = mem_printf("there is no user \"%s\" (see /etc/passwd)", src->user);
		return -EINVAL;
	}
	if (p && p->pw_uid == geteuid() && !src->n_groups)
		return 0;
	if (geteuid() != 0) {
		*why = mem_printf("only a sluice that runs as root can give a source another user "
				  "or groups (remove them, or run sluice as root)");
		return -EINVAL;
	}
	/* The rights of the user's groups come with the user. */
	if ((p && initgroups(p->pw_name, p->pw_gid) < 0) ||
	    (src->n_groups && !p && setgroups(src->n_groups, gids) < 0))
		goto failed;
	if (p && src->n_groups) {
		gid_t all[2 * GROUPS_MAX];
		int n = getgroups(GROUPS_MAX, all);
		for (size_t i = 0; n >= 0 && i < src->n_groups; i++)
			all[n++] = gids[i];
		if (n < 0 || setgroups((size_t)n, all) < 0)
			goto failed;
	}
	if (p && (setresgid(p->pw_gid, p->pw_gid, p->pw_gid) < 0 ||
		  setresuid(p->pw_uid, p->pw_uid, p->pw_uid) < 0))
		goto failed;
	/* A change of user has cleared it. */
	prctl(PR_SET_PDEATHSIG, 9);
	return 0;
failed:
	*why = mem_printf("cannot become the user \"%s\": %s", src->user ? src->user : "root",
			  strerror(errno));
	return -EINVAL;
}

/* ---- limits ------------------------------------------------------------------------ */

static int limit(int resource, int64_t value, const char *name, char **why)
{
	struct rlimit r = {(rlim_t)value, (rlim_t)value};
	if (!value || setrlimit((__rlimit_resource_t)resource, &r) == 0)
		return 0;
	*why = mem_printf("limits.%s cannot be %lld: %s", name, (long long)value, strerror(errno));
	return -EINVAL;
}

int confine_limits(const struct source_settings *src, char **why)
{
	const struct source_limits *l = &src->limits;
	int64_t memory = l->memory;
	int64_t seconds = (l->cpu_time_ns + NS_PER_SEC - 1) / NS_PER_SEC;
#ifdef __SANITIZE_ADDRESS__
	memory = 0; /* its shadow is terabytes of address space */
#endif
	int r = limit(RLIMIT_DATA, memory, "memory", why);
	if (!r)
		r = limit(RLIMIT_NOFILE, l->open_files, "open_files", why);
	if (!r)
		r = limit(RLIMIT_NPROC, l->processes, "processes", why);
	if (!r)
		r = limit(RLIMIT_CPU, seconds, "cpu_time", why);
	if (!r)
		r = limit(RLIMIT_FSIZE, l->file_size, "file_size", why);
	return r;
}

/* ---- the sandbox --------------------------------------------------------------------- */

/* System calls that change the machine or reach into other processes. */
static const char *const forbidden[] = {
	"acct",
	"add_key",
	"bpf",
	"chroot",
	"clock_adjtime",
	"clock_settime",
	"create_module",
	"delete_module",
	"fanotify_init",
	"finit_module",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"init_module",
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
	"pivot_root",
	"process_madvise",
	"process_vm_readv",
	"process_vm_writev",
	"quotactl",
	"reboot",
	"request_key",
	"setdomainname",
	"sethostname",
	"setns",
	"settimeofday",
	"swapoff",
	"swapon",
	"syslog",
	"umount2",
	"unshare",
	"userfaultfd",
	"vhangup",
};

#ifndef __SANITIZE_ADDRESS__
#define FORBID_PTRACE SCMP_ACT_ERRNO(EPERM)
#else
#define FORBID_PTRACE SCMP_ACT_ALLOW /* LeakSanitizer looks at itself that way */
#endif

static int close_seccomp(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? 0 : -ENOMEM;
	for (size_t i = 0; !r && i < array_size(forbidden); i++) {
		int call = seccomp_syscall_resolve_name(forbidden[i]);
		if (call != __NR_SCMP_ERROR)
			r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), call, 0);
		if (r == -EDOM || r == -EFAULT)
			r = 0; /* not on this architecture */
	}
	if (!r && FORBID_PTRACE != SCMP_ACT_ALLOW)
		r = seccomp_rule_add(ctx, FORBID_PTRACE, SCMP_SYS(ptrace), 0);
	if (!r)
		r = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return r;
}

int confine_close(const struct source_settings *src, uint32_t plugin_flags, struct buf *has,
		  struct buf *lacks, char **why)
{
	if (src->sandbox == SANDBOX_OFF) {
		buf_puts(has, "off");
		return 0;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		buf_puts(has, "no new privileges");
	else
		buf_printf(lacks, "no new privileges: %s; ", strerror(errno));
	if (plugin_flags & SLUICE_NEEDS_EXEC) {
		/* What it starts must be able to do what it is for. */
		buf_puts(has, "; it starts programs, so no more than that");
		if (src->sandbox != SANDBOX_REQUIRE)
			return 0;
		*why = mem_strdup(
			"sandbox: require, but this plugin starts programs, which cannot be "
			"confined (take sandbox: auto)");
		return -EINVAL;
	}
	int r = landlock_close(src, plugin_flags & SLUICE_NEEDS_NETWORK);
	if (r > 0)
		buf_printf(has, ", Landlock %d", r);
	else
		buf_printf(lacks, "Landlock: %s; ", strerror(-r));
	r = close_seccomp();
	if (!r)
		buf_puts(has, ", seccomp");
	else
		buf_printf(lacks, "seccomp: %s; ", strerror(-r));
	if (lacks->len && src->sandbox == SANDBOX_REQUIRE) {
		*why = mem_printf("sandbox: require, but this kernel lacks %s(take sandbox: auto, "
				  "or another kernel)",
				  buf_text(lacks));
		return -EINVAL;
	}
	return 0;
}

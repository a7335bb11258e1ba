/* SPDX-License-Identifier: MIT */
#include "host/confine.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "host/identity.h"
#include "host/landlock.h"
#include "host/syscalls.h"

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
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
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

static void close_files_and_calls(const struct source_settings *src, uint32_t plugin_flags,
				  bool reads_all, struct buf *has, struct buf *lacks)
{
	int r = landlock_close(src, plugin_flags, reads_all);
	if (r > 0)
		buf_printf(has, ", Landlock %d", r);
	else
		buf_printf(lacks, "Landlock: %s; ", strerror(-r));
	r = syscalls_close(plugin_flags, identity_names_paths(src, SLUICE_WRITE));
	if (!r)
		buf_puts(has, ", seccomp");
	else
		buf_printf(lacks, "seccomp: %s; ", strerror(-r));
}

static void close_privileges(struct buf *has, struct buf *lacks)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		buf_puts(has, "no new privileges");
	else
		buf_printf(lacks, "no new privileges: %s; ", strerror(errno));
}

void confine_unknown(const struct source_settings *src)
{
	struct buf has = {0}, lacks = {0};
	close_privileges(&has, &lacks);
	close_files_and_calls(src, 0, true, &has, &lacks);
	buf_fini(&has);
	buf_fini(&lacks);
}

int confine_close(const struct source_settings *src, struct buf *has, struct buf *lacks, char **why)
{
	if (src->sandbox == SANDBOX_OFF) {
		buf_puts(has, "off");
		return 0;
	}
	close_privileges(has, lacks);
	if (src->plugin_flags & SLUICE_NEEDS_EXEC) {
		/* What it starts must be able to do what it is for. */
		buf_puts(has, "; it starts programs, so no more than that");
		if (src->sandbox != SANDBOX_REQUIRE)
			return 0;
		*why = mem_strdup(
			"sandbox: require, but this plugin starts programs, which cannot be "
			"confined (take sandbox: auto)");
		return -EINVAL;
	}
	close_files_and_calls(src, src->plugin_flags, false, has, lacks);
	if (lacks->len && src->sandbox == SANDBOX_REQUIRE) {
		*why = mem_printf("sandbox: require, but this kernel lacks %s(take sandbox: auto, "
				  "or another kernel)",
				  buf_text(lacks));
		return -EINVAL;
	}
	return 0;
}

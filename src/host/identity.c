/* SPDX-License-Identifier: MIT */
#include "host/identity.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/mem.h"

enum { GROUPS_MAX = 64 };

/* Numbers that nobody assigns (systemd's UIDS-GIDS.md); the second ones for containers that
 * have no more than 65536.
 */
static const struct {
	uint32_t first, n;
} ranges[] = {{0x70000000, 0x08000000}, {60578, 606}};

/* ---- reading ------------------------------------------------------------------------- */

/* capset(2) of this process, by its system call: libc has no wrapper. */
static int set_capabilities(uint32_t low)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = low, .permitted = low}};
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

/* The capability that lets root read what others cannot; containers may have but the second
 * one.  0: none.
 */
static uint32_t reading_capability(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	if (syscall(SYS_capget, &head, data) < 0)
		return 0;
	if (data[0].permitted & CAP_TO_MASK(CAP_DAC_READ_SEARCH))
		return CAP_TO_MASK(CAP_DAC_READ_SEARCH);
	return data[0].permitted & CAP_TO_MASK(CAP_DAC_OVERRIDE);
}

bool identity_names_paths(const struct source_settings *src, uint32_t flag)
{
	for (size_t i = 0; i < src->options.n; i++)
		if ((src->options.all[i].flags & flag) && src->options.all[i].n)
			return true;
	return flag == SLUICE_READ && src->n_allow_read;
}

void identity_give_back(const struct source_settings *src)
{
	bool keeps = !src->user && identity_names_paths(src, SLUICE_READ);
	if (!keeps && set_capabilities(0))
		abort(); /* giving up cannot fail */
}

/* ---- becoming ------------------------------------------------------------------------ */

/* The user, with what it had been allowed to read so far.  0 or a negative errno. */
static int become(uid_t uid, gid_t gid)
{
	uint32_t reading = reading_capability();
	/* The first has access(2) look at capabilities as open(2) does. */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0 &&
	    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	if (uid && set_capabilities(reading))
		abort(); /* giving up cannot fail, and nothing may run with all of them */
	/* A change of user has cleared it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

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

const char *identity_stays(const struct source_settings *src)
{
	if (src->plugin_flags & SLUICE_NEEDS_EXEC)
		return "its plugin starts programs, which are not confined";
	if (src->sandbox == SANDBOX_OFF)
		return "its sandbox is off";
	if (identity_names_paths(src, SLUICE_WRITE))
		return "one of its options names a path that it writes";
	return NULL;
}

/* False when this root cannot give users away, or could not read its files then. */
static bool become_own(const struct source_settings *src, const gid_t *gids, struct buf *has,
		       struct buf *lacks)
{
	uint32_t hash = crc32c(0, src->name, strlen(src->name));
	int r = identity_names_paths(src, SLUICE_READ) && !reading_capability() ? -EPERM : -EINVAL;
	if (setgroups(src->n_groups, gids) < 0)
		r = -errno;
	for (size_t i = 0; r == -EINVAL && i < array_size(ranges); i++) {
		uid_t id = ranges[i].first + hash % ranges[i].n;
		r = become(id, id);
		if (!r)
			buf_printf(has, "user %u, ", (unsigned)id);
	}
	if (r)
		buf_printf(lacks, "a user of its own: %s; ", strerror(-r));
	return r == 0;
}

/* The rights of the user's groups come with the user. */
static int become_named(const struct source_settings *src, const struct passwd *p,
			const gid_t *gids)
{
	if ((p && initgroups(p->pw_name, p->pw_gid) < 0) ||
	    (src->n_groups && !p && setgroups(src->n_groups, gids) < 0))
		return -errno;
	if (p && src->n_groups) {
		gid_t all[2 * GROUPS_MAX];
		int n = getgroups(GROUPS_MAX, all);
		for (size_t i = 0; n >= 0 && i < src->n_groups; i++)
			all[n++] = gids[i];
		if (n < 0 || setgroups((size_t)n, all) < 0)
			return -errno;
	}
	return p ? become(p->pw_uid, p->pw_gid) : 0;
}

int identity_take(const struct source_settings *src, bool *borrows, struct buf *has,
		  struct buf *lacks, char **why)
{
	gid_t gids[GROUPS_MAX];
	bool is_root = geteuid() == 0, is_own = is_root && !src->user && !identity_stays(src);
	*borrows = false;
	if (!src->user && !src->n_groups && !is_own)
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
	if (!is_root) {
		*why = mem_printf("only a sluice that runs as root can give a source another user "
				  "or groups (remove them, or run sluice as root)");
		return -EINVAL;
	}
	if (is_own) {
		*borrows = become_own(src, gids, has, lacks);
		return 0;
	}
	r = become_named(src, p, gids);
	*borrows = !r && p && p->pw_uid != 0;
	if (r)
		*why = mem_printf("cannot become the user \"%s\": %s",
				  src->user ? src->user : "root", strerror(-r));
	return r ? -EINVAL : 0;
}

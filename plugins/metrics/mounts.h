/* SPDX-License-Identifier: MIT
 *
 * mounts - which file systems are mounted, and which of them are wanted.
 */
#ifndef METRICS_MOUNTS_H
#define METRICS_MOUNTS_H

#include "metrics.h"

enum { MOUNTS_MAX = 1024 };

struct mount {
	char *dir, *device, *type; /* borrowed from the text they were read from */
};

/* The wanted ones, at most MOUNTS_MAX, valid until the next file is read; each directory once,
 * as it is mounted last.  With rootfs they are the host's.  How many, or -1.
 */
int mounts_read(struct state *s, struct mount *ret);

/* What is mounted where this process is. */
struct own_mounts;
struct own_mounts *own_mounts_read(struct state *s);
void own_mounts_free(struct own_mounts *own);
/* Whether sizes of the host's mount point are those that this process sees there.  Where rootfs
 * is no mount point, nothing is known of it.  `own` may be NULL: no rootfs.
 */
bool own_mounts_show(const struct own_mounts *own, const struct state *s, const char *path);

#endif

/* SPDX-License-Identifier: MIT
 *
 * landlock - confines this process to the files that its source's options name.
 *
 * landlock(7).  Used by its system calls, for libc has no wrappers; with the
 * rights that the running kernel's version knows.
 */
#ifndef SLUICE_HOST_LANDLOCK_H
#define SLUICE_HOST_LANDLOCK_H

#include "conf/settings.h"

/* For good.  With `reads_all` reading stays free, for one whose options are not known yet.
 * The version of Landlock that the kernel has, or a negative errno.
 */
int landlock_close(const struct source_settings *src, uint32_t plugin_flags,
		   bool reads_all) must_check;

#endif

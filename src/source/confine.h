/* SPDX-License-Identifier: MIT
 *
 * confine - what a source process gives up before its plugin works: rights,
 * memory, the rest of the machine.
 *
 * In three steps: identity and limits before the shared object is loaded, the
 * sandbox after it, for loading needs more files than working does.
 */
#ifndef SLUICE_SOURCE_CONFINE_H
#define SLUICE_SOURCE_CONFINE_H

#include "base/buf.h"
#include "conf/settings.h"

/* Becomes the source's user with its groups.  0, or -EINVAL with *why owned. */
int confine_identity(const struct source_settings *src, char **why) must_check;

/* Sets the resource limits.  0, or -EINVAL with *why owned. */
int confine_limits(const struct source_settings *src, char **why) must_check;

/* Closes the sandbox: Landlock (paths from the options, TCP, signals) and
 * seccomp (system calls that no source needs), as far as this kernel has them.
 * `has` gets what is closed, `lacks` what is not and why.  0, or -EINVAL with
 * *why owned when the settings require more than there is.
 */
int confine_close(const struct source_settings *src, uint32_t plugin_flags, struct buf *has,
		  struct buf *lacks, char **why) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * confine - what a source process gives up before its plugin's first instruction: rights,
 * memory, the rest of the machine.
 *
 * Limits and identity (identity.h), then the sandbox, then the shared object is loaded: what
 * it does while it is loaded counts as well.
 */
#ifndef SLUICE_HOST_CONFINE_H
#define SLUICE_HOST_CONFINE_H

#include "base/buf.h"
#include "conf/settings.h"

/* Sets the resource limits.  0, or -EINVAL with *why owned. */
int confine_limits(const struct source_settings *src, char **why) must_check;

/* Closes the sandbox: Landlock (paths from the options, TCP, signals, abstract sockets) and
 * seccomp (system calls and sockets that the plugin has not declared), as far as this kernel
 * has them.  `has` gets what is closed, `lacks` what is not and why.  0, or -EINVAL with *why
 * owned when the settings require more than there is.
 */
int confine_close(const struct source_settings *src, struct buf *has, struct buf *lacks,
		  char **why) must_check;

/* The same for a plugin that is only loaded to describe itself; best effort. */
void confine_unknown(const struct source_settings *src);

#endif

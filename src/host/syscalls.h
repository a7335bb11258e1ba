/* SPDX-License-Identifier: MIT
 *
 * syscalls - takes away system calls that a plugin does not need:
 * changing the machine, reaching into other processes, sockets that it has not
 * declared, programs.
 *
 * seccomp(2).  A filter sees numbers and no memory: it knows a socket's family, but
 * not whom it connects to.  So a plugin has a family of sockets or it has not.
 */
#ifndef SLUICE_HOST_SYSCALLS_H
#define SLUICE_HOST_SYSCALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* For good.  `plugin_flags` are those of enum sluice_plugin_flag; with `writes` it has files
 * whose owner and mode it may change.  0, or a negative errno of a kernel without seccomp.
 */
int syscalls_close(uint32_t plugin_flags, bool writes) must_check;

/* Makes the filter of most plugins beforehand, for all processes that this one forks. */
void syscalls_prepare(void);

#endif

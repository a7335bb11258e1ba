/* SPDX-License-Identifier: MIT
 *
 * sink - standard error, written without waiting for whoever reads it.
 *
 * O_NONBLOCK is a property of the open file, which other processes share: set on our
 * standard error, it would surprise the shell or the programs that write there, too.
 * So each kind of file has its own way (sink.c).  Knows nothing of lines.
 */
#ifndef SLUICE_BASE_SINK_H
#define SLUICE_BASE_SINK_H

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

enum { SINK_WRITE_MAX = 4096 }; /* PIPE_BUF: what a pipe takes whole or not at all */

/* Writes at most SINK_WRITE_MAX bytes.  How many were taken, or a negative errno; after
 * -EAGAIN the next call must begin with the same bytes.  Not re-entrant.
 */
ssize_t sink_write(const char *p, size_t n) must_check;

/* Waits until it may take more, for some time at most. */
void sink_wait(int timeout_ms);

/* In a child of fork(2): what its parent has on the way is not its own. */
void sink_forget(void);

#endif

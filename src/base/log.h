/* SPDX-License-Identifier: MIT
 *
 * log - lines on standard error: who says it, how bad it is, what and what to do.
 *
 * Lower floors return errors and never log; who knows the context logs, once.
 * Logging never waits for whoever reads standard error.  Up to 64 KiB of lines wait here
 * until it takes them (log_flush()), further ones are dropped, and a line says how many.
 */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Names this process in every line ("hub", "responder", ...); borrows `role`
 * for ever.  The level comes from SLUICE_LOG (error, warning, info, debug).  Where
 * standard error is systemd's journal, that is told how bad each line is.  At the exit
 * of the process what still waits is written, as far as that goes in half a second.
 */
void log_init(const char *role);

void log_line(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#define log_error(...)   log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

/* Lines that are whole already, such as the mistakes in a configuration.  After
 * log_init() it waits half a second for a slow reader; a command, which has not called
 * that, waits for as long as it takes.
 */
void log_text(struct str lines);

/* Whether lines wait.  The loop then calls log_flush() from time to time. */
bool log_is_waiting(void);
void log_flush(void);

/* The last call before _exit(2), which runs no handlers. */
void log_finish(void);

#endif

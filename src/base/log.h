/* SPDX-License-Identifier: MIT
 *
 * log - lines on standard error: who says it, how bad it is, what and what to do.
 *
 * Lower floors return errors and never log; who knows the context logs, once.
 */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include "base/attr.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Names this process in every line ("hub", "responder", ...); borrows `role`
 * for ever.  The level comes from SLUICE_LOG (error, warning, info, debug).  Where
 * standard error is systemd's journal, that is told how bad each line is.
 */
void log_init(const char *role);

void log_line(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#define log_error(...)   log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

#endif

/* SPDX-License-Identifier: MIT
 *
 * severity - how bad a line of a log is, by the word it says it with.
 */
#ifndef COMMON_SEVERITY_H
#define COMMON_SEVERITY_H

#include <stddef.h>

/* 0 .. 7 for the first level word near the start of the line, as a word of its
 * own, in capitals or in small letters; SLUICE_NO_SEVERITY for none.
 */
int severity_detect(const char *line, size_t len);

#endif

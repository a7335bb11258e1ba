/* SPDX-License-Identifier: MIT
 *
 * times - a time in any of the forms that programs write, and in forms that the
 * administrator gives as a format in the manner of strptime(3).
 *
 * The forms are those of stamp.h and a table of formats here; plugins/file/file.md
 * lists them.  A time without a zone is in the process's own (TZ).
 */
#ifndef COMMON_TIMES_H
#define COMMON_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All set *ns since 1970; the time is from 1971 to 2200.  `now_ns` gives a year or
 * a day that is missing.
 */

/* A time at the start of a text: how many bytes it takes, or 0. */
size_t times_begin(const char *p, size_t n, int64_t now_ns, int64_t *ns);
/* A text that is a time as a whole; blanks, quotes or brackets may stand around it. */
bool times_read(const char *p, size_t n, int64_t now_ns, int64_t *ns);
/* The same by a format. */
bool times_read_by(const char *format, const char *p, size_t n, int64_t now_ns, int64_t *ns);
/* Seconds, milliseconds, microseconds or nanoseconds since 1970, by their size; 0
 * when it is none.
 */
int64_t times_of_epoch(int64_t v);

/* NULL, or what is wrong with the format: a sentence's end, static. */
const char *times_check_format(const char *format);

#endif

/* SPDX-License-Identifier: MIT
 *
 * names - what the names of rotated files say: of which log they are, and in which order
 * they were written.  Knows nothing of files.
 */
#ifndef FILE_NAMES_H
#define FILE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_CURRENT "current"

/* Of an older file of a log, as it was written or compressed. */
enum kind { NO_GENERATION, PLAIN, COMPRESSED };

/* In any way, also one that is not read. */
bool name_is_compressed(const char *path);
/* What the name is to the log `base`; both without directories. */
enum kind name_kind(const char *name, const char *base);
/* Of current, as multilog, s6-log and svlogd keep it: @400000006a17d2ea0b8cdb4c.s, or .u
 * after a crash, and previous while a program processes it.
 */
enum kind name_kind_of_current(const char *name);
bool name_is_current(const char *base);
/* Whether the names differ in numbers only: app-1.log, app-20.log; `a` may be compressed. */
enum kind name_kind_alike(const char *a, const char *b);

/* Behind a number or a date, with the characters that stand in one. */
const char *name_behind_number(const char *p, size_t *digits);
/* The number in app.log.1 or app.1.log, which may be compressed; -1: it is none of them. */
long name_number(const char *name, const char *base);

/* How names order what was written in one moment, as strcmp(3): .10 before .9, but dates
 * upwards.
 */
int name_compare(const char *a, const char *b);
/* Of names that differ in a time only, such as 20261128-150000: as strcmp(3), else 0. */
int name_compare_times(const char *a, const char *b);

#endif

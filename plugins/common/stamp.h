/* SPDX-License-Identifier: MIT
 *
 * stamp - times as logs write them.
 *
 * Civil times without a zone are taken in the process's own (TZ); times without
 * a year in the newest one that does not put them more than two days ahead.
 */
#ifndef COMMON_STAMP_H
#define COMMON_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All return how many bytes the time takes, or 0 for what is none, and set *ns
 * since 1970.
 */

/* 2026-11-21T06:00:00.123456+01:00, RFC 3339; a blank instead of the T, and a
 * missing zone, are taken too; so is the second 60.
 */
size_t stamp_iso(const char *p, size_t n, int64_t *ns);
/* Nov 21 06:00:00, RFC 3164; Nov 21 2026 06:00:00 too. */
size_t stamp_bsd(const char *p, size_t n, int64_t now_ns, int64_t *ns);
/* 21/Nov/2026:06:00:00 +0100, the common log format. */
size_t stamp_clf(const char *p, size_t n, int64_t *ns);

/* A time taken apart, for what may stand around it. */
struct stamp {
	int year; /* 0: it names none */
	int month, day, hour, minute, second;
	int64_t part_ns; /* of a second */
	bool has_offset; /* else it is in the process's own zone */
	int64_t offset_s;
};

/* Both return how many bytes they have read, or 0. */
size_t stamp_read_bsd(const char *p, size_t n, struct stamp *ret);
/* Z, +01:00, +0100. */
size_t stamp_read_offset(const char *p, size_t n, struct stamp *ret);
/* False when there is no such day. */
bool stamp_finish(const struct stamp *t, int64_t now_ns, int64_t *ns);

/* Whether the zone database has `name`, such as Europe/Berlin. */
bool stamp_has_zone(const char *name);
/* Whether it is what the process's own zone is called in winter or in summer. */
bool stamp_is_own_zone(const char *name);
/* As stamp_finish(), in a zone that one of these knows. */
bool stamp_finish_in(const struct stamp *t, const char *zone, int64_t now_ns, int64_t *ns);
/* The month and day of a day of the year, 1 .. 366; false: the year has none such. */
bool stamp_set_day(struct stamp *t, int yday);
/* The day in which this time of day is the nearest to now. */
void stamp_set_today(struct stamp *t, int64_t now_ns);

/* Another zone than the process's own, in the forms of stamp_set_zone(); NULL when it
 * is none.
 */
struct stamp_zone;
struct stamp_zone *stamp_zone_new(const char *name);
void stamp_zone_free(struct stamp_zone *z);
/* From now on times without a zone are in this one; NULL: the process's own.  Borrows. */
void stamp_use_zone(struct stamp_zone *z);

/* Makes it the process's own zone: a name of the zone database, an offset such as
 * +02:00, or the form of POSIX's TZ.  -1 when it is none.
 */
int stamp_set_zone(const char *name);

#endif

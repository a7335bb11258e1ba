/* SPDX-License-Identifier: MIT
 *
 * complaints - which troubles have been told and are not over yet.
 */
#ifndef COMMON_COMPLAINTS_H
#define COMMON_COMPLAINTS_H

#include <stdbool.h>
#include <stdint.h>

enum { COMPLAINTS_MAX = 64 };

/* Hashes of what they are about, such as a path.  Two in one place displace each other: then
 * a trouble is told more than once, and never left out.
 */
struct complaints {
	uint64_t about[COMPLAINTS_MAX];
};

/* Whether a trouble with this is to be told now: once until complaint_ends(). */
bool complaint_begins(struct complaints *c, const char *about);
/* The trouble is over.  Whether it had been told. */
bool complaint_ends(struct complaints *c, const char *about);

#endif

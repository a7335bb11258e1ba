/* SPDX-License-Identifier: MIT
 *
 * open_files - descriptors for clients, and those that are kept for the hub itself.
 *
 *	0 .. clients, journals, sources .. limit - reserve .. journals, sources .. limit
 *
 * The kernel hands out the lowest free descriptor.  A client never gets one of the
 * reserve: a journal that cannot open its next segment stands still, and a source that
 * cannot be started again is silent.
 */
#ifndef SLUICE_HUB_OPEN_FILES_H
#define SLUICE_HUB_OPEN_FILES_H

#include "base/json.h"
#include "conf/settings.h"

struct hub;

struct open_files {
	int64_t reserve;        /* descriptors that no client gets */
	bool is_short;          /* less than the journals and sources may need */
	bool is_nearly_reached; /* the limit, as was told */
	uint64_t n_refused, n_lost;
};

/* The reason that clients get in `busy`. */
#define OPEN_FILES_LIMIT "the limit of open files (LimitNOFILE, ulimit -n)"

/* How many files a hub with these settings must be able to open to begin at all. */
int64_t open_files_needed(const struct settings *s) must_check;

/* Works the reserve out anew, and tells once when four fifths of what
 * clients may have are in use. */
void open_files_look(struct hub *h);

/* Whether a client that has, or would get, `fd` leaves the reserve alone; -1: the next
 * one that is free.  One that does not is counted.
 */
bool open_files_admit(struct hub *h, int fd) must_check;

/* Whether another connection of a responder leaves half of the reserve free. */
bool open_files_admit_responder(const struct hub *h) must_check;

/* A descriptor that a client passed on did not arrive. */
void open_files_lost_one(struct hub *h);

void open_files_report(const struct hub *h, struct json *j);

#endif

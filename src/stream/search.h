/* SPDX-License-Identifier: MIT
 *
 * search - all of the past that matches, as it is found, or how much of it there is when.
 *
 *	reading (helper) -> sending -> reading ... -> ended
 *
 * A helper thread searches in slices of time, behind all that wait; what it has found is sent,
 * and it goes on once the client has taken that.  `progress` tells how far it has come, `done`
 * where it goes on.  A client that closes ends it.  Counts are sent whole each time.
 */
#ifndef SLUICE_STREAM_SEARCH_H
#define SLUICE_STREAM_SEARCH_H

#include "access/access.h"
#include "channel/registry.h"
#include "past/readers.h"
#include "stream/admission.h"

struct quota;
struct search_kind;

/* The events themselves, how many there are by time and severity, and which values they have. */
extern const struct search_kind search_for_matches, search_for_counts, search_for_facets;

/* All searches of a hub, and what they share. */
struct searches {
	struct registry *registry;
	const struct access *access;
	const struct readers *readers;
	struct quota *addresses, *users; /* owned */
	struct list all;                 /* of struct search */
	size_t n_open;
	size_t n_admitted; /* beside them, those that are about to be opened */
	uint64_t n_ever, n_matches, n_bytes;
};

/* Borrows all of them. */
void searches_init(struct searches *all, struct registry *r, const struct readers *readers,
		   const struct access *access);
/* Once all have ended, and their memory is gone. */
void searches_fini(struct searches *all);

/* The limit that one more of this client would exceed, as part of a sentence; or NULL. */
const char *searches_limit(const struct searches *all, const struct identity *who) must_check;

/* Takes `fd`, whose response head is written already, and what `a` holds. */
void search_open(struct searches *all, const struct search_kind *kind, int fd,
		 const struct handoff_request *r, struct admission *a);

/* Loop time at which one last did something; 0 while there is none. */
int64_t searches_moved_ns(const struct searches *all) must_check;

/* Ends all with `bye`, which says where to go on; `reason` is borrowed. */
void searches_say_bye(struct searches *all, const char *reason);

/* Ends all at once; for the end of the hub. */
void searches_end_all(struct searches *all);

#endif

/* SPDX-License-Identifier: MIT
 *
 * admission - who was let in, to see what, and what that counts for.
 *
 * A client is let in with the answer to its question, and its descriptor comes a moment
 * later.  Between the two this holds all that was decided, so nothing is decided twice;
 * what is opened then takes it over.
 */
#ifndef SLUICE_STREAM_ADMISSION_H
#define SLUICE_STREAM_ADMISSION_H

#include "access/access.h"
#include "stream/subscription.h"

struct quota;
struct quota_entry;

struct admission {
	struct identity who;           /* owned */
	struct subscription sub;       /* owned */
	struct quota_entry *quotas[2]; /* of its address and user: counted; or NULL */
	size_t *n_admitted;            /* one of these; NULL while it counts nowhere */
};

/* Counts it among those that are let in and not opened yet, and under its address and user;
 * `users` may be NULL.
 */
void admission_count(struct admission *a, struct quota *addresses, struct quota *users,
		     size_t *n_admitted);

/* What has been opened takes over under what it counts. */
void admission_give_quotas(struct admission *a, struct quota_entry *to[2]);

/* What was taken out of it is left alone. */
void admission_fini(struct admission *a);

#endif

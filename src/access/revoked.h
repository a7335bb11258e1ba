/* SPDX-License-Identifier: MIT
 *
 * revoked - the numbers of tickets that are no longer good.
 *
 * They are lines "ID EXPIRES" of state_dir/tickets.revoked, to which `sluice ticket
 * --revoke` appends, and which the hub reads again whenever it has changed.
 */
#ifndef SLUICE_ACCESS_REVOKED_H
#define SLUICE_ACCESS_REVOKED_H

#include <sys/types.h>
#include <time.h>

#include "base/buf.h"

struct revoked {
	struct buf text;  /* of the file; each id is ended by a NUL */
	const char **ids; /* sorted, borrowed from it; those that have not expired by themselves */
	size_t n;
	/* of the file that it was read from */
	off_t size;
	ino_t inode;
	struct timespec changed;
	uint64_t generation; /* grows with each change */
	bool has_looked;
	bool is_unreadable; /* now: nobody can say which tickets are good */
};

void revoked_fini(struct revoked *r);

/* Reads it again if it has changed. */
void revoked_refresh(struct revoked *r, const char *state_dir);
bool revoked_holds(const struct revoked *r, const char *id) must_check;

/* Adds one, and drops those that have expired once they are many.  0 or a negative errno. */
int revoked_add(const char *state_dir, const char *id, int64_t expires_s) must_check;

#endif

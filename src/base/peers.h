/* SPDX-License-Identifier: MIT
 *
 * peers - whose processes may connect to a unix socket of ours.
 *
 * The kernel says who has connected (SO_PEERCRED, unix(7)), so nobody can pretend;
 * file modes alone would need a group that the web server is in.  What a source has started
 * may not, whatever its user: it is below the supervisor.
 */
#ifndef SLUICE_BASE_PEERS_H
#define SLUICE_BASE_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

enum { PEERS_MAX = 64 };

struct peers {
	uid_t uids[PEERS_MAX];
	size_t n;
	pid_t supervisor; /* 0: not known, and nobody is below it */
	int depth;        /* generations below it that may connect */
	int64_t told_ns;  /* of the monotonic clock: when the log was told last */
	uint64_t untold;  /* refused since */
};

/* Root and whoever runs this. */
void peers_init(struct peers *p);

/* False when there is no such user here. */
bool peers_add_user(struct peers *p, const char *name);

/* "0,33": how they are told to another process; -EINVAL for what is no such list. */
void peers_put(const struct peers *p, struct buf *out);
int peers_parse(const char *text, struct peers *ret) must_check;

/* Whether the process at the other end of `fd` is one of theirs; if not, the log is
 * told, once a second at most.  True for what is no unix socket: nobody can tell there.
 */
bool peers_admit(struct peers *p, int fd, const char *what) must_check;

/* The same of where it comes from alone: for a socket that any user may connect to. */
bool peers_admit_origin(struct peers *p, int fd, const char *what) must_check;

#endif

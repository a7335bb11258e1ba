/* SPDX-License-Identifier: MIT
 *
 * grant - what a source process gets by the hub's rights: sockets that its
 * options name, files below the paths that its options name.
 *
 * The sockets are kept across restarts of the source, so what clients send
 * meanwhile waits in them.
 */
#ifndef SLUICE_SOURCE_GRANT_H
#define SLUICE_SOURCE_GRANT_H

#include "base/address.h"
#include "base/buf.h"
#include "conf/settings.h"

struct grants {
	struct granted {
		char *address;
		int fd;
		bool is_claimed; /* by the process that runs now */
		struct address_how how;
	} * all;
	size_t n;
};

void grants_fini(struct grants *g);

/* What FRAME_WANT_LISTEN asks for.  The owner's numbers in `how` are still to be found. */
struct grant_wish {
	struct str address, owner, group; /* borrowed from the frame */
	struct address_how how;
};

/* 0, or a negative errno with *why an owned sentence, or NULL: no address of the source's
 * options.
 */
int grant_get_wish(const struct source_settings *src, struct str body, struct grant_wish *ret,
		   char **why) must_check;

/* What FRAME_WANT_LISTEN and FRAME_WANT_OPEN get: a descriptor (a socket is
 * borrowed from the grants, a file the caller's own); or a negative errno with
 * *why an owned sentence, or NULL.
 */
int grant_listen(struct grants *g, const struct grant_wish *wish, char **why) must_check;
int grant_open(const struct source_settings *src, struct str path, char **why) must_check;

/* Moves the socket of an address that `from` has no use for any more, since its
 * source does not name it, to `to`.
 */
void grants_move(struct grants *from, const struct source_settings *of, struct grants *to,
		 struct str address);

/* A new process begins: nothing is claimed yet. */
void grants_unclaim(struct grants *g);
/* Closes what the process that runs now has not asked for. */
void grants_drop_unclaimed(struct grants *g);

/* Sends an answer over the process's grant socket, which does not block.  0, or a
 * negative errno: a process that asks and does not listen.
 */
int grant_answer(int sock, int result, int fd, const char *why) must_check;

#endif

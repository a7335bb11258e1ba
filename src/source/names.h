/* SPDX-License-Identifier: MIT
 *
 * names - the numbers of users and groups that sources name.
 *
 * A name service may take its time (NSS may ask a server), so the hub's loop asks a
 * thread, and remembers the answers for a while.
 */
#ifndef SLUICE_SOURCE_NAMES_H
#define SLUICE_SOURCE_NAMES_H

#include "base/address.h"
#include "base/buf.h"
#include "loop/loop.h"

struct names;

struct names *names_new(struct loop *l) must_check;
void names_free(struct names *n);

/* Sets the owner and group of `how`; an empty name changes nothing.  0; -EAGAIN when
 * it is being looked up: ask again; or -EINVAL with *why an owned sentence.
 */
int names_find(struct names *n, struct str owner, struct str group, struct address_how *how,
	       char **why) must_check;

/* The same at once, for a process that may wait. */
int names_find_now(struct str owner, struct str group, struct address_how *how,
		   char **why) must_check;

#endif

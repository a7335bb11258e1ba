/* SPDX-License-Identifier: MIT
 *
 * subject - who is meant by one word of an access list.
 *
 *	anyone  authenticated  user:alice  group:ops  net:10.0.0.0/8  net:::1
 */
#ifndef SLUICE_CONF_SUBJECT_H
#define SLUICE_CONF_SUBJECT_H

#include "base/net.h"

enum subject_kind {
	SUBJECT_ANYONE,
	SUBJECT_AUTHENTICATED, /* whoever the front server has a name for */
	SUBJECT_USER,
	SUBJECT_GROUP,
	SUBJECT_NET,
};

struct subject {
	enum subject_kind kind;
	const char *name; /* of a user or group, borrowed */
	struct net net;
};

/* 0, or -EINVAL with *why an owned sentence.  `ret` borrows from `text`. */
int subject_parse(const char *text, struct subject *ret, char **why) must_check;

/* Whether an address as text, such as REMOTE_ADDR, lies in the subject's network. */
bool subject_holds_address(const struct subject *s, struct str address) must_check;

#endif

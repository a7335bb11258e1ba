/* SPDX-License-Identifier: MIT
 *
 * access - identifies clients, and decides what they may see.
 *
 * authorize() is the one place where that is decided, for every way there is to an
 * event.  A channel that a client may not read is treated as if it did not exist.
 */
#ifndef SLUICE_ACCESS_ACCESS_H
#define SLUICE_ACCESS_ACCESS_H

#include "access/revoked.h"
#include "access/ticket.h"
#include "conf/settings.h"
#include "wire/handoff.h"

struct access {
	const struct settings *settings; /* borrowed */
	struct key key;
	struct revoked revoked;
	int64_t told_of_proxy_ns; /* of the monotonic clock: when the log was told last */
	uint64_t n_denied;
	int64_t denied_second; /* of the monotonic clock */
	int denied_in_second;
};

/* 0, or a negative errno with *why an owned sentence. */
int access_open(struct access *a, const struct settings *s, char **why) must_check;
void access_close(struct access *a);

/* Who asks.  A ticket replaces what the front server says: its bearer is its user and
 * may read its channels, and nothing else.
 */
struct identity {
	char *user;            /* "": nobody knows */
	char *address;         /* of the client, in one way of writing */
	bool is_proxy;         /* that address is one, and whom it passes on is not known */
	struct ticket *ticket; /* owned; NULL: it has shown none */
};

/* From what the front server has sent.  0, or an HTTP status with a sentence in
 * `why`.  Give it to identity_fini() either way.
 */
int identity_of(struct access *a, const struct handoff_request *r, struct identity *ret,
		struct buf *why) must_check;
void identity_fini(struct identity *who);

enum right {
	RIGHT_READ,   /* what comes from now on */
	RIGHT_REPLAY, /* what was before */
	RIGHT_ADMIN,  /* how sluice is doing */
};

/* `channel` is the name of a channel; NULL for RIGHT_ADMIN over all of sluice. */
bool authorize(const struct access *a, const struct identity *who, const char *channel,
	       enum right right) must_check;

/* Whether the client may see the state of at least one channel. */
bool access_is_some_admin(const struct access *a, const struct identity *who) must_check;

/* Whether a stream with these names (a JSON array) may go on; else the reason. */
const char *access_lost(const struct access *a, const struct identity *who, struct str names,
			enum right right) must_check;

/* Notes in the log that somebody was refused, a few times a second at most. */
void access_log_refusal(struct access *a, const struct handoff_request *r,
			const struct identity *who, const char *what);

#endif

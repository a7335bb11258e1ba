/* SPDX-License-Identifier: MIT
 *
 * ticket - a signed paper that lets its bearer read named channels for some minutes.
 *
 *	st1.HEX(user=alice&channel=web&expires=1795280000&id=4be1...).HEX(HMAC-SHA256)
 *
 * For an EventSource can set no header, and a web application knows its users better
 * than we do.  The key lies in the state directory; so do the numbers of tickets that
 * are revoked.
 */
#ifndef SLUICE_ACCESS_TICKET_H
#define SLUICE_ACCESS_TICKET_H

#include <sys/types.h>
#include <time.h>

#include "base/buf.h"
#include "base/keyfile.h"

enum { TICKET_TEXT_MAX = 8192, TICKET_CHANNELS_MAX = 64 };

struct ticket {
	char *user, *id;
	char *channels[TICKET_CHANNELS_MAX];
	size_t n_channels;
	int64_t expires_s; /* Unix time */
};

/* The name of the key's file in the state directory, see base/keyfile.h. */
#define TICKET_KEY_FILE "ticket.key"

/* Gives it a number of its own, owned by the ticket. */
void ticket_number(struct ticket *t);
void ticket_put(struct buf *out, const struct key *key, const struct ticket *t);

/* NULL and *ret owned, or what is wrong with it (borrowed, static). */
const char *ticket_get(const struct key *key, struct str text, int64_t now_s,
		       struct ticket *ret) must_check;
void ticket_fini(struct ticket *t);

/* One on the heap, with everything in it; NULL is allowed. */
void ticket_free(struct ticket *t);

#endif

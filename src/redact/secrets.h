/* SPDX-License-Identifier: MIT
 *
 * secrets - what passwords, tokens, keys and cards look like.
 */
#ifndef SLUICE_REDACT_SECRETS_H
#define SLUICE_REDACT_SECRETS_H

#include "base/buf.h"

/* One pattern of a built-in rule.  Where it has a group, the group is the secret. */
struct secret_pattern {
	const char *rule;
	const char *regex;  /* in PCRE2, without case */
	const char *fields; /* last words of the names of fields that hold such a thing, a comma
			     * between; or NULL */
};

/* Ended by a NULL rule. */
extern const struct secret_pattern secret_patterns[];

/* The next number of a payment card from *at on: 13 to 19 digits, perhaps in groups,
 * that the Luhn check (ISO/IEC 7812-1) accepts, beside whatever numbers.  *at is where it begins.
 */
size_t secret_card(struct str s, size_t *at) must_check;

/* A private key that comes line by line: whether this message belongs to one.  *lines
 * is how far into it we are; 0 when outside.
 */
bool secret_key_line(struct str message, int *lines) must_check;

/* For a message inside of a key that secret_key_line() has not taken whole: appends it
 * without what may be a piece of the key behind a time or in JSON; nothing when there is none.
 */
void secret_key_pieces(struct str message, int *lines, struct buf *out);

#endif

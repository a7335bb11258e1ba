/* SPDX-License-Identifier: MIT
 *
 * origin - where a page is from, as browsers say it (RFC 6454), and what lets it read.
 *
 *	https://dash.example.org   http://localhost:8080   null
 *
 * The scheme's own port says nothing, and neither does the case: https://X:443 is
 * https://x.
 */
#ifndef SLUICE_WIRE_ORIGIN_H
#define SLUICE_WIRE_ORIGIN_H

#include "base/buf.h"

bool origin_is_same(struct str a, struct str b) must_check;

/* Whether a page of `origin` is one of `host` (the field Host).  The scheme cannot be
 * compared: a proxy in front may have taken the TLS off.
 */
bool origin_is_of_host(struct str origin, struct str host) must_check;

/* Writes it as a browser would. */
void origin_normalise(char *origin);

/* That of the list, words with blanks between, which is this one; no data if there is none. */
struct str origin_in_list(struct str origin, const char *list) must_check;

/* Appends the header fields (Fetch standard, CORS) that let it read the answer. */
void origin_put_allowed(struct buf *out, struct str listed);

#endif

/* SPDX-License-Identifier: MIT
 *
 * query - a URL's query string (WHATWG URL, application/x-www-form-urlencoded)
 * and the Accept header (RFC 9110, section 12.5.1).
 */
#ifndef SLUICE_WIRE_QUERY_H
#define SLUICE_WIRE_QUERY_H

#include "base/buf.h"

/* Takes the next pair from *rest, decoded into `key` and `value` (both emptied
 * first): 1, 0 at the end, -EINVAL for a broken percent escape or a NUL.
 */
int query_next(struct str *rest, struct buf *key, struct buf *value) must_check;

/* Whether it is the name under which polyfills of EventSource send the header Last-Event-ID:
 * lastEventId, Last-Event-ID, last_event_id, evs_last_event_id, in either case.
 */
bool query_is_last_event_id(struct str key) must_check;

/* Whether a parameter of that name is there for caches, polyfills or statistics and says
 * nothing to us; and whether a value is a time or a random number, as caches are fooled with.
 */
bool query_is_ignored(struct str key) must_check;
bool query_is_nonce(struct str value) must_check;

/* Appends key=value, escaped. */
void query_put(struct buf *out, const char *key, struct str value);

/* How much `accept` likes the media type "type/subtype", from 0 (not at all) to
 * 1000.  A missing header likes all.
 */
int accept_quality(struct str accept, const char *type) must_check;
bool accept_admits(struct str accept, const char *type) must_check;

/* Whether Accept-Encoding (RFC 9110, section 12.5.3) names that coding, such as "br". */
bool accepts_coding(struct str accept_encoding, const char *name) must_check;
bool accepts_gzip(struct str accept_encoding) must_check;

#endif

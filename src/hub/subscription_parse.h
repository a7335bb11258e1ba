/* SPDX-License-Identifier: MIT
 *
 * subscription_parse - a request made a subscription.
 *
 * Parsed from the query string (and a form sent with POST, which reads the same)
 * and headers; checked against the channels that there are.
 */
#ifndef SLUICE_HUB_SUBSCRIPTION_PARSE_H
#define SLUICE_HUB_SUBSCRIPTION_PARSE_H

#include "access/access.h"
#include "hub/hub.h"
#include "stream/subscription.h"

enum { CURSOR_TEXT_MAX = 128 };

/* Which parameters there are beside those that every request for events has. */
enum subscription_use {
	USE_STREAM,
	USE_POLL,
	USE_HISTORY,
	USE_SEARCH,
	USE_HISTOGRAM,
	USE_FACETS,
	USE_CHANGE
};

/* Whether it is about the past alone. */
static inline bool is_of_past(enum subscription_use use)
{
	return use == USE_HISTORY || use == USE_SEARCH || use == USE_HISTOGRAM || use == USE_FACETS;
}

/* Whether its answer says how much there is, not what. */
static inline bool is_of_numbers(enum subscription_use use)
{
	return use == USE_HISTOGRAM || use == USE_FACETS;
}

/* 0, or an HTTP status (400, 404, 406, or 503 when it may work later) with a
 * sentence in `why`.  Give it to subscription_fini() either way.
 */
int subscription_parse(struct hub *h, const struct handoff_request *r, const struct identity *who,
		       enum subscription_use use, struct subscription *ret,
		       struct buf *why) must_check;

#endif

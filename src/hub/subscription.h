/* SPDX-License-Identifier: MIT
 *
 * subscription - what a request for /events asks: channels, format, start.
 *
 * Parsed from the query string and headers; checked against the channels that
 * there are.
 */
#ifndef SLUICE_HUB_SUBSCRIPTION_H
#define SLUICE_HUB_SUBSCRIPTION_H

#include "hub/hub.h"
#include "wire/door.h"
#include "wire/sse.h"

enum { SUBSCRIPTION_CHANNELS_MAX = 64, CURSOR_TEXT_MAX = 128 };

enum start_from {
	START_NOW,
	START_AFTER,   /* `after`, if it is a cursor that this hub can vouch for */
	START_UNKNOWN, /* a cursor of another epoch, or from the future */
	START_TAIL,    /* the last `tail` events */
	START_EARLIEST,
};

struct subscription {
	struct channel *channels[SUBSCRIPTION_CHANNELS_MAX]; /* by name, each once */
	size_t n_channels;
	enum sse_data data;
	enum door_framing framing;
	enum start_from start;
	event_id after;
	uint64_t tail;
};

/* 0, or an HTTP status (400, 404, 406) with a sentence in `why`. */
int subscription_parse(struct hub *h, const struct door_request *r, struct subscription *ret,
		       struct buf *why) must_check;

#endif

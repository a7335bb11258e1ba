/* SPDX-License-Identifier: MIT
 *
 * subscription - what a client wants to see: channels, filter, form, start.
 *
 * A derived channel stands for those that it is from, each with a filter, so here are
 * only channels that have a journal.
 */
#ifndef SLUICE_STREAM_SUBSCRIPTION_H
#define SLUICE_STREAM_SUBSCRIPTION_H

#include "conf/settings.h"
#include "filter/filter.h"
#include "wire/format.h"
#include "wire/handoff.h"

enum { SUBSCRIPTION_CHANNELS_MAX = 64 };

enum start_from {
	START_NOW,
	START_AFTER,   /* `after`, if it is a cursor that this hub can vouch for */
	START_UNKNOWN, /* a cursor of another epoch, or from the future */
	START_BARRED,  /* a cursor, but no right to see the past */
	START_TAIL,    /* the last `tail` events that match */
	START_EARLIEST,
};

struct subscription_channel {
	struct channel *channel;
	struct filter *filter; /* counted; NULL: every event */
	struct filter *bounds; /* of a page: what there is at all, context too; counted, or NULL */
};

struct subscription {
	/* by name, each once */
	struct subscription_channel channels[SUBSCRIPTION_CHANNELS_MAX];
	size_t n_channels;
	struct buf names;  /* of those asked for, derived ones included: a JSON array */
	struct buf filter; /* as asked for, in canonical form */
	enum format format;
	bool gzips;
	enum sse_heartbeat heartbeat;
	bool is_derived;
	bool is_barred; /* the client may not read the history of at least one channel */
	enum handoff_framing framing;
	int64_t heartbeat_ns, retry_ns, coalesce_ns, max_lag_ns;
	enum slow slow;
	enum start_from start;
	event_id after;
	uint64_t tail;
	int64_t timeout_ns; /* of a poll */
	/* of history; 0: none */
	event_id before, until;
	bool has_after;
	uint64_t limit, lines_before, lines_after;
	bool is_oldest_first; /* of a search */
	uint64_t n_buckets;   /* of a histogram */
	struct buf fields;    /* of facets: their names, each with a NUL; none: all that occur */
	uint64_t n_top;       /* how many values of each */
	/* Equal for all who get the very same bytes. */
	struct buf key;
};

/* Once all else is set: the key. */
void subscription_put_key(struct subscription *s);

/* For a stream that is open: the form of what it gets stays as in `like`. */
void subscription_liken(struct subscription *s, const struct subscription *like);
/* Its channels stay as long as it is held. */
void subscription_hold(const struct subscription *s);
void subscription_release(const struct subscription *s);
void subscription_fini(struct subscription *s);

#endif

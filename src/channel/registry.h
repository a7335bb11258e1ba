/* SPDX-License-Identifier: MIT
 *
 * registry - the channels that there are, the ids that their events get, and what they
 * share.
 *
 * One row of ids for all channels: what comes later has the greater id, whichever channel
 * it is in.  Knows nothing of who reads a channel.
 */
#ifndef SLUICE_CHANNEL_REGISTRY_H
#define SLUICE_CHANNEL_REGISTRY_H

#include "base/buf.h"
#include "conf/settings.h"
#include "loop/loop.h"
#include "wire/id.h"

struct channel;
struct cursors;
struct regexes;
struct witness;

struct registry {
	struct loop *loop;
	const struct settings *settings; /* borrowed */
	char epoch[EPOCH_MAX + 1];
	event_id last_id;   /* handed out last */
	event_id newest_id; /* of the newest event that was published or recovered */
	struct channel **channels;
	size_t n_channels;
	struct cursors *cursors;
	struct witness *witness;  /* of the journals; owned */
	struct regexes *regexes;  /* of filters */
	int spare_fd;             /* for a journal that has no other; or -1 */
	uint64_t n_internal_lost; /* counted by internal_event_publish() */
};

/* The channel of that name that is in the configuration and has a journal, or NULL. */
struct channel *registry_channel(const struct registry *r, const char *name) must_check;

/* The settings of a derived channel, or NULL when there is none of that name. */
const struct channel_settings *registry_derived(const struct registry *r,
						const char *name) must_check;

/* A new id, greater than every one before it; `now_ms` is the wall clock. */
event_id registry_next_id(struct registry *r, int64_t now_ms) must_check;

static inline struct str registry_epoch(const struct registry *r)
{
	return str_of(r->epoch);
}

#endif

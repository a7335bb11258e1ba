/* SPDX-License-Identifier: MIT
 *
 * hub - the one process that owns channels, journals, views and streams.
 *
 *	source process -> sources -> channel -> journal
 *	                                 \-> view -> stream -> front server
 *	responder -> gate -> subscription -> view
 *	                 \-> report
 *
 * It runs no plugin and no libfcgi, and nothing in its loop blocks: history is
 * read by the threads of its helper.
 */
#ifndef SLUICE_HUB_HUB_H
#define SLUICE_HUB_HUB_H

#include "access/access.h"
#include "base/json.h"
#include "base/list.h"
#include "channel/expiry.h"
#include "channel/free_space.h"
#include "channel/registry.h"
#include "conf/settings.h"
#include "loop/loop.h"
#include "past/readers.h"
#include "stream/history.h"
#include "stream/streams.h"
#include "stream/views.h"

struct gate;

struct hub {
	struct loop *loop;
	struct settings *settings; /* borrowed */
	struct registry registry;
	struct readers readers;
	struct views views;
	struct streams streams;
	struct pages pages;
	struct access access;
	uint64_t revoked_seen; /* generation that the streams were checked against */
	struct key redact_key;
	struct gate *gate;
	uint64_t n_refused;
	int64_t longest_turn_ns; /* in the last interval of housekeeping; CPU */
	size_t held_bytes;       /* of memory, after it was given back last */
	int64_t started_ns;
	struct loop_timer housekeeping;
	bool is_draining;
	struct free_space free_space;
	struct expiry expiry;
	struct open_files {
		int64_t reserve;        /* descriptors that no client gets */
		bool is_short;          /* less than the journals and sources may need */
		bool is_nearly_reached; /* the limit, as was told */
		uint64_t n_refused, n_lost;
	} open_files;
	/* What the floor above knows of the sources; set by it. */
	void (*report_sources)(void *ctx, const struct identity *who, struct json *j);
	bool (*sources_are_ready)(void *ctx);
	bool (*sources_feed)(void *ctx, const struct channel *c);
	void *report_ctx;
	/* Called when nobody has used it for hub.linger; NULL: it stays. */
	void (*on_unused)(struct hub *h);
	struct loop_timer linger;
	struct loop_timer emptying;
	int64_t empty_at_ns; /* loop time */
	int64_t used_ns;     /* loop time at which somebody did last */
	struct loop_timer farewell;
	int64_t farewell_ends_ns; /* loop time */
	void (*on_drained)(void *ctx);
	void *on_drained_ctx;
};

/* Opens the state directory's journals.  0, or a negative errno with *why an
 * owned sentence.  `gate_fd` is the listening socket for responders; taken.
 */
int hub_open(struct hub *h, struct loop *l, struct settings *s, int gate_fd, char **why) must_check;

/* Takes other settings (borrowed) in place of those it has: opens new channels
 * and lets go of removed ones once nobody reads them.  0, or a negative errno
 * with *why an owned sentence: nothing has changed.
 */
int hub_reload(struct hub *h, struct settings *fresh, char **why) must_check;

/* From now on h->on_unused is called when nobody has used it for hub.linger. */
void hub_watch_use(struct hub *h, void (*on_unused)(struct hub *h));

/* Sends all streams away, one after the other over that time, and takes no new ones
 * until hub_refill().
 */
void hub_empty(struct hub *h, int64_t over_ns);
void hub_refill(struct hub *h);

/* Takes no more requests and says bye on every stream.  `done` is called once they have
 * taken it; those that take nothing for two seconds are not waited for, and none is for
 * more than five seconds.
 */
void hub_drain(struct hub *h, void (*done)(void *ctx), void *ctx);

/* Closes the journals and notes that it ended well. */
void hub_close(struct hub *h);

#endif

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
#include "hub/budget.h"
#include "loop/loop.h"

struct channel;
struct filter_run;
struct gate;
struct helper;
struct quota;
struct view;

enum { PAGES_MAX = 32 }; /* of history, at once */

struct hub {
	struct loop *loop;
	struct settings *settings; /* borrowed */
	struct registry registry;
	struct helper *helper; /* reads the journals */
	size_t n_readers;
	struct gate *gate;
	struct filter_run *reader_runs; /* one for each of its threads; owned */
	struct quota *quota_addresses, *quota_users, *quota_pages; /* of pages: by address */
	struct access access;
	uint64_t revoked_seen; /* generation that the streams were checked against */
	struct key redact_key;
	struct list views;         /* of struct view */
	struct list *view_buckets; /* the same by their keys */
	size_t n_views;
	struct list histories; /* of struct page, being read or sent */
	struct list streams;   /* of struct stream, all that are open */
	struct list managers;  /* of struct manager */
	size_t n_streams;
	size_t n_pages_open;
	/* pages that were asked for lately, and are about to be opened */
	struct promise {
		bool is_made;
		int64_t at_ns; /* loop time */
		struct quota_entry *of;
	} promises[PAGES_MAX];
	int64_t longest_turn_ns; /* in the last interval of housekeeping; CPU */
	struct loop_share sending, compressing, reading; /* of each turn, for views */
	size_t held_bytes;      /* of memory, after it was given back last */
	struct budget budget;   /* of the views */
	event_id event;         /* being shown to the views */
	int64_t event_begun_ns; /* when the next of them got it; 0: the first one did not yet */
	size_t n_aside;         /* views that are too dear for the loop */
	uint64_t n_put_aside;   /* ever */
	size_t n_catching_up;   /* of them, those that read the journal */
	uint64_t n_streams_ever, n_refused, n_heartbeats;
	uint64_t n_gaps_told, n_slow, n_stalled, n_filters_lost, n_pages;
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

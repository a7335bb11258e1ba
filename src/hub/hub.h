/* SPDX-License-Identifier: MIT
 *
 * hub - the one process that owns channels, journals, views and streams.
 *
 *	source process -> sources -> channel -> journal
 *	                                 \-> view -> stream -> front server
 *	responder -> responder_server -> dispatch -> subscription -> view
 *	                                          \-> report
 *
 * It runs no plugin and no libfcgi, and nothing in its loop blocks: history is
 * read by the threads of its helper.
 */
#ifndef SLUICE_HUB_HUB_H
#define SLUICE_HUB_HUB_H

#include "access/access.h"
#include "base/json.h"
#include "base/list.h"
#include "channel/registry.h"
#include "conf/settings.h"
#include "hub/admissions.h"
#include "hub/dispatch.h"
#include "hub/drain.h"
#include "hub/housekeeping.h"
#include "hub/open_files.h"
#include "loop/loop.h"
#include "past/readers.h"
#include "stream/history.h"
#include "stream/search.h"
#include "stream/streams.h"
#include "stream/views.h"

struct responder_server;

struct hub {
	struct loop *loop;
	struct settings *settings; /* borrowed */
	struct registry registry;
	struct readers readers;
	struct views views;
	struct streams streams;
	struct pages pages;
	struct searches searches;
	struct access access;
	struct key redact_key;
	struct responder_server *responders;
	struct admissions admissions;
	struct dispatch dispatch;
	int64_t started_ns;
	struct open_files open_files;
	struct housekeeping housekeeping;
	struct drain drain;
	/* To notice that nobody uses it (idle.c). */
	struct idle {
		struct loop_timer timer;
		int64_t used_ns; /* loop time at which somebody did last */
		/* Called when nobody has for hub.linger; NULL: it stays. */
		void (*on_unused)(struct hub *h);
	} idle;
	/* What the floor above knows of the sources; set by it. */
	void (*report_sources)(void *ctx, const struct identity *who, struct json *j);
	bool (*sources_are_ready)(void *ctx);
	bool (*sources_feed)(void *ctx, const struct channel *c);
	void *report_ctx;
};

/* Opens the state directory's journals.  0, or a negative errno with *why an
 * owned sentence.  `responders_fd` is the listening socket for responders; taken.
 */
int hub_open(struct hub *h, struct loop *l, struct settings *s, int responders_fd,
	     char **why) must_check;

/* Takes other settings (borrowed) in place of those it has: opens new channels
 * and lets go of removed ones once nobody reads them.  0, or a negative errno
 * with *why an owned sentence: nothing has changed.
 */
int hub_reload(struct hub *h, struct settings *fresh, char **why) must_check;

/* From now on `on_unused` is called when nobody has used it for hub.linger. */
void hub_watch_use(struct hub *h, void (*on_unused)(struct hub *h));

/* Closes the journals and notes that it ended well. */
void hub_close(struct hub *h);

#endif

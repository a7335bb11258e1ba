/* SPDX-License-Identifier: MIT
 *
 * search_internal - one search, as the files of searches see it.
 */
#ifndef SLUICE_STREAM_SEARCH_INTERNAL_H
#define SLUICE_STREAM_SEARCH_INTERNAL_H

#include <stdatomic.h>

#include "base/json.h"
#include "loop/helper.h"
#include "past/counter.h"
#include "past/facets.h"
#include "past/searcher.h"
#include "stream/outlet.h"
#include "stream/search.h"

struct search;

/* How far a search has come. */
struct progress {
	uint64_t read, total, skipped; /* bytes of journals */
	uint64_t n_matches;
	event_id reached;
	bool is_complete;
	struct regex *slow; /* one that would not end; borrowed, or NULL */
};

/* What one kind of search does with what it finds. */
struct search_kind {
	void (*begin)(struct search *s);
	/* In a helper thread: goes on until `deadline_ns`.  Whether it is over. */
	bool (*run)(struct search *s, struct filter_run *run, int64_t deadline_ns);
	/* In the loop, like all that follow, after each time that it ran. */
	struct progress (*progress_of)(const struct search *s);
	void (*send)(struct search *s); /* what was found, as it comes; or NULL */
	/* Members of what is said: of progress and the end, and where to go on.  Not while a helper
	 * runs it.
	 */
	void (*put)(const struct search *s, struct json *j);
	void (*put_next)(const struct search *s, struct json *j);
	void (*fini)(struct search *s);
};

struct search {
	struct list link; /* in searches.all */
	struct searches *all;
	const struct search_kind *kind;
	struct outlet outlet;
	struct loop_task reaper;
	struct loop_timer ticker; /* says how far it has come, and whether the client still reads */
	struct helper_job job;
	bool is_running, is_over; /* the helper has it; the client has left */
	bool has_ended;           /* as the last run has said */
	bool is_found;            /* it has ended, and that has been said */
	atomic_bool is_cancelled; /* the helper need not go on */

	const char *bye, *bye_why; /* it is to end, for that reason; borrowed, or NULL */

	struct identity who;     /* owned */
	struct subscription sub; /* owned */
	struct past_channel *channels;
	struct filter_scan *scans; /* owned: one for each of these; or NULL */
	union {
		struct searcher matches;
		struct counter counts;
		struct facets facets;
	} of;
	struct quota_entry *quotas[2]; /* of its address and user; or NULL */
	int64_t begun_ns, said_ns;     /* loop time: of all, and of the last progress */
	struct progress progress;      /* as of the last slice */
};

/* Of one that reads backwards. */
struct progress search_progress(const struct backwards *b, uint64_t n_matches, bool is_complete,
				struct regex *slow);

/* A cursor, or null for 0. */
void search_put_cursor(const struct search *s, struct json *j, const char *key, event_id id);
/* The time of an id, or null for 0. */
void search_put_time(struct json *j, const char *key, event_id id);
/* What is missing, as "gaps". */
void search_put_missing(const struct search *s, struct json *j, const struct missing *m);

#endif

/* SPDX-License-Identifier: MIT
 *
 * past - the journals of some channels, read as one row in the order of ids.
 *
 * Says where something is missing: what retention has dropped (expired), what is
 * damaged, and what was there and is not any more (missing) become gaps.  A gap stands where
 * it begins, before anything of another channel that is newer: a client that stops reading
 * anywhere has heard of all gaps before that.
 * Runs in a helper thread, on snapshots alone.
 */
#ifndef SLUICE_PAST_PAST_H
#define SLUICE_PAST_PAST_H

#include "filter/scan.h"
#include "journal/journal.h"

struct past_channel;

/* Somebody for whom what the directory of a sealed segment says of a block may be enough. */
struct past_blocks {
	void *ctx;
	/* Whether it is: then its events, which all come after what was read, are passed over. */
	bool (*take)(void *ctx, const struct past_channel *c, const struct sealed_summary *block);
};

struct past_channel {
	struct str name;       /* borrowed */
	struct filter *filter; /* counted by whoever made it; NULL: all match */
	struct filter *bounds; /* what may be shown beside matches; the same way */
	/* Events that cannot match by it may be left out; borrowed, or NULL: all are read. */
	const struct filter_scan *scan;   /* with it milestones come, too */
	const struct past_blocks *blocks; /* borrowed, or NULL; milestones come as well */
	struct journal_snapshot snapshot;
	event_id gap_to; /* 0, or: what lies in (after, gap_to] is gone */
};

/* One channel's. */
struct past {
	const struct past_channel *channel;
	event_id after;
	size_t first_part, part;
	bool is_open; /* `reader` stands in that part; its memory is kept */
	struct batch_reader reader;
	struct str records;      /* of the batch being read */
	struct scan_place place; /* in these */
	event_id seen;           /* everything up to here was read, or reported as a gap */
	event_id own;  /* the newest id of these that is certain to be from this journal */
	uint64_t next; /* ordinal of the event that should follow, or ORDINAL_UNKNOWN */
	bool gap_done;
	/* the next event or gap; id 0: there is none */
	event_id id;   /* of a gap: the lowest id that may be missing */
	event_id upto; /* the cursor behind it; behind a gap, still where the gap begins */
	event_id gap_from, gap_to;
	const char *gap_reason; /* NULL for an event */
	int64_t gap_count;      /* events that are missing, or -1: not known */
	bool is_milestone;      /* it is neither: nothing is wanted up to there */
	size_t n_hopped;        /* bytes read since the last of these */
	uint64_t n_skipped;     /* bytes of blocks that were not unpacked */
	struct buf bloom;
	struct event event;
};

/* Stands before the first event behind `after`: past_advance() moves there. */
void past_init(struct past *p, const struct past_channel *c, event_id after);
/* The same for one that has been used: it keeps its memory. */
void past_again(struct past *p, const struct past_channel *c, event_id after);
void past_fini(struct past *p);
/* Moves to the next event or gap; past.id is 0 when there is none. */
void past_advance(struct past *p);

struct pasts {
	struct past *all;
	size_t n;
};

void pasts_init(struct pasts *p, const struct past_channel *channels, size_t n, event_id after);
void pasts_fini(struct pasts *p);

/* The channel whose next event or gap is the first of all, if that is not after `upto`; or NULL. */
struct past *pasts_first(const struct pasts *p, event_id upto) must_check;

/* Whether its event may stand beside one that was asked for: 1, 0 or -ELIMIT. */
int past_is_context(const struct past *p, struct filter_run *run) must_check;

/* Whether its event is one that was asked for: 1, 0 or -ELIMIT. */
int past_matches(const struct past *p, struct filter_run *run) must_check;

#endif

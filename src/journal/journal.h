/* SPDX-License-Identifier: MIT
 *
 * journal - the ordered, durable past of one channel.
 *
 * A row of segments, the last one being written.  Events and the cursors of
 * the sources that they came from are appended in one write, so after a crash
 * both are there or neither is.  The oldest segments go when there are too
 * many bytes, when they are too old, or when the disk is full.
 */
#ifndef SLUICE_JOURNAL_JOURNAL_H
#define SLUICE_JOURNAL_JOURNAL_H

#include "journal/segment.h"
#include "wire/record.h"

struct journal_config {
	const char *dir; /* exists; NULL: kept in memory */
	const char *epoch;
	int64_t max_bytes;
	int64_t max_age_ms; /* 0: any */
	event_id start;     /* for a journal in memory: nothing before is known */
	/* Called for each cursor found by recovery, in the order written. */
	void (*on_cursor)(void *ctx, const struct cursor *c, event_id at);
	/* Appends the newest cursors as records: a new segment begins with them,
	 * for the old ones go with their segments.
	 */
	void (*checkpoint)(void *ctx, struct buf *records);
	void *ctx;
};

/* How far a journal had come at some time. */
struct journal_point {
	struct segment *segment; /* refs; NULL: before the first */
	uint64_t size, segment_events;
	size_t n_marks;
	event_id segment_last, last;
	uint64_t n_events;
};

struct journal {
	struct journal_config config;
	struct segment **segments; /* oldest first; refs; never empty once open */
	size_t n;
	uint64_t bytes;
	uint64_t segment_size;              /* bytes at which the one being written ends */
	uint64_t n_events;                  /* ever, the dropped ones included */
	event_id last;                      /* of the newest batch */
	uint64_t torn_bytes, corrupt_bytes; /* found by recovery */
	bool has_new_file;                  /* the directory was not synced since one was made */
	char *reserve; /* a file that is set aside for the next segment; owned */
};

/* Opens and recovers.  A torn end is cut off; other damage is left where it is
 * and read around.  0, or a negative errno with *why set to an owned sentence.
 */
int journal_open(const struct journal_config *config, struct journal *j, char **why) must_check;
void journal_close(struct journal *j);

/* Paths of the segments in `dir`, oldest first, owned; 0 or a negative errno. */
int journal_list(const char *dir, char ***ret, size_t *n) must_check;

/* Appends a batch: BATCH_HEADER free bytes, then records.  0 or a negative
 * errno; then nothing was written and the same batch may be tried again.
 */
int journal_append(struct journal *j, struct buf *batch, event_id first, event_id last,
		   uint32_t n_events) must_check;

/* Keeps so much from now on; 0 for any age. */
void journal_keep(struct journal *j, int64_t max_bytes, int64_t max_age_ms);

/* Sets a file aside for the next segment, so that a disk that is full is no
 * trouble then; drops the oldest for it where it has to.  Call it now and then.
 */
void journal_set_aside(struct journal *j);

/* Drops the oldest segment: false when the one being written is all there is. */
bool journal_shrink(struct journal *j);

/* The state as it is now; it holds a reference. */
void journal_point_take(const struct journal *j, struct journal_point *ret);
void journal_point_fini(struct journal_point *p);

struct journal_batch {
	event_id first, last;
	uint32_t n_events;
	struct str records;
};

/* Writes everything after `p` once more, which is these batches, to a new segment
 * that takes the place of what was there: for when the disk has refused it and
 * nobody knows which of it is there.  0, or a negative errno: all is as before.
 */
int journal_rewrite(struct journal *j, const struct journal_point *p,
		    const struct journal_batch *batches, size_t n) must_check;

/* Drops what is too old; returns how many segments went. */
int journal_expire(struct journal *j, int64_t now_ms);

/* Has everything reach the disk, the names of the files too; 0 or a negative errno. */
int journal_sync(const struct journal *j) must_check;

/* The last id that was dropped, or 0: a reader before it has missed something. */
event_id journal_floor(const struct journal *j);

/* A view of the journal as it is now, for another thread. */
struct journal_snapshot {
	struct journal_part *parts; /* oldest first */
	size_t n;
	event_id last; /* of the newest batch in it */
};

/* A segment, or what is to be read of it. */
struct journal_part {
	struct segment *segment; /* refs */
	uint64_t start, size;    /* offsets of the first batch, and behind the last */
	/* Where batches begin, some of them, ascending; owned, and only when the
	 * whole journal was asked for.
	 */
	struct journal_place {
		event_id first; /* of the batch there */
		uint64_t offset;
	} * places;
	size_t n_places;
};

/* Everything after `after`, and somewhat before. */
void journal_snapshot(const struct journal *j, event_id after, struct journal_snapshot *ret);
/* Everything up to `upto`, with places for reading backwards. */
void journal_snapshot_back(const struct journal *j, event_id upto, struct journal_snapshot *ret);
void journal_snapshot_fini(struct journal_snapshot *s);

#endif

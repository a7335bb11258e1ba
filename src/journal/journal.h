/* SPDX-License-Identifier: MIT
 *
 * journal - the ordered, durable past of one channel.
 *
 * A row of segments, the last one being written.  Events and the cursors of
 * the sources that they came from are appended in one write, so after a crash
 * both are there or neither is.  The oldest segments go when there are too
 * many bytes, when they are too old, or when the disk is full; before that, a
 * checkpoint beside them (journal/checkpoint.h) holds their cursors.
 *
 * What is missing is known: each batch has its ordinal, and the ends of the row
 * are remembered by the witness (journal/witness.h).
 */
#ifndef SLUICE_JOURNAL_JOURNAL_H
#define SLUICE_JOURNAL_JOURNAL_H

#include "journal/segment.h"
#include "journal/witness.h"
#include "wire/record.h"

struct journal_config {
	const char *dir; /* exists; NULL: kept in memory */
	const char *epoch;
	int64_t max_bytes;
	int64_t max_age_ms; /* 0: any */
	event_id start;     /* for a journal in memory: nothing before is known */
	/* Whoever appends has the disk sync it before anybody sees it, and the checkpoints too
	 * (journal_place_checkpoint()).
	 */
	bool syncs;
	struct witness *witness; /* borrowed; NULL: there is none */
	int *spare_fd;           /* borrowed; closed when there is no other descriptor; or NULL */
	const char *name;        /* by which the witness knows it */
	/* Called for each cursor found by recovery, with the id of the batch that set it. */
	void (*on_cursor)(void *ctx, const struct cursor *c, event_id at);
	/* Appends the newest cursors as entries of a checkpoint. */
	void (*checkpoint)(void *ctx, struct buf *entries);
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
	struct segment **segments; /* oldest first; refs; never empty once begun */
	size_t n;
	uint64_t bytes;        /* on the disk */
	uint64_t segment_size; /* bytes at which the one being written ends */
	uint64_t n_events;     /* ever, the dropped ones included */
	event_id last;         /* of the newest batch */
	struct extent known;   /* what the witness was last told */
	size_t witness_slot;   /* where it has that */
	event_id low;          /* the low-watermark: the last id that retention has dropped */
	uint64_t low_ordinal;  /* events up to it */
	struct {
		event_id upto;     /* the one in place covers the cursors up to here */
		event_id written;  /* the next one does, once it is in place; 0: none is */
		size_t bytes;      /* of the last one */
		uint64_t appended; /* to the journal since then */
	} checkpoint;
	/* found by recovery */
	uint64_t torn_bytes, corrupt_bytes;
	uint64_t n_missing; /* events that were in it, and are not any more */
	event_id hole;      /* the last id before which something is missing */
	bool is_short;      /* its end or its cursors are not what was written last */

	bool is_short_of_files;  /* the last roll lacked a descriptor; reported once */
	unsigned n_vain_drops;   /* segments dropped for a descriptor since one could be made */
	struct segment *leaving; /* dropped for its room, and still being read; refs; or NULL */
	bool has_new_file;       /* the directory was not synced since one was made */
	bool is_sparing;         /* the disk is short: nothing is set aside */
	bool has_reserve;        /* `reserve` is room on a full disk for a new segment to begin */
	bool is_used;            /* something was appended since it was opened */
	int64_t looked_ms;       /* wall clock when its files were last looked for */
};

/* Opens and recovers.  A torn end is cut off; other damage is left where it is
 * and read around.  0, or a negative errno with *why set to an owned sentence.
 */
int journal_open(const struct journal_config *config, struct journal *j, char **why) must_check;

/* To be called once config.epoch is what it will be: a new segment begins where the last
 * one cannot be gone on with.  Errors as above.
 */
int journal_begin(struct journal *j, char **why) must_check;
void journal_close(struct journal *j);

/* Paths of the segments in `dir`, oldest first, owned; 0 or a negative errno. */
int journal_list(const char *dir, char ***ret, size_t *n) must_check;

/* Appends a batch: BATCH_HEADER free bytes, then records; `now_ms` is the wall clock.
 * 0 or a negative errno; then nothing was written and the same batch may be tried again:
 * at -EAGAIN soon, when what gave way on a full disk has been read.
 */
int journal_append(struct journal *j, struct buf *batch, event_id first, event_id last,
		   uint32_t n_events, int64_t now_ms) must_check;

/* The oldest segment that can be sealed (journal/seal.h), or NULL.  Its sealed form is written to
 * SEALING_NAME in the journal's directory.
 */
#define SEALING_NAME "sealing"
struct segment *journal_next_to_seal(const struct journal *j);

/* Puts the sealed form of `old` in its place, and takes `fresh`.  -ENOENT when `old` is not in the
 * journal any more, or has changed, or another negative errno: then the file of `fresh` is removed.
 */
int journal_put_sealed(struct journal *j, const struct segment *old,
		       struct segment *fresh) must_check;

/* Keeps so much from now on; 0 for any age. */
void journal_keep(struct journal *j, int64_t max_bytes, int64_t max_age_ms);

/* To be called every few seconds: looks whether its files are still there, and sets a
 * little room aside, so that a disk that is full is no trouble then.
 */
void journal_tend(struct journal *j, int64_t now_ms);

/* Gives back what is set aside on the disk; `is_sparing`: and sets nothing more aside. */
void journal_spare(struct journal *j, bool is_sparing);

/* Drops the oldest segment: false when the one being written is all there is. */
bool journal_shrink(struct journal *j);

/* Puts a checkpoint that was written in place, when the disk has it and all before it;
 * may be called off the loop.  0 or a negative errno.
 */
int journal_place_checkpoint(const char *dir) must_check;
/* Notes that the checkpoint up to `upto` has been put in place. */
void journal_checkpoint_placed(struct journal *j, event_id upto);

/* Records in the witness how far the journal has come. */
void journal_vouch(struct journal *j, event_id last, uint64_t n_events);

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

/* What is dated later than now was written while the clock was wrong: its age counts
 * from now.
 */
void journal_correct_times(struct journal *j, int64_t now_ms);

/* Drops what is too old; returns how many segments went. */
int journal_expire(struct journal *j, int64_t now_ms);

/* Has everything reach the disk, the names of the files too; 0 or a negative errno. */
int journal_sync(struct journal *j) must_check;

/* The last id that retention has dropped, or 0: a reader before it has missed something. */
event_id journal_low_watermark(const struct journal *j);

/* A view of the journal as it is now, for another thread. */
struct journal_snapshot {
	struct journal_part *parts; /* oldest first */
	size_t n;
	event_id last;     /* of the newest batch in it */
	uint64_t n_events; /* ever written up to there */
	event_id low;      /* the low-watermark of the journal */
};

/* A segment, or what is to be read of it. */
struct journal_part {
	struct segment *segment; /* refs */
	uint64_t start, size;    /* offsets of the first batch, and behind the last */
	uint64_t ordinal;        /* events that were written before `start` */
	/* Where batches begin, some of them, ascending; owned, and only when the
	 * whole journal was asked for.
	 */
	struct journal_place {
		event_id first; /* of the batch there */
		uint64_t offset, ordinal;
	} * places;
	size_t n_places;
};

/* Everything after `after`, and somewhat before. */
void journal_snapshot(const struct journal *j, event_id after, struct journal_snapshot *ret);
/* Everything up to `upto`, with places for reading backwards. */
void journal_snapshot_back(const struct journal *j, event_id upto, struct journal_snapshot *ret);
void journal_snapshot_fini(struct journal_snapshot *s);

#endif

/* SPDX-License-Identifier: MIT
 *
 * segment - one append-only file of a journal, and the batches in it.
 *
 *	header  magic, version, crc, epoch, first id, floor, ordinal, created
 *	batch   magic, crc (of all that follows), length, number of events,
 *	        first id, last id, then records (wire/record.h)
 *	batch   ...
 *
 * Written with pwrite by the hub's loop, read with pread by the helper thread;
 * a reader never looks beyond the size that it was told.  A segment in memory
 * is the same thing in a memfd.
 */
#ifndef SLUICE_JOURNAL_SEGMENT_H
#define SLUICE_JOURNAL_SEGMENT_H

#include "base/buf.h"
#include "wire/id.h"

enum {
	SEGMENT_HEADER = 64,
	SEGMENT_VERSION = 1,
	BATCH_HEADER = 32,
	BATCH_MAX = 256 * 1024 * 1024, /* bytes of records; more is corruption */
};

struct segment_mark {
	event_id first; /* of the batch at `offset` */
	uint64_t offset;
	uint64_t ordinal; /* events of the channel before it */
};

struct segment {
	int refs;   /* the journal's and those of readers; loop thread only */
	int fd;     /* owned */
	char *path; /* owned; NULL: in memory */
	char epoch[EPOCH_MAX + 1];
	event_id first;   /* names the file; ids in it are not smaller */
	event_id last;    /* of the last batch; `floor` while there is none */
	event_id floor;   /* the last id of the channel before this segment */
	uint64_t ordinal; /* events of the channel before this segment */
	uint64_t n_events;
	uint64_t size;              /* bytes that are whole batches */
	int64_t written_ms;         /* wall clock of the last batch */
	struct segment_mark *marks; /* sparse index, ascending */
	size_t n_marks;
};

struct batch {
	event_id first, last;
	uint32_t n_events;
	uint64_t offset;    /* of its header in the file */
	struct str records; /* borrowed from the reader until its next call */
};

/* Creates a file in `dir`, or a memfd when `dir` is NULL, and writes its
 * header; `prealloc` bytes are set aside where the file system can.  0 or a
 * negative errno.
 */
int segment_create(const char *dir, const char *epoch, event_id first, event_id floor,
		   uint64_t ordinal, uint64_t prealloc, struct segment **ret) must_check;

/* A file of which `size` bytes are set aside, to become a segment later. */
int segment_set_aside(const char *path, uint64_t size) must_check;

/* Makes the segment of a file that was set aside, which keeps its name for now. */
int segment_create_at(const char *reserve, const char *dir, const char *epoch, event_id first,
		      event_id floor, uint64_t ordinal, struct segment **ret) must_check;

/* The same, and gives it its own name. */
int segment_create_from(const char *reserve, const char *dir, const char *epoch, event_id first,
			event_id floor, uint64_t ordinal, struct segment **ret) must_check;

/* Opens an existing file, to go on writing it or not, and reads its header only.  -EBADMSG: no
 * header; -EPROTO: written by a newer version.
 */
int segment_open(const char *path, bool writable, struct segment **ret) must_check;

struct segment *segment_ref(struct segment *s);
void segment_unref(struct segment *s);

/* Fills in the header, for which the first BATCH_HEADER bytes of `b` were left
 * free, and writes the batch with one pwrite.  On error the file is as before.
 */
int segment_append(struct segment *s, struct buf *b, event_id first, event_id last,
		   uint32_t n_events) must_check;

/* Enters a batch that is in the file into counts and index. */
void segment_note(struct segment *s, const struct batch *b);

/* Where to begin to read for everything after `after`. */
uint64_t segment_seek(const struct segment *s, event_id after);

/* ---- reading --------------------------------------------------------------- */

struct batch_reader {
	int fd;          /* borrowed */
	uint64_t offset; /* of the next batch */
	uint64_t limit;  /* bytes of the file that may be read */
	struct buf window;
	uint64_t window_at; /* file offset of window.data[0] */
};

void batch_reader_init(struct batch_reader *r, int fd, uint64_t offset, uint64_t limit);
void batch_reader_fini(struct batch_reader *r);

/* The next batch, its checksum verified: 1, 0 at the limit, -EBADMSG when what
 * stands there is none (r->offset stays), or another negative errno.
 */
int batch_next(struct batch_reader *r, struct batch *ret) must_check;

/* After -EBADMSG: moves to the next place where a whole batch stands.  1, or 0
 * when there is none before the limit.
 */
int batch_resync(struct batch_reader *r) must_check;

#endif

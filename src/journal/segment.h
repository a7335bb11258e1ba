/* SPDX-License-Identifier: MIT
 *
 * segment - one append-only file of a journal, and the batches in it.
 *
 *	header  magic, version, crc, epoch, first id, id before it, ordinal, created
 *	        and the same 64 bytes once more
 *	batch   magic, crc (of all that follows), length, number of events,
 *	        first id, last id, ordinal, then records (wire/record.h)
 *	batch   ...
 *
 * An ordinal is the number of events of the channel that were ever written before.
 * So whatever does not follow on what stands before it shows how many are missing.
 *
 * Version 1 had one header and no ordinals in its batches; it is still read.  Version 3 is
 * one that was sealed (journal/sealed.h): offsets in it are those of the file that it was, and
 * what reads it finds the same batches there.
 *
 * Written with pwrite by the hub's loop, read with pread by the helper thread;
 * a reader never looks beyond the size that it was told.  A segment in memory
 * is the same thing in a memfd.
 */
#ifndef SLUICE_JOURNAL_SEGMENT_H
#define SLUICE_JOURNAL_SEGMENT_H

#include "base/buf.h"
#include "journal/batch_layout.h"
#include "journal/sealed.h"
#include "wire/id.h"

enum {
	SEGMENT_HEADER = 128, /* where the first batch begins */
	SEGMENT_VERSION = 2,
	BATCH_MAX = 256 * 1024 * 1024, /* bytes of records; more is corruption */
};

#define ORDINAL_UNKNOWN UINT64_MAX

struct segment_mark {
	event_id first; /* of the batch at `offset` */
	uint64_t offset;
	uint64_t ordinal; /* events of the channel before it */
};

struct segment {
	int refs;              /* the journal's and those of readers; loop thread only */
	int fd;                /* owned */
	char *path;            /* owned; NULL: in memory */
	uint32_t version;      /* of its batches */
	struct sealed *sealed; /* owned; NULL: it is as it was written */
	bool stays;            /* sealing it has failed for good */
	char epoch[EPOCH_MAX + 1];
	event_id first;             /* names the file; ids in it are not smaller */
	event_id last;              /* of the last batch; `before` while there is none */
	event_id before;            /* the last id of the channel before this segment */
	uint64_t ordinal;           /* events of the channel before this segment */
	uint64_t n_events;          /* written to it, those that are damaged included */
	uint64_t size;              /* bytes that are whole batches, unpacked */
	uint64_t allocated;         /* bytes for which the disk has room set aside */
	int64_t begun_ms;           /* wall clock of its first event; 0: none yet */
	int64_t written_ms;         /* of the last batch */
	struct segment_mark *marks; /* sparse index, ascending */
	size_t n_marks;
};

struct batch {
	event_id first, last;
	uint32_t n_events;
	uint64_t ordinal;   /* events of the channel before it, or ORDINAL_UNKNOWN */
	uint64_t offset;    /* of its header in the file */
	struct str records; /* borrowed from the reader until its next call */
};

/* Creates a file in `dir`, or a memfd when `dir` is NULL, and writes its header.
 * `at`: the file's path while it is being written, for a rename later; NULL: its own.
 * 0 or a negative errno; -EEXIST when its own path is taken.
 */
int segment_create(const char *dir, const char *at, const char *epoch, event_id first,
		   event_id before, uint64_t ordinal, struct segment **ret) must_check;

/* Opens an existing file, to go on writing it or not, and reads its header only; one
 * that is damaged is read from its copy, and restored when `writable`.  -EBADMSG: no
 * header; -EPROTO: written by a newer version.
 */
int segment_open(const char *path, bool writable, struct segment **ret) must_check;

/* Writes both copies of a segment's header, with that version.  0 or a negative errno. */
int segment_write_header(const struct segment *s, int fd, uint32_t version) must_check;

/* Bytes that it takes on the disk. */
uint64_t segment_bytes(const struct segment *s) must_check;

/* Where the first batch begins. */
uint64_t segment_start(const struct segment *s) must_check;

/* Has the disk set room aside for `ahead` bytes behind the end.  0, or -ENOSPC; where a
 * file system cannot do that, it is done without.
 */
int segment_allocate(struct segment *s, uint64_t ahead) must_check;
void segment_give_back(struct segment *s);

/* Whether its file has been removed, or another one has its name. */
bool segment_is_removed(const struct segment *s) must_check;

struct segment *segment_ref(struct segment *s);
void segment_unref(struct segment *s);

/* Fills in the header, for which the first BATCH_HEADER bytes of `b` were left
 * free, and writes the batch with one pwrite.  `now_ms` is the wall clock.  On error
 * the file is as before.
 */
int segment_append(struct segment *s, struct buf *b, event_id first, event_id last,
		   uint32_t n_events, int64_t now_ms) must_check;

/* Enters a batch that is in the file into counts and index. */
void segment_note(struct segment *s, const struct batch *b);

/* Where to begin to read for everything after `after`; *ordinal gets the number of
 * events before that place.
 */
uint64_t segment_seek(const struct segment *s, event_id after, uint64_t *ordinal);

/* ---- reading --------------------------------------------------------------- */

struct batch_reader {
	int fd;                      /* borrowed */
	const struct sealed *sealed; /* borrowed; or NULL */
	struct unpacker unpacker;
	size_t header;   /* bytes of a batch's header */
	uint64_t offset; /* of the next batch */
	uint64_t limit;  /* bytes of the file that may be read */
	struct buf window;
	uint64_t window_at; /* file offset of window.data[0] */
	bool is_sound;      /* the checksums of the batches in it were computed, not read */
};

void batch_reader_init(struct batch_reader *r, const struct segment *s, uint64_t offset,
		       uint64_t limit);
/* The same for one that has been used: it keeps its memory. */
void batch_reader_again(struct batch_reader *r, const struct segment *s, uint64_t offset,
			uint64_t limit);
void batch_reader_fini(struct batch_reader *r);

/* The next batch, its checksum verified: 1, 0 at the limit, -EBADMSG when what
 * stands there is none (r->offset stays), or another negative errno.
 */
int batch_next(struct batch_reader *r, struct batch *ret) must_check;

/* The bytes from `begin` to `end` as they stand, borrowed until the next call; 0 or a negative
 * errno.
 */
int batch_reader_text(struct batch_reader *r, uint64_t begin, uint64_t end,
		      struct str *ret) must_check;

/* After -EBADMSG: moves to the next place where a whole batch stands.  1, or 0
 * when there is none before the limit.
 */
int batch_resync(struct batch_reader *r) must_check;

#endif

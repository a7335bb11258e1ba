/* SPDX-License-Identifier: MIT
 *
 * sealed - a segment that is not written to any more, compressed.
 *
 *	header     as in segment.h, with version 4
 *	block      header (magic, crc, sizes, crc of its text, flags, place), then one zstd frame,
 *	           mostly of the text with its numbers as differences (journal/delta.h) and taken
 *apart (journal/columns.h), then a Bloom filter of the grams of all messages and fields
 *	           (filter/grams.h)
 *	block      ...
 *	directory  the cursors, as entries of a checkpoint; then an entry for each block
 *	footer     magic, crc, where the directory is, what the segment holds
 *
 * A block's text is a run of batches, as they stood in the file before it was sealed; `place` is
 * its offset there.  So offsets in a segment keep their meaning.  Each block can be read alone, and
 * without the directory all of them are found by their headers.  doc/journal-format.md has it byte
 * by byte.
 */
#ifndef SLUICE_JOURNAL_SEALED_H
#define SLUICE_JOURNAL_SEALED_H

#include "base/buf.h"
#include "wire/record.h"

enum {
	SEALED_VERSION = 4,
	SEALED_VERSION_MIN = 3,    /* without counts, fields and columns */
	SEALED_BLOCK = 512 * 1024, /* bytes of text at which a block ends, with the batch at hand */
};

/* What a block holds, beside where it is. */
struct sealed_summary {
	event_id first, last;
	uint64_t ordinal; /* events of the channel before it */
	uint32_t n_events;
	uint32_t severities;    /* a set (record.h), and flags below */
	int64_t from_ns, to_ns; /* the times of its events lie between these; nobody asks yet */
	uint16_t counts[SEVERITIES]; /* of its events by severity; with SEALED_COUNTED */
};

enum {
	SEALED_GAP = 1 << 9,      /* one of the events says that something was lost */
	SEALED_HOLE = 1 << 10,    /* something is missing or damaged within the block */
	SEALED_COUNTED = 1 << 11, /* its ids ascend, and the counts are right */
	SEALED_FIELDS = 1 << 12   /* its filter has the fields, too */
};

struct sealed_block {
	uint64_t at;    /* of its frame in the file */
	uint64_t place; /* of its text */
	uint32_t size, text_size, crc, flags;
	uint32_t filter_size, filter_crc; /* of the Bloom filter behind the frame */
	struct sealed_summary holds;      /* all zero when the directory was lost */
};

/* Never changes once it is open, so that other threads may read it. */
struct sealed {
	struct sealed_block *blocks; /* owned; in the order of places, without holes */
	size_t n;
	uint64_t file_size, text_end; /* bytes; the place behind the last block */
	uint64_t n_events;
	event_id last;
	int64_t begun_ms;
	uint64_t cursors_at;
	uint32_t cursors_size;
	bool is_rebuilt; /* its directory was damaged: only blocks and places are known */
};

/* Of a file with that header, whose text begins at `start`.  0 or a negative errno. */
int sealed_open(int fd, uint64_t start, struct sealed **ret) must_check;
void sealed_free(struct sealed *s);

/* Whether block `i` holds whole batches only, and no damage. */
bool sealed_is_sound(const struct sealed *s, size_t i) must_check;

/* The block whose text `place` is in; s->n when it is behind all of them. */
size_t sealed_find(const struct sealed *s, uint64_t place) must_check;

/* What a reader needs to unpack; all zero at the beginning. */
struct unpacker {
	struct ZSTD_DCtx_s *context;
	struct buf packed, columns;
};

void unpacker_fini(struct unpacker *u);

/* Appends the text of block `i`: 0, -EBADMSG when it is damaged, or another negative errno. */
int sealed_read(const struct sealed *s, int fd, size_t i, struct unpacker *u,
		struct buf *text) must_check;

/* Replaces *bloom with the filter of block `i`; errors as above. */
int sealed_read_filter(const struct sealed *s, int fd, size_t i, struct buf *bloom) must_check;

/* Appends the cursors; errors as above. */
int sealed_read_cursors(const struct sealed *s, int fd, struct buf *entries) must_check;

/* ---- writing --------------------------------------------------------------------------- */

struct sealed_writer {
	int fd;          /* borrowed; its header is written */
	uint64_t offset; /* where the next block goes */
	struct buf directory, packed, text, columns;
	struct ZSTD_CCtx_s *context;
	struct unpacker unpacker;
	uint64_t most; /* bytes that the file may get; a block beyond is -E2BIG */
	uint32_t n_blocks;
};

void sealed_writer_init(struct sealed_writer *w, int fd, uint64_t offset, uint64_t most);
void sealed_writer_fini(struct sealed_writer *w);
int sealed_put_block(struct sealed_writer *w, uint64_t place, struct str text, struct str bloom,
		     const struct sealed_summary *holds) must_check;
/* Writes the directory and the footer; `whole` has the totals of the segment. */
int sealed_finish(struct sealed_writer *w, struct str cursors,
		  const struct sealed *whole) must_check;

#endif

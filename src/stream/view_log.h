/* SPDX-License-Identifier: MIT
 *
 * view_log - the bytes that all streams of a view get, in groups.
 *
 *	bytes   | got by all ready streams | not yet flushed |
 *	groups  |  0  |  1  |  2  |  3  |  4  |  5 (open)     |
 *
 * A group is whole events and whole records, so a stream may stop behind any of them and
 * go on from the journal.  Each is rendered with its FastCGI record headers in place, and
 * compressed where the clients take that.  A position is the number of a group; positions
 * only grow.  Knows nothing of who reads it.
 */
#ifndef SLUICE_STREAM_VIEW_LOG_H
#define SLUICE_STREAM_VIEW_LOG_H

#include "wire/format.h"
#include "wire/gzip.h"
#include "wire/handoff.h"

enum { VIEW_GROUP = 16 * 1024 };

struct view_group {
	size_t at;     /* in the bytes */
	event_id last; /* in it, or before it */
};

struct view_log {
	enum format format;
	enum handoff_framing framing;
	struct str epoch;  /* borrowed */
	struct gzip *gzip; /* owned; NULL: as it is */
	struct buf bytes;
	struct buf plain; /* with gzip: the open group, until it is compressed */
	struct view_group *groups;
	size_t n_groups, room;
	uint64_t first_group; /* the position of groups[0] */
	bool is_open;         /* the last group takes further events */
	bool is_empty;        /* and has none yet */
	bool is_raw;          /* it is no event, but a heartbeat */
	bool joins;           /* somebody begins with the next group: it looks back on nothing */
	event_id last;        /* of the newest event in it, or before it; 0 at first */
	int64_t packing_ns;   /* spent on compressing since somebody charged it */
};

/* Borrows `epoch`. */
void view_log_init(struct view_log *l, enum format format, enum handoff_framing framing, bool gzips,
		   struct str epoch);
void view_log_fini(struct view_log *l);

void view_log_put_event(struct view_log *l, const char *channel, const struct event *ev);

/* Events that a reader has matched and rendered: whole groups up to `last`. */
void view_log_put_rendered(struct view_log *l, struct str bytes, event_id last);

/* A sign of life for all. */
void view_log_put_heartbeat(struct view_log *l, event_id newest, enum sse_heartbeat how);

/* Closes the open group and returns the position behind it: the next event
 * will stand there.
 */
uint64_t view_log_end(struct view_log *l);

/* The same, for a stream that begins there: compressed data restarts at that position. */
uint64_t view_log_join(struct view_log *l);

/* The bytes from `pos` to the end, or of one group alone: 0, or -ESTALE when it
 * has left the window.  Valid until the next event, or until it is emptied.
 */
int view_log_read(struct view_log *l, uint64_t pos, bool one_group, struct str *ret) must_check;

/* For a stream that stopped `n` bytes behind `pos`: moves *pos to the next
 * group boundary, gives the bytes up to it and the last id before it (*last
 * stays when that is before the log).
 */
struct str view_log_cut(const struct view_log *l, uint64_t *pos, size_t n, event_id *last);

/* Everybody has it all. */
void view_log_empty(struct view_log *l);

/* Drops from the beginning until at most half of `window` bytes are left. */
void view_log_halve(struct view_log *l, size_t window);

#endif

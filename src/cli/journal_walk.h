/* SPDX-License-Identifier: MIT
 *
 * journal_walk - the events of one channel's journal, one after another, and what is wrong with it.
 *
 * Only reads, and may do so while a hub writes: what stands unfinished at the very end of the
 * newest segment is then no damage.
 */
#ifndef SLUICE_CLI_JOURNAL_WALK_H
#define SLUICE_CLI_JOURNAL_WALK_H

#include "journal/journal.h"

/* What is printed of damage and of missing events. */
enum walk_telling {
	TELLS_NOTHING,
	TELLS_FAILURES, /* only files that cannot be read */
	TELLS_ALL,      /* to standard output */
	TELLS_ASIDE     /* the same to standard error: standard output is for events */
};

/* What was found of a channel. */
struct walk_found {
	uint64_t n_segments, n_compressed, n_events, n_cursors;
	uint64_t damaged, unfinished; /* bytes */
	uint64_t unread;              /* segments */
	uint64_t bytes, whole;        /* on the disk, and before they were compressed */
	uint64_t n_missing;           /* events that are gone */
	event_id first, last;
	char epoch[EPOCH_MAX + 1];
};

struct walk {
	/* what is asked */
	const char *channel;  /* borrowed */
	event_id after, upto; /* exclusive, inclusive */
	enum walk_telling telling;

	/* what came of it */
	struct event event; /* that at hand; borrowed until the next one */
	struct walk_found found;
	bool failed; /* something is damaged, missing, or could not be read */

	char *dir;               /* owned */
	char **paths;            /* of its segments; owned */
	size_t n, i;             /* of these, and of them the next to be opened */
	struct segment *segment; /* being read, or NULL */
	struct batch_reader reader;
	struct str records; /* of the batch at hand */
	uint64_t next;      /* ordinal of the event that should follow */
	bool knows_next;
	bool is_beyond;  /* what follows is newer than the range */
	bool is_known;   /* n_events: */
	uint64_t n_ever; /* how many were ever written, as the witness has it */
};

/* `w` has what is asked, all else is zero.  `before` is the witness as it was before anything was
 * read, or NULL.  False when there is no such journal.
 */
bool walk_begin(struct walk *w, const char *state_dir, struct witness *before) must_check;
/* The next event of the range, oldest first. */
bool walk_next(struct walk *w) must_check;
void walk_end(struct walk *w);

/* The witness as it is now; NULL if there is none. */
struct witness *walk_witness(const char *state_dir) must_check;

#endif

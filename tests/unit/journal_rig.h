/* SPDX-License-Identifier: MIT
 *
 * journal_rig - a journal in a directory of its own under /tmp, for the tests that need one.
 */
#ifndef SLUICE_TESTS_JOURNAL_RIG_H
#define SLUICE_TESTS_JOURNAL_RIG_H

#include "journal/journal.h"

/* The directory of the test at hand. */
extern char dir[64];
void make_dir(void);
void remove_dir(void);

/* The cursors that recovery has found. */
struct seen {
	int n_cursors;
	char last[64];
};

/* Of a journal of 1 MiB in `dir`, which reports its cursors to `s`. */
struct journal_config config(struct seen *s);
void open_journal(struct journal *j, struct seen *s);

/* Appends event number `n`: its message is the number, then `pad` letters.  Its batch also sets a
 * cursor to the number.
 */
void append_of(struct journal *j, int n, size_t pad, const char *type);
/* The same, of type "line". */
void append(struct journal *j, int n, size_t pad);

/* Appends to `out`, as Server-Sent Events, what a replay of everything after `after` delivers; with
 * `tail`, the last `tail` events instead.
 */
void replay_all(struct journal *j, event_id after, event_id gap_to, uint64_t tail, struct buf *out);

/* How often `what` occurs in `b`. */
int count(struct buf *b, const char *what);

/* The path of the journal's only segment; owned by the caller. */
char *only_segment(void);

/* For journal_config.checkpoint: a cursor "old" with the value "still here". */
void put_checkpoint(void *ctx, struct buf *entries);

#endif

/* SPDX-License-Identifier: MIT
 *
 * What the files of the journal have in common.
 */
#ifndef SLUICE_JOURNAL_JOURNAL_INTERNAL_H
#define SLUICE_JOURNAL_JOURNAL_INTERNAL_H

#include "journal/journal.h"

/* Takes the segment as its newest. */
void journal_add_segment(struct journal *j, struct segment *s);
/* Its file stays, as long as somebody else has not removed it. */
void journal_forget_segment(struct journal *j, size_t i);

/* Reads all segments and the checkpoint of config.dir.  Errors as journal_open(). */
int journal_recover(struct journal *j, char **why) must_check;

#endif

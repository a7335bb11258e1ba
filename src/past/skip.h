/* SPDX-License-Identifier: MIT
 *
 * skip - which blocks of sealed segments need not be read.
 */
#ifndef SLUICE_PAST_SKIP_H
#define SLUICE_PAST_SKIP_H

#include "filter/scan.h"
#include "journal/segment.h"

/* The block of `s` that begins at `offset` and ends at or before `limit`, if its directory entry
 * says all that is to know of it: there is one, and nothing is missing in the block, nor does an
 * event in it say that something was lost.  Or NULL.
 */
const struct sealed_block *skip_whole_block(const struct segment *s, uint64_t offset,
					    uint64_t limit) must_check;

/* Whether none of its events can match; *bloom is scratch. */
bool skip_rules_out(const struct filter_scan *scan, const struct segment *s,
		    const struct sealed_block *b, struct buf *bloom) must_check;

#endif

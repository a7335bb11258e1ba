/* SPDX-License-Identifier: MIT
 *
 * skip - which blocks of sealed segments need not be read for a search.
 */
#ifndef SLUICE_PAST_SKIP_H
#define SLUICE_PAST_SKIP_H

#include "filter/scan.h"
#include "journal/segment.h"

/* The block of `s` that begins at `offset` and ends at or before `limit`, if none of its events can
 * match, nor says that something was lost; or NULL.  `scan` may be NULL; *bloom is scratch.
 */
const struct sealed_block *skip_block(const struct filter_scan *scan, const struct segment *s,
				      uint64_t offset, uint64_t limit, struct buf *bloom);

#endif

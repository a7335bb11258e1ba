/* SPDX-License-Identifier: MIT
 *
 * seal - compresses a segment that is not written to any more.
 */
#ifndef SLUICE_JOURNAL_SEAL_H
#define SLUICE_JOURNAL_SEAL_H

#include <stdatomic.h>

#include "journal/segment.h"

/* Bytes that the sealed form may take: what does not shrink by a fifth stays as it is. */
static inline uint64_t seal_most(const struct segment *s)
{
	return s->size / 5 * 4;
}

/* Writes the sealed form of `s` to a new file at `path`, has the disk sync it, and opens it; what
 * is damaged in it is kept as it is.  May run beside the loop, for a segment that is not being
 * written.  0; -ECANCELED; -E2BIG (seal_most()); -EBADMSG when `s` is sealed already and not all of
 * it can be read; or another negative errno.  On error there is no such file.
 */
int segment_seal(const struct segment *s, const char *path, const atomic_bool *is_cancelled,
		 struct segment **ret) must_check;

#endif

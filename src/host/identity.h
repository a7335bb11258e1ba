/* SPDX-License-Identifier: MIT
 *
 * identity - the user that a source process becomes.
 *
 * Under root a source that names no user gets one of its own, derived from its name: it owns
 * no file and no other process, and of root's rights keeps at most reading.
 */
#ifndef SLUICE_HOST_IDENTITY_H
#define SLUICE_HOST_IDENTITY_H

#include <stdbool.h>

#include "base/buf.h"
#include "conf/settings.h"

/* Whether an option with this flag (SLUICE_READ, SLUICE_WRITE) has a value. */
bool identity_names_paths(const struct source_settings *src, uint32_t flag);

/* Why a source that names no user stays root where sluice is root: a clause, or NULL when
 * it gets a user of its own.
 */
const char *identity_stays(const struct source_settings *src);

/* Becomes the source's user with its groups.  *borrows: files may be read as before until
 * identity_give_back().  `has` and `lacks` as in confine.h.  0, or -EINVAL with *why owned.
 */
int identity_take(const struct source_settings *src, bool *borrows, struct buf *has,
		  struct buf *lacks, char **why) must_check;

/* The shared object is loaded: reading is left to a source with a user of its own whose
 * options name paths.
 */
void identity_give_back(const struct source_settings *src);

#endif

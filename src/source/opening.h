/* SPDX-License-Identifier: MIT
 *
 * opening - the first frame to a source process: what it is to be.
 */
#ifndef SLUICE_SOURCE_OPENING_H
#define SLUICE_SOURCE_OPENING_H

#include "conf/option.h"
#include "wire/frame.h"

enum opening_mode { OPENING_DESCRIBE = 1, OPENING_CHECK = 2, OPENING_RUN = 3 };

enum { SOURCE_FD = 3, OPENING_MAX = 64 * 1024 * 1024 };

struct opening {
	enum opening_mode mode;
	uint32_t event_size; /* bytes of a message beyond which the hub cuts */
	char *name;          /* of the instance; owned after opening_get() */
	char *path;          /* of the plugin */
	struct option_values options;
	struct str cursors; /* records */
};

/* Appends the whole frame. */
void opening_put(struct buf *out, const struct opening *o);

/* From a frame's body; borrows cursors.  0 or -EBADMSG; opening_fini() in both
 * cases.
 */
int opening_get(struct str body, struct opening *ret) must_check;
void opening_fini(struct opening *o);

#endif

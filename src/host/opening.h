/* SPDX-License-Identifier: MIT
 *
 * opening - the first frame to a source process: what it is to be.
 */
#ifndef SLUICE_HOST_OPENING_H
#define SLUICE_HOST_OPENING_H

#include "conf/settings.h"
#include "wire/frame.h"

enum opening_mode {
	OPENING_DESCRIBE = 1, /* print the plugin's tables */
	OPENING_CHECK = 2,    /* call open() and close() */
	OPENING_RUN = 3
};

/* A source process's descriptors: the connection, what the hub grants it. */
enum { SOURCE_FD = 3, GRANT_FD = 4, OPENING_MAX = 64 * 1024 * 1024 };

struct opening {
	enum opening_mode mode;
	uint32_t event_size; /* bytes of a message beyond which the hub cuts */
	struct source_settings source;
	struct str cursors; /* records; borrowed */
};

/* Appends the whole frame. */
void opening_put(struct buf *out, enum opening_mode mode, uint32_t event_size,
		 const struct source_settings *source, struct str cursors);

/* From a frame's body; borrows cursors.  0 or -EBADMSG; opening_fini() in both
 * cases.
 */
int opening_get(struct str body, struct opening *ret) must_check;
void opening_fini(struct opening *o);

#endif

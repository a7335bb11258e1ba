/* SPDX-License-Identifier: MIT
 *
 * history - one page of the past, read by a helper thread and answered on the
 * request's own descriptor.
 *
 * Backwards from `before` (or the newest), or forwards from `after`; what was not
 * looked at for want of time is named by a cursor, so that the next request goes
 * on there.
 */
#ifndef SLUICE_STREAM_HISTORY_H
#define SLUICE_STREAM_HISTORY_H

#include "channel/registry.h"
#include "past/readers.h"
#include "stream/admission.h"

enum { PAGES_MAX = 32 }; /* at once */

struct quota;
struct quota_entry;

/* All pages of a hub, and what they share. */
struct pages {
	struct registry *registry;
	const struct readers *readers;
	struct quota *addresses; /* owned */
	struct list all;         /* of struct page, being read or sent */
	size_t n_open;
	size_t n_admitted; /* beside them, those that are about to be opened */
	uint64_t n_ever;
};

/* Borrows both. */
void pages_init(struct pages *all, struct registry *r, const struct readers *readers);
/* Once all have ended, and their memory is gone. */
void pages_fini(struct pages *all);

/* Whether there is no room for one more of this client, with those that are about to be
 * opened.
 */
bool pages_are_full(const struct pages *all, const char *address) must_check;

/* Takes `fd`, to which nothing is written yet, what `a` holds, and the response's `headers`, to
 * which it adds its length.
 */
void history_open(struct pages *all, int fd, const struct handoff_request *r, struct admission *a,
		  struct buf *headers);

/* Loop time at which a client last took something of a page; now while one is read. */
int64_t pages_moved_ns(const struct pages *all) must_check;

/* Ends all; for the end of the hub. */
void pages_end_all(struct pages *all);

#endif

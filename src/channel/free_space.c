/* SPDX-License-Identifier: MIT */
#include "channel/free_space.h"

#include <sys/statvfs.h>

#include "base/log.h"
#include "channel/channel.h"

/* The journal that has the most to give. */
static struct channel *largest(const struct registry *r)
{
	struct channel *best = NULL;
	for (size_t i = 0; i < r->n_channels; i++) {
		struct channel *c = r->channels[i];
		if (c->journal.config.dir && c->journal.n > 1 &&
		    (!best || c->journal.bytes > best->journal.bytes))
			best = c;
	}
	return best;
}

/* Drops the oldest history until hub.free_space is free.  If there is nothing left to drop, this
 * is logged once.
 */
void free_space_keep(struct free_space *f, const struct registry *r, uint64_t taken)
{
	struct statvfs fs;
	if (statvfs(r->settings->hub.state_dir, &fs) < 0)
		return;
	uint64_t free_now = (uint64_t)fs.f_bavail * fs.f_frsize;
	uint64_t want = MIN((uint64_t)r->settings->hub.free_space,
			    (uint64_t)fs.f_blocks * fs.f_frsize / 20);
	/* Counted here, because a dropped file that is still open does not free its space yet. */
	uint64_t given = taken;
	bool is_short = free_now + taken < want;
	if (is_short != f->is_short)
		for (size_t i = 0; i < r->n_channels; i++)
			journal_spare(&r->channels[i]->journal, is_short);
	if (is_short && statvfs(r->settings->hub.state_dir, &fs) == 0)
		free_now = (uint64_t)fs.f_bavail * fs.f_frsize;
	while (free_now + given < want) {
		struct channel *c = largest(r);
		if (!c) {
			if (!f->is_short)
				log_warning("%s: %llu MiB are free, less than hub.free_space, and "
					    "no history is left to give way (free space there)",
					    r->settings->hub.state_dir,
					    (unsigned long long)(free_now >> 20));
			break;
		}
		uint64_t before = c->journal.bytes;
		if (!journal_shrink(&c->journal))
			break;
		given += before - c->journal.bytes;
		f->n_given_way++;
	}
	f->is_short = is_short;
}

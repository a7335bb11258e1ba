/* SPDX-License-Identifier: MIT
 *
 * What a view's streams see, from the journal.
 */
#include "past/replay.h"
#include "stream/view.h"

enum { PAGE_EVENTS = 1000, PAGE_BYTES = 256 * 1024 };

struct replay *view_replay(const struct view *v, event_id after, event_id upto, uint64_t tail)
{
	const struct subscription *sub = &v->sub;
	struct replay *r = replay_new(sub->n_channels);
	r->epoch = registry_epoch(v->all->registry);
	r->format = sub->format;
	r->gzips = sub->gzips;
	r->after = after;
	r->upto = upto;
	r->tail = tail;
	r->group = sub->format == FORMAT_PAGE ? 0 : VIEW_GROUP;
	r->limit = sub->format == FORMAT_PAGE ? PAGE_EVENTS : 0;
	r->budget = PAGE_BYTES;
	for (size_t i = 0; i < sub->n_channels; i++) {
		const struct journal *j = &sub->channels[i].channel->journal;
		struct past_channel *c = &r->channels[i];
		c->name = str_of(sub->channels[i].channel->settings.name);
		c->filter = filter_ref(sub->channels[i].filter);
		if (tail)
			journal_snapshot_back(j, upto, &c->snapshot);
		else
			journal_snapshot(j, after, &c->snapshot);
		c->snapshot.last = MIN(c->snapshot.last, upto);
	}
	if (tail)
		tail_search_init(&r->search, r->channels, r->n_channels, upto, tail);
	r->search.is_cancelled = &r->is_cancelled;
	return r;
}

/* SPDX-License-Identifier: MIT */
#include "stream/past_range.h"

#include <stdlib.h>

#include "base/mem.h"
#include "channel/channel.h"

event_id past_range_upto(const struct registry *r, const struct subscription *s)
{
	event_id upto = r->newest_id;
	for (size_t i = 0; i < s->n_channels; i++) {
		event_id waiting = s->channels[i].channel->unpublished;
		if (waiting && waiting <= upto)
			upto = waiting - 1;
	}
	if (s->before)
		upto = MIN(upto, s->before - 1);
	if (s->until)
		upto = MIN(upto, s->until);
	return upto;
}

event_id past_range_after(const struct subscription *s)
{
	return s->start == START_AFTER ? s->after : 0;
}

struct past_channel *past_range_channels(const struct subscription *s, event_id upto,
					 bool tells_expired)
{
	event_id after = past_range_after(s);
	struct past_channel *all = mem_zero((s->n_channels + 1) * sizeof(all[0]));
	for (size_t i = 0; i < s->n_channels; i++) {
		const struct channel *c = s->channels[i].channel;
		event_id low = journal_low_watermark(&c->journal);
		all[i].name = str_of(c->settings.name);
		all[i].filter = s->channels[i].filter;
		all[i].bounds = s->channels[i].bounds;
		journal_snapshot_back(&c->journal, upto, &all[i].snapshot);
		if (tells_expired && s->has_after && low > after && low <= upto)
			all[i].gap_to = low;
	}
	return all;
}

struct filter_scan *past_range_scan(struct past_channel *channels, size_t n)
{
	struct filter_scan *scans = mem_zero((n + 1) * sizeof(scans[0]));
	for (size_t i = 0; i < n; i++) {
		filter_scan_init(&scans[i], channels[i].filter, channels[i].name);
		channels[i].scan = &scans[i];
	}
	return scans;
}

void past_range_free(struct past_channel *channels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		journal_snapshot_fini(&channels[i].snapshot);
	free(channels);
}

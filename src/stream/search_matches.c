/* SPDX-License-Identifier: MIT
 *
 * A search for the events that match, which are sent as they are found.
 */
#include "stream/past_range.h"
#include "stream/search_internal.h"

enum { ENOUGH = 256 * 1024 }; /* bytes of output before they are sent */

static void begin(struct search *s)
{
	const struct subscription *sub = &s->sub;
	if (!sub->lines_before && !sub->lines_after)
		s->scans = past_range_scan(s->channels, sub->n_channels);
	s->of.matches = (struct searcher){
		.epoch = registry_epoch(s->all->registry),
		.channels = s->channels,
		.n_channels = sub->n_channels,
		.format = sub->format,
		.is_oldest_first = sub->is_oldest_first,
		.after = past_range_after(sub),
		.upto = past_range_upto(s->all->registry, sub),
		.limit = sub->limit,
		.lines_before = sub->lines_before,
		.lines_after = sub->lines_after,
		.is_cancelled = &s->is_cancelled,
	};
}

static bool run(struct search *s, struct filter_run *run, int64_t deadline_ns)
{
	s->of.matches.run = run;
	return searcher_run(&s->of.matches, deadline_ns, ENOUGH);
}

static struct progress progress_of(const struct search *s)
{
	const struct searcher *r = &s->of.matches;
	return (struct progress){.read = r->read,
				 .total = r->total,
				 .skipped = r->skipped,
				 .n_matches = r->n_matches,
				 .reached = r->reached,
				 .is_complete = r->is_complete,
				 .slow = r->slow};
}

static void send(struct search *s)
{
	struct buf *out = &s->of.matches.out;
	if (out->len)
		outlet_put(&s->outlet, buf_str(out));
	out->len = 0;
}

static void put_next(const struct search *s, struct json *j)
{
	const struct searcher *r = &s->of.matches;
	search_put_cursor(s, j, "next", r->is_complete ? 0 : r->next);
}

static void fini(struct search *s)
{
	searcher_fini(&s->of.matches);
}

const struct search_kind search_for_matches = {.begin = begin,
					       .run = run,
					       .progress_of = progress_of,
					       .send = send,
					       .put_next = put_next,
					       .fini = fini};

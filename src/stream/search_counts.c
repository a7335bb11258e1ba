/* SPDX-License-Identifier: MIT
 *
 * A search that counts what matches, by time and severity: a histogram, sent again and again while
 * it becomes complete.
 */
#include "base/clock.h"
#include "channel/channel.h"
#include "stream/past_range.h"
#include "stream/search_internal.h"

/* When the oldest event that is left was written; `none` if there is no event. */
static uint64_t oldest_ms(const struct search *s, uint64_t none)
{
	uint64_t oldest = none;
	for (size_t i = 0; i < s->sub.n_channels; i++) {
		const struct journal_snapshot *snap = &s->channels[i].snapshot;
		for (size_t k = 0; k < snap->n; k++) {
			const struct journal_part *p = &snap->parts[k];
			if (!p->n_places)
				continue;
			oldest = MIN(oldest, id_ms(p->places[0].first));
			break;
		}
	}
	return oldest;
}

/* From the beginning of the range, or the oldest event, to its end, or now. */
static void set_buckets(const struct search *s, struct counter *c)
{
	const struct subscription *sub = &s->sub;
	uint64_t now_ms = MAX((uint64_t)(clock_wall_ns() / NS_PER_MS), id_ms(c->upto)) + 1;
	uint64_t until_ms = sub->until ? id_ms(sub->until) + 1 : now_ms;
	if (sub->before && (!sub->until || sub->before <= sub->until))
		until_ms = id_ms(sub->before - 1) + 1;
	c->since_ms = c->after ? id_ms(c->after + 1) : oldest_ms(s, until_ms - 1);
	if (c->since_ms >= until_ms)
		until_ms = c->since_ms + 1;
	uint64_t ms = until_ms - c->since_ms;
	c->width_ms = (ms + sub->n_buckets - 1) / sub->n_buckets;
	c->n_buckets = (size_t)((ms + c->width_ms - 1) / c->width_ms);
}

static void begin(struct search *s)
{
	const struct subscription *sub = &s->sub;
	struct counter *c = &s->of.counts;
	s->scans = past_range_scan(s->channels, sub->n_channels);
	*c = (struct counter){
		.channels = s->channels,
		.scans = s->scans,
		.n_channels = sub->n_channels,
		.after = past_range_after(sub),
		.upto = past_range_upto(s->all->registry, sub),
		.is_cancelled = &s->is_cancelled,
	};
	set_buckets(s, c);
	counter_init(c);
}

static bool run(struct search *s, struct filter_run *run, int64_t deadline_ns)
{
	s->of.counts.run = run;
	return counter_run(&s->of.counts, deadline_ns);
}

static struct progress progress_of(const struct search *s)
{
	const struct counter *c = &s->of.counts;
	return search_progress(&c->backwards, c->n_matches, c->is_complete, c->slow);
}

static void put_row(const struct counter *c, struct json *j, const char *name, unsigned from,
		    unsigned to)
{
	json_open(j, name, '[');
	for (size_t i = 0; i < c->n_buckets; i++) {
		uint64_t n = 0;
		for (unsigned k = from; k < to; k++)
			n += c->counts[i * SEVERITIES + k];
		json_int(j, NULL, (int64_t)n);
	}
	json_close(j, ']');
}

static bool has_some(const struct counter *c, unsigned severity)
{
	for (size_t i = 0; i < c->n_buckets; i++)
		if (c->counts[i * SEVERITIES + severity])
			return true;
	return false;
}

static void put(const struct search *s, struct json *j)
{
	const struct counter *c = &s->of.counts;
	search_put_time(j, "since", id_make(c->since_ms, 0));
	search_put_time(j, "until", id_make(c->since_ms + c->width_ms * c->n_buckets, 0));
	json_int(j, "width_ms", (int64_t)c->width_ms);
	put_row(c, j, "counts", 0, SEVERITIES);
	json_open(j, "severities", '{');
	for (unsigned i = 0; i < SEVERITIES; i++)
		if (has_some(c, i))
			put_row(c, j, i < SEVERITIES - 1 ? severity_name((uint8_t)i) : "none", i,
				i + 1);
	json_close(j, '}');
	search_put_missing(s, j, &c->missing);
}

static void fini(struct search *s)
{
	counter_fini(&s->of.counts);
}

const struct search_kind search_for_counts = {
	.begin = begin, .run = run, .progress_of = progress_of, .put = put, .fini = fini};

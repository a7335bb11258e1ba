/* SPDX-License-Identifier: MIT
 *
 * A search for the values that the newest matches have: the most frequent of each field, sent again
 * and again while they are counted.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "channel/registry.h"
#include "stream/past_range.h"
#include "stream/search_internal.h"

/* What was asked for (subscription.fields); without that, all that occur. */
static void ask(const struct search *s, struct facets *f)
{
	static const char *const own[] = {"severity", "type", "source", "channel"};
	const struct buf *names = &s->sub.fields;
	bool ignored = true;
	f->takes_all = !names->len;
	for (size_t i = 0; f->takes_all && i < array_size(own); i++)
		ignored &= facets_ask(f, str_of(own[i]));
	for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1)
		ignored &= facets_ask(f, str_of(names->data + at));
	(void)ignored; /* the request names at most as many as there may be */
}

static void begin(struct search *s)
{
	struct facets *f = &s->of.facets;
	s->scans = past_range_scan(s->channels, s->sub.n_channels);
	*f = (struct facets){
		.channels = s->channels,
		.n_channels = s->sub.n_channels,
		.after = past_range_after(&s->sub),
		.upto = past_range_upto(s->all->registry, &s->sub),
		.limit = s->sub.limit,
		.is_cancelled = &s->is_cancelled,
	};
	facets_init(f);
	ask(s, f);
}

static bool run(struct search *s, struct filter_run *run, int64_t deadline_ns)
{
	s->of.facets.run = run;
	return facets_run(&s->of.facets, deadline_ns);
}

static struct progress progress_of(const struct search *s)
{
	const struct facets *f = &s->of.facets;
	return search_progress(&f->backwards, f->n_matches, f->is_complete, f->slow);
}

static void put_facet(const struct facet *f, struct json *j, size_t n_top)
{
	struct facet_value **top = mem_zero((n_top + 1) * sizeof(top[0]));
	size_t n = facet_top(f, top, n_top);
	uint64_t others = f->n_events;
	json_open(j, NULL, '{');
	json_cstr(j, "name", f->name);
	json_int(j, "events", (int64_t)f->n_events);
	json_open(j, "values", '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, NULL, '{');
		json_raw(j, "value", (struct str){top[i]->text, top[i]->len});
		json_int(j, "count", (int64_t)top[i]->count);
		json_close(j, '}');
		others -= top[i]->count;
	}
	json_close(j, ']');
	json_int(j, "others", (int64_t)others);
	/* A value among these may be more frequent than one above. */
	if (f->n_others)
		json_int(j, "uncounted", (int64_t)f->n_others);
	json_close(j, '}');
	free(top);
}

static void put(const struct search *s, struct json *j)
{
	const struct facets *f = &s->of.facets;
	json_open(j, "facets", '[');
	for (size_t i = 0; i < f->n; i++)
		if (!f->takes_all || f->all[i].n_events)
			put_facet(&f->all[i], j, (size_t)s->sub.n_top);
	json_close(j, ']');
	if (f->n_unnamed)
		json_int(j, "unnamed", (int64_t)f->n_unnamed);
	search_put_missing(s, j, &f->missing);
}

static void fini(struct search *s)
{
	facets_fini(&s->of.facets);
}

const struct search_kind search_for_facets = {
	.begin = begin, .run = run, .progress_of = progress_of, .put = put, .fini = fini};

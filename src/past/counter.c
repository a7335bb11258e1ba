/* SPDX-License-Identifier: MIT */
#include "past/counter.h"

#include <stdlib.h>

#include "base/mem.h"

/* The bucket of an event, or that at the edge next to it: the clock may have gone back, but ids do
 * not.
 */
static size_t bucket_of(const struct counter *c, event_id id)
{
	uint64_t ms = id_ms(id);
	if (ms < c->since_ms)
		return 0;
	return (size_t)MIN((ms - c->since_ms) / c->width_ms, c->n_buckets - 1);
}

static void count(struct counter *c, size_t bucket, unsigned severity, uint64_t n)
{
	c->counts[bucket * SEVERITIES + severity] += n;
	c->n_matches += n;
}

/* One whose events all fall into one bucket, and whose severities decide whether they match. */
static bool take_block(void *ctx, const struct past_channel *p, const struct sealed_summary *b)
{
	struct counter *c = ctx;
	const struct filter_scan *scan = p->scan;
	uint32_t severities = b->severities & SEVERITIES_ALL;
	size_t bucket = bucket_of(c, b->first);
	if (!(b->severities & SEALED_COUNTED) || severities & ~(scan->always | scan->never) ||
	    b->first <= c->after || b->last > c->upto || bucket != bucket_of(c, b->last))
		return false;
	for (unsigned i = 0; i < SEVERITIES; i++) {
		uint64_t n = scan->always & 1u << i ? b->counts[i] : 0;
		count(c, bucket, i, n);
		c->n_indexed += n;
	}
	return true;
}

/* Of an event nothing is kept: it is counted here. */
static int wants(void *ctx, const struct past *p)
{
	struct counter *c = ctx;
	if (p->gap_reason)
		return 1;
	if (p->is_milestone)
		return 0;
	int is = past_matches(p, c->run);
	if (is == 1)
		count(c, bucket_of(c, p->id), severity_place(p->event.severity), 1);
	return is < 0 ? is : 0;
}

static void put_gap(void *ctx maybe_unused, const struct past *p, int wanted maybe_unused,
		    struct buf *out)
{
	missing_put(p, out);
}

static bool take_gap(void *ctx, event_id id maybe_unused, struct str text)
{
	struct counter *c = ctx;
	missing_take(&c->missing, text);
	return true;
}

void counter_init(struct counter *c)
{
	c->counts = mem_zero(c->n_buckets * SEVERITIES * sizeof(c->counts[0]));
	c->of = mem_zero((c->n_channels + 1) * sizeof(c->of[0]));
	c->blocks = (struct past_blocks){c, take_block};
	for (size_t i = 0; i < c->n_channels; i++) {
		c->of[i] = c->channels[i];
		c->of[i].scan = &c->scans[i];
		c->of[i].blocks = &c->blocks;
	}
	c->taker = (struct back_taker){c, wants, put_gap, take_gap};
	backwards_init(&c->backwards, c->of, c->n_channels, c->after, c->upto, &c->taker);
	c->backwards.is_cancelled = c->is_cancelled;
}

void counter_fini(struct counter *c)
{
	backwards_fini(&c->backwards);
	free(c->counts);
	free(c->of);
}

bool counter_run(struct counter *c, int64_t deadline_ns)
{
	int r = backwards_run(&c->backwards, deadline_ns);
	c->is_complete = r == 1;
	if (r < 0)
		c->slow = c->run->slow;
	return c->is_complete || c->slow;
}

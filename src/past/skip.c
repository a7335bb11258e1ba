/* SPDX-License-Identifier: MIT */
#include "past/skip.h"

#include "journal/bloom.h"

/* Whether a block whose messages have these grams may hold one of the texts that are looked for. */
static bool may_hold(const struct filter_scan *scan, struct str bloom)
{
	for (size_t i = 0; i < scan->n; i++) {
		const struct scan_literal *l = &scan->literals[i];
		size_t k = 0;
		while (k < l->n_grams && bloom_may_hold(bloom, l->grams[k]))
			k++;
		if (k == l->n_grams)
			return true;
	}
	return false;
}

/* One that is too short for the index may be anywhere. */
static bool can_ask_index(const struct filter_scan *scan)
{
	for (size_t i = 0; i < scan->n; i++)
		if (!scan->literals[i].n_grams)
			return false;
	return scan->n > 0;
}

const struct sealed_block *skip_whole_block(const struct segment *s, uint64_t offset,
					    uint64_t limit)
{
	const struct sealed *z = s->sealed;
	size_t i = z ? sealed_find(z, offset) : 0;
	const struct sealed_block *b = z && i < z->n ? &z->blocks[i] : NULL;
	if (!b || b->place != offset || b->place + b->text_size > limit || !b->holds.first ||
	    b->holds.severities & (SEALED_GAP | SEALED_HOLE))
		return NULL;
	return b;
}

bool skip_rules_out(const struct filter_scan *scan, const struct segment *s,
		    const struct sealed_block *b, struct buf *bloom)
{
	if (!(b->holds.severities & SEVERITIES_ALL & ~scan->never))
		return true;
	return can_ask_index(scan) &&
	       !sealed_read_filter(s->sealed, s->fd, (size_t)(b - s->sealed->blocks), bloom) &&
	       !may_hold(scan, buf_str(bloom));
}

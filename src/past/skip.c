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
static bool is_of_use(const struct filter_scan *scan)
{
	for (size_t i = 0; i < scan->n; i++)
		if (!scan->literals[i].n_grams)
			return false;
	return scan->n > 0;
}

const struct sealed_block *skip_block(const struct filter_scan *scan, const struct segment *s,
				      uint64_t offset, uint64_t limit, struct buf *bloom)
{
	const struct sealed *z = s->sealed;
	if (!scan || !z || !is_of_use(scan))
		return NULL;
	size_t i = sealed_find(z, offset);
	const struct sealed_block *b = i < z->n ? &z->blocks[i] : NULL;
	if (!b || b->place != offset || b->place + b->text_size > limit || !b->holds.first ||
	    b->holds.severities & (SEALED_GAP | SEALED_HOLE) ||
	    sealed_read_filter(z, s->fd, i, bloom) || may_hold(scan, buf_str(bloom)))
		return NULL;
	return b;
}

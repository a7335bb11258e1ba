/* SPDX-License-Identifier: MIT */
#include "past/skip.h"

#include "journal/bloom.h"

static bool may_hold_all(struct str bloom, const uint32_t *grams, size_t n)
{
	while (n && bloom_may_hold(bloom, grams[n - 1]))
		n--;
	return !n;
}

/* Whether a block with this filter may hold one of the literals that are looked for. */
static bool may_hold(const struct filter_scan *scan, struct str bloom, bool has_fields)
{
	for (size_t i = 0; i < scan->n; i++) {
		const struct scan_literal *l = &scan->literals[i];
		if (may_hold_all(bloom, l->grams, l->n_grams) &&
		    may_hold_all(bloom, l->field_grams, has_fields ? l->n_field_grams : 0))
			return true;
	}
	return false;
}

/* One that is too short for the index may be anywhere. */
static bool can_ask_index(const struct filter_scan *scan, bool has_fields)
{
	for (size_t i = 0; i < scan->n; i++)
		if (!scan->literals[i].n_grams && !(has_fields && scan->literals[i].n_field_grams))
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
	bool has_fields = b->holds.severities & SEALED_FIELDS;
	if (!(b->holds.severities & SEVERITIES_ALL & ~scan->never))
		return true;
	return can_ask_index(scan, has_fields) &&
	       !sealed_read_filter(s->sealed, s->fd, (size_t)(b - s->sealed->blocks), bloom) &&
	       !may_hold(scan, buf_str(bloom), has_fields);
}

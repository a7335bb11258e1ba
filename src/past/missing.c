/* SPDX-License-Identifier: MIT */
#include "past/missing.h"

void missing_put(const struct past *gap, struct buf *out)
{
	const struct missing_gap g = {.channel = gap->channel->name,
				      .from = gap->gap_from,
				      .to = gap->gap_to,
				      .count = gap->gap_count,
				      .reason = gap->gap_reason};
	buf_put(out, (const char *)&g, sizeof(g));
}

void missing_take(struct missing *m, struct str bytes)
{
	if (m->n < MISSING_MAX)
		memcpy(&m->gaps[m->n], bytes.data, sizeof(m->gaps[0]));
	m->n++;
}

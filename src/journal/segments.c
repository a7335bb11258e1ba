/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "journal/journal_internal.h"
#include "journal/segment.h"

void journal_add_segment(struct journal *j, struct segment *s)
{
	j->segments = mem_resize(j->segments, (j->n + 1) * sizeof(j->segments[0]));
	j->segments[j->n++] = s;
}

void journal_forget_segment(struct journal *j, size_t i)
{
	j->bytes -= segment_bytes(j->segments[i]);
	segment_unref(j->segments[i]);
	memmove(j->segments + i, j->segments + i + 1, (--j->n - i) * sizeof(j->segments[0]));
}

/* SPDX-License-Identifier: MIT */
#include "conf/packed.h"

#include <stdlib.h>

#include "base/mem.h"

void packed_put_source(struct buf *out, const struct source_settings *src)
{
	settings_put(source_rows, src, out);
}

void packed_put(struct buf *out, const struct settings *s)
{
	buf_put_u32(out, settings_layout(settings_rows));
	settings_put(settings_rows, s, out);
}

void packed_get_source(struct reader *r, struct source_settings *src)
{
	*src = (struct source_settings){0};
	settings_get(source_rows, r, src);
}

struct settings *packed_get(struct str packed)
{
	struct reader r = reader_of(packed.data, packed.len);
	struct settings *s = mem_zero(sizeof(*s));
	r.failed = get_word(&r) != settings_layout(settings_rows);
	settings_get(settings_rows, &r, s);
	for (size_t i = 0; i < s->n_sources; i++)
		r.failed |= !s->sources[i].channel;
	if (!r.failed && !reader_left(&r))
		return s;
	settings_free(s);
	return NULL;
}

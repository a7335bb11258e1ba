/* SPDX-License-Identifier: MIT */
#include "source/opening.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

void opening_put(struct buf *out, const struct opening *o)
{
	size_t begun = frame_begin(out, FRAME_OPEN);
	buf_put_u8(out, (uint8_t)o->mode);
	buf_put_u32(out, o->event_size);
	buf_put_short(out, str_of(o->name));
	buf_put_short(out, str_of(o->path));
	buf_put_u16(out, (uint16_t)o->options.n);
	for (size_t i = 0; i < o->options.n; i++) {
		const struct option_value *v = &o->options.all[i];
		buf_put_short(out, str_of(v->name));
		buf_put_u32(out, (uint32_t)v->n);
		for (size_t k = 0; k < v->n; k++)
			buf_put_short(out, str_of(v->items[k]));
	}
	buf_put_str(out, o->cursors);
	frame_end(out, begun);
}

static char *get_text(struct reader *r)
{
	struct str s = get_short_str(r);
	return mem_strndup(s.data, s.len);
}

int opening_get(struct str body, struct opening *ret)
{
	struct reader r = reader_of(body.data, body.len);
	*ret = (struct opening){.mode = (enum opening_mode)get_byte(&r)};
	ret->event_size = get_word(&r);
	ret->name = get_text(&r);
	ret->path = get_text(&r);
	uint16_t n = get_short(&r);
	ret->options.all = mem_zero(n * sizeof(ret->options.all[0]));
	for (; ret->options.n < n && !r.failed; ret->options.n++) {
		struct option_value *v = &ret->options.all[ret->options.n];
		v->name = get_text(&r);
		uint32_t items = get_word(&r);
		if (items > reader_left(&r)) {
			r.failed = true;
			items = 0;
		}
		v->items = mem_zero(items * sizeof(v->items[0]));
		for (; v->n < items && !r.failed; v->n++)
			v->items[v->n] = get_text(&r);
	}
	ret->cursors = get_bytes(&r, reader_left(&r));
	return r.failed ? -EBADMSG : 0;
}

void opening_fini(struct opening *o)
{
	option_values_fini(&o->options);
	free(o->name);
	free(o->path);
}

/* SPDX-License-Identifier: MIT */
#include "host/opening.h"

#include <errno.h>

#include "conf/packed.h"

void opening_put(struct buf *out, enum opening_mode mode, uint32_t event_size,
		 const struct source_settings *source, struct str cursors)
{
	size_t begun = frame_begin(out, FRAME_OPEN);
	buf_put_u8(out, (uint8_t)mode);
	buf_put_u32(out, event_size);
	packed_put_source(out, source);
	buf_put_str(out, cursors);
	frame_end(out, begun);
}

int opening_get(struct str body, struct opening *ret)
{
	struct reader r = reader_of(body.data, body.len);
	*ret = (struct opening){.mode = (enum opening_mode)get_byte(&r)};
	ret->event_size = get_word(&r);
	packed_get_source(&r, &ret->source);
	ret->cursors = get_bytes(&r, reader_left(&r));
	return r.failed ? -EBADMSG : 0;
}

void opening_fini(struct opening *o)
{
	source_settings_fini(&o->source);
}

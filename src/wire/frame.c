/* SPDX-License-Identifier: MIT */
#include "wire/frame.h"

#include <errno.h>

size_t frame_begin(struct buf *out, enum frame_type type)
{
	size_t begun = out->len;
	buf_put_u32(out, 0);
	buf_put_u8(out, (uint8_t)type);
	return begun;
}

void frame_end(struct buf *out, size_t begun)
{
	put_u32(out->data + begun, (uint32_t)(out->len - begun - FRAME_HEAD));
}

int frame_next(struct str *rest, size_t max, struct frame *ret)
{
	if (rest->len < FRAME_HEAD)
		return 0;
	size_t len = get_u32(rest->data);
	if (len > max)
		return -EMSGSIZE;
	if (rest->len - FRAME_HEAD < len)
		return 0;
	ret->type = (enum frame_type)(unsigned char)rest->data[4];
	ret->body = (struct str){rest->data + FRAME_HEAD, len};
	rest->data += FRAME_HEAD + len;
	rest->len -= FRAME_HEAD + len;
	return 1;
}

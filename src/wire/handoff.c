/* SPDX-License-Identifier: MIT */
#include "wire/handoff.h"

#include <errno.h>

void handoff_put_request(struct buf *out, const struct handoff_request *r)
{
	buf_put_u8(out, (uint8_t)r->kind);
	buf_put_u8(out, (uint8_t)r->framing);
	buf_put_u32(out, r->serial);
	buf_put_u16(out, r->fcgi_id);
	buf_put_short(out, r->method);
	buf_put_short(out, r->route);
	buf_put_short(out, r->query);
	buf_put_short(out, r->accept);
	buf_put_short(out, r->last_event_id);
	buf_put_short(out, r->address);
	buf_put_short(out, r->forwarded_for);
	buf_put_short(out, r->forwarded);
	buf_put_short(out, r->real_ip);
	buf_put_short(out, r->user);
	buf_put_short(out, r->certificate);
	buf_put_short(out, r->ticket);
	buf_put_short(out, r->host);
	buf_put_short(out, r->origin);
	buf_put_short(out, r->fetch_site);
	buf_put_u8(out, r->has_cookies);
	buf_put_u8(out, r->takes_gzip);
	buf_put_u32(out, r->manager);
}

int handoff_get_request(struct str s, struct handoff_request *ret)
{
	struct reader r = reader_of(s.data, s.len);
	ret->kind = (enum handoff_kind)get_byte(&r);
	ret->framing = (enum handoff_framing)get_byte(&r);
	ret->serial = get_word(&r);
	ret->fcgi_id = get_short(&r);
	ret->method = get_short_str(&r);
	ret->route = get_short_str(&r);
	ret->query = get_short_str(&r);
	ret->accept = get_short_str(&r);
	ret->last_event_id = get_short_str(&r);
	ret->address = get_short_str(&r);
	ret->forwarded_for = get_short_str(&r);
	ret->forwarded = get_short_str(&r);
	ret->real_ip = get_short_str(&r);
	ret->user = get_short_str(&r);
	ret->certificate = get_short_str(&r);
	ret->ticket = get_short_str(&r);
	ret->host = get_short_str(&r);
	ret->origin = get_short_str(&r);
	ret->fetch_site = get_short_str(&r);
	ret->has_cookies = get_byte(&r) != 0;
	ret->takes_gzip = get_byte(&r) != 0;
	ret->manager = get_word(&r);
	if (r.failed || ret->kind < HANDOFF_ASK || ret->kind > HANDOFF_DROP ||
	    (ret->framing != HANDOFF_FCGI && ret->framing != HANDOFF_PLAIN))
		return -EBADMSG;
	return 0;
}

void handoff_put_answer(struct buf *out, const struct handoff_answer *a)
{
	buf_put_u8(out, (uint8_t)a->verdict);
	buf_put_u8(out, a->more);
	buf_put_u32(out, a->serial);
	buf_put_str(out, a->bytes);
}

int handoff_get_answer(struct str s, struct handoff_answer *ret)
{
	struct reader r = reader_of(s.data, s.len);
	ret->verdict = (enum handoff_verdict)get_byte(&r);
	ret->more = get_byte(&r) != 0;
	ret->serial = get_word(&r);
	if (r.failed || (ret->verdict != HANDOFF_RESPOND && ret->verdict != HANDOFF_STREAM))
		return -EBADMSG;
	ret->bytes = get_bytes(&r, reader_left(&r));
	return 0;
}

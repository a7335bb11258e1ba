/* SPDX-License-Identifier: MIT
 *
 * handoff - what a responder and the hub say to each other, one packet each.
 *
 * A request is handed over in two steps, so that no answer can be lost
 * or begun twice when either process dies: the responder ASKs and gets the
 * verdict; it writes the verdict's head itself; and only for a stream it then
 * hands the descriptor over with TAKE, the same request once more.  Until it
 * has written, the responder may ask any later hub again.
 */
#ifndef SLUICE_WIRE_HANDOFF_H
#define SLUICE_WIRE_HANDOFF_H

#include "base/bytes.h"

enum { HANDOFF_PACKET_MAX = 128 * 1024, HANDOFF_BODY_PART = 64 * 1024 };

enum handoff_kind {
	HANDOFF_ASK = 1,
	HANDOFF_TAKE = 2,
	HANDOFF_DROP = 3, /* its client is gone: there will be no TAKE */
};

/* How what is written to a handed-over descriptor is framed. */
enum handoff_framing { HANDOFF_FCGI = 1, HANDOFF_PLAIN = 2 };

struct handoff_request {
	enum handoff_kind kind;
	enum handoff_framing framing;
	uint32_t serial; /* the responder's name for it */
	uint16_t fcgi_id;
	struct str method;
	struct str route; /* "/events", ... */
	struct str query;
	struct str accept;
	struct str last_event_id;
	struct str address; /* of the client, or the last proxy, as the front server says */
	struct str forwarded_for, forwarded, real_ip; /* header fields of proxies */
	struct str user;                     /* whom the front server has let in; empty: nobody */
	struct str certificate;              /* the holder of a verified client certificate */
	struct str ticket;                   /* of a cookie */
	struct str host, origin, fetch_site; /* header fields */
	bool has_cookies;
	bool takes_gzip;  /* with TAKE: the head that was written says gzip */
	uint32_t manager; /* the process whose end is the stream's, see stream/manager.h; or 0 */
};

enum handoff_verdict {
	HANDOFF_RESPOND = 1, /* bytes are a part of the whole answer */
	HANDOFF_STREAM = 2,  /* bytes are the head; hand the descriptor over */
};

struct handoff_answer {
	enum handoff_verdict verdict;
	bool more; /* further parts follow */
	uint32_t serial;
	struct str bytes; /* CGI header fields, an empty line, body */
};

void handoff_put_request(struct buf *out, const struct handoff_request *r);
void handoff_put_answer(struct buf *out, const struct handoff_answer *a);

/* Borrow from `s`; 0 or -EBADMSG. */
int handoff_get_request(struct str s, struct handoff_request *ret) must_check;
int handoff_get_answer(struct str s, struct handoff_answer *ret) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * door - what a responder and the hub say to each other, one packet each.
 *
 * A request goes through the door in two steps, so that no answer can be lost
 * or begun twice when either process dies: the responder ASKs and gets the
 * verdict; it writes the verdict's head itself; and only for a stream it then
 * hands the descriptor over with TAKE, the same request once more.  Until it
 * has written, the responder may ask any later hub again.
 */
#ifndef SLUICE_WIRE_DOOR_H
#define SLUICE_WIRE_DOOR_H

#include "base/bytes.h"

enum { DOOR_PACKET_MAX = 128 * 1024, DOOR_BODY_PART = 64 * 1024 };

enum door_kind { DOOR_ASK = 1, DOOR_TAKE = 2 };

/* How what is written to a handed-over descriptor is framed. */
enum door_framing { DOOR_FCGI = 1, DOOR_PLAIN = 2 };

struct door_request {
	enum door_kind kind;
	enum door_framing framing;
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

enum door_verdict {
	DOOR_RESPOND = 1, /* bytes are a part of the whole answer */
	DOOR_STREAM = 2,  /* bytes are the head; hand the descriptor over */
};

struct door_answer {
	enum door_verdict verdict;
	bool more; /* further parts follow */
	uint32_t serial;
	struct str bytes; /* CGI header fields, an empty line, body */
};

void door_put_request(struct buf *out, const struct door_request *r);
void door_put_answer(struct buf *out, const struct door_answer *a);

/* Borrow from `s`; 0 or -EBADMSG. */
int door_get_request(struct str s, struct door_request *ret) must_check;
int door_get_answer(struct str s, struct door_answer *ret) must_check;

#endif

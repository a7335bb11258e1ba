/* SPDX-License-Identifier: MIT
 *
 * fcgi - FastCGI 1.0 records as bytes, and the check of a request's head.
 *
 * The check exists because libfcgi trusts its peer: a head reaches it only
 * when it is whole and its structure is sound.
 */
#ifndef SLUICE_WIRE_FCGI_H
#define SLUICE_WIRE_FCGI_H

#include "base/buf.h"

enum {
	FCGI_HEADER = 8,
	FCGI_CONTENT_MAX = 65528, /* the largest multiple of 8 in a record */
	FCGI_HEAD_MAX = 65536,    /* a request's head, all records */
};

enum fcgi_type {
	FCGI_TYPE_BEGIN = 1,
	FCGI_TYPE_ABORT = 2,
	FCGI_TYPE_END = 3,
	FCGI_TYPE_PARAMS = 4,
	FCGI_TYPE_STDIN = 5,
	FCGI_TYPE_STDOUT = 6,
	/* of the connection, with request id 0 */
	FCGI_TYPE_GET_VALUES = 9,
	FCGI_TYPE_VALUES = 10,
	FCGI_TYPE_UNKNOWN = 11,
};

void fcgi_put_header(char out[FCGI_HEADER], enum fcgi_type type, uint16_t id, size_t content);

/* Appends `s` as STDOUT records of request `id`. */
void fcgi_put_stdout(struct buf *out, uint16_t id, struct str s);

/* The end of STDOUT and END_REQUEST with status 0, request complete. */
void fcgi_put_end(struct buf *out, uint16_t id);

/* Frames what was appended to `out` since `begun`, where the caller left
 * FCGI_HEADER bytes free for the first header, as STDOUT records of `id`.
 */
void fcgi_frame_stdout(struct buf *out, size_t begun, uint16_t id);

/* Sets the request id in each of the whole records in [p, p + n). */
void fcgi_patch_id(char *p, size_t n, uint16_t id);

enum fcgi_head {
	FCGI_HEAD_INCOMPLETE,
	FCGI_HEAD_WHOLE,
	FCGI_HEAD_BAD,
};

struct fcgi_request {
	size_t len; /* bytes of the head, when whole */
	uint16_t id;
	struct buf params; /* name-value pairs, checked; free both with buf_fini() */
	struct buf body;   /* STDIN */
	bool has_params;   /* they are whole, and sound */
	bool is_too_long;  /* bad for that */
	const char *why;   /* what is wrong, when bad */
};

/* Takes each whole management record (FastCGI 1.0, section 4) out of `in`, wherever it
 * stands between others, and appends the answers.  GET_VALUES learns that there may be
 * `max_requests` connections with one request each; what is not known is answered so.
 * 0, or -EBADMSG when the names asked for lie outside their record.
 */
int fcgi_take_management(struct buf *in, unsigned max_requests, struct buf *answer) must_check;

/* Looks whether `s`, without management records, starts with one whole request of the
 * responder role: BEGIN_REQUEST, PARAMS to their end, STDIN to its end, one id throughout
 * and name-value pairs that lie inside their stream.
 */
enum fcgi_head fcgi_check_head(struct str s, struct fcgi_request *ret) must_check;

/* The plainest head with this request's id and parameters: no padding, no
 * body (that is the caller's).  What libfcgi reads, so that it cannot read anything else than we
 * did.
 */
void fcgi_put_request(struct buf *out, const struct fcgi_request *r);

#endif

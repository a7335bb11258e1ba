/* SPDX-License-Identifier: MIT
 *
 * framing - a byte stream into syslog messages (RFC 6587).
 *
 * In auto mode each frame decides for itself: octet counting is taken only
 * where the RFC's own form stands, MSG-LEN SP "<"; all else ends with a line
 * feed, or with a NUL as Python's SysLogHandler sends it.  Nothing is allocated by a length that a
 * peer has sent.
 */
#ifndef SYSLOG_FRAMING_H
#define SYSLOG_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum framing_mode { FRAMING_AUTO, FRAMING_LF, FRAMING_OCTET, FRAMING_NUL };

/* Of one stream; all 0 at its beginning. */
struct framing {
	bool is_inside;  /* a frame has begun, its head is at the start of the bytes */
	bool is_counted; /* it is octet-counted */
	uint64_t left;   /* of a counted one: its bytes, those at hand included */
	uint64_t over;   /* of it, what was thrown away: only counted */
	bool in_pieces;  /* some of it was taken already */
};

struct frame {
	const char *p;
	size_t n;      /* at most `max` */
	uint64_t size; /* what it had; more than n when it was cut */
	bool is_rest;  /* pieces of it have been taken before */
};

enum framing_result { FRAMING_FRAME, FRAMING_MORE, FRAMING_BROKEN };

/* Takes the next frame from the bytes [p, p+n) of which the caller keeps what is
 * not consumed; at most `max` of a frame are given.  With `at_end` nothing
 * follows: the rest is a frame.  *used is what to drop from the front; with
 * FRAMING_MORE what is left is to be given again, with more behind it.
 */
enum framing_result framing_next(struct framing *f, enum framing_mode mode, size_t max,
				 const char *p, size_t n, bool at_end, size_t *used,
				 struct frame *ret);

/* After FRAMING_MORE: `n` bytes of the frame under way will not be given again;
 * `are_lost` if nobody has taken them.
 */
void framing_forget(struct framing *f, size_t n, bool are_lost);

#endif

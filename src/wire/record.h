/* SPDX-License-Identifier: MIT
 *
 * record - events and cursors as bytes, the same in source frames and journals.
 *
 * A record is its length (u32, of what follows), its kind (u8) and its body.
 * A reader meets bytes of a crashed or hostile process: every length is
 * checked, nothing is allocated by one.
 */
#ifndef SLUICE_WIRE_RECORD_H
#define SLUICE_WIRE_RECORD_H

#include "base/bytes.h"
#include "wire/id.h"

enum record_kind { RECORD_EVENT = 1, RECORD_CURSOR = 2 };

/* Offsets in an event record, for code that works on raw bytes.  The length (u32, of all behind it)
 * and the kind (u8) come first.
 */
enum { RECORD_ID_AT = 5, RECORD_TIME_AT = 13, RECORD_SEVERITY_AT = 21, RECORD_EVENT_MIN = 29 };

enum event_flag {
	EVENT_PARTIAL = 1,   /* a piece of something longer, or an end without a line end */
	EVENT_TRUNCATED = 2, /* the message was cut */
	EVENT_GAP = 4,       /* something was lost here; fields say what and why */
	EVENT_TRANSIENT = 8, /* published, but not kept in the journal */
};

enum { SEVERITY_NONE = 255, NAME_MAX_LEN = 64, FIELDS_MAX = 128 };

/* Where something is kept for each severity: 0 to 7, and 8 for none.  A set of them has these bits.
 */
enum { SEVERITIES = 9, SEVERITIES_ALL = (1 << SEVERITIES) - 1 };

static inline unsigned severity_place(uint8_t severity)
{
	return MIN(severity, (unsigned)SEVERITIES - 1);
}

struct event {
	event_id id;       /* 0 while the hub has not named it */
	int64_t time_ns;   /* since 1970 */
	uint8_t severity;  /* 0 emergency .. 7 debug (RFC 5424), or SEVERITY_NONE */
	uint8_t flags;     /* enum event_flag */
	struct str type;   /* at most NAME_MAX_LEN of [a-z0-9_.-] */
	struct str source; /* instance name, the same form; empty from a source process */
	struct str message;
	struct str fields; /* encoded, see field_next() */
};

/* A source's position in one of the things that it reads. */
struct cursor {
	struct str source;
	struct str key;   /* at most CURSOR_KEY_MAX */
	struct str value; /* opaque to all but the plugin; empty: forget the key */
};

enum { CURSOR_KEY_MAX = 256, CURSOR_VALUE_MAX = 8192 };

enum field_type {
	FIELD_STRING = 's',
	FIELD_INT = 'i',
	FIELD_DOUBLE = 'd',
	FIELD_BOOL = 'b',
	FIELD_NULL = 'n',
	FIELD_JSON = 'j', /* the string is a JSON text */
};

struct field {
	struct str name;
	enum field_type type;
	struct str string;
	int64_t integer; /* also 0 or 1 for FIELD_BOOL */
	double number;
};

/* Appends one field to the encoded fields of an event. */
void field_put(struct buf *out, const struct field *f);

/* Takes the next field from *rest: 1, 0 at the end, -EBADMSG for anything else. */
int field_next(struct str *rest, struct field *ret) must_check;

/* Encoded fields fit to be shown: valid UTF-8, JSON that is JSON, and each name once: the
 * first keeps it, later ones get NAME_2, NAME_3 and so on.  Those that are not are written
 * anew into `scratch`, which they then borrow.  0 or -EBADMSG for what are no fields, or
 * too many.
 */
int fields_clean(struct str fields, struct buf *scratch, struct str *ret) must_check;

void record_put_event(struct buf *out, const struct event *ev);
void record_put_cursor(struct buf *out, const struct cursor *c);

/* Points the texts of `ev`, or `c`, at the record that was made of it and begins at `p`. */
void record_find_event(const char *p, struct event *ev);
void record_find_cursor(const char *p, struct cursor *c);

struct record {
	enum record_kind kind;
	struct event event;
	struct cursor cursor;
};

/* How many bytes the first record of `rest` has, without a look at what is in it: 0 when that is
 * none, or not whole.  *must_look: it can be of interest whatever it holds, for it says that
 * something was lost.  *severity: its place, if it is an event.
 */
size_t record_hop(struct str rest, bool *must_look, unsigned *severity) must_check;

/* Takes the next record from *rest, borrowing from it: 1, 0 at the end,
 * -EBADMSG for bytes that are none.
 */
int record_next(struct str *rest, struct record *ret) must_check;

#endif

/* SPDX-License-Identifier: MIT
 *
 * id - the name of an event and the cursor of a client: EPOCH.MS-N.
 *
 * Inside, milliseconds since 1970 and a counter packed in 64 bits, growing
 * hub-wide; outside, at most ID_TEXT_MAX characters of [A-Za-z0-9._-], so
 * that a cross-origin reconnect needs no CORS preflight (Fetch, "CORS-safelisted
 * request-header").
 */
#ifndef SLUICE_WIRE_ID_H
#define SLUICE_WIRE_ID_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"

enum { EPOCH_MAX = 16, ID_TEXT_MAX = EPOCH_MAX + 1 + 14 + 1 + 7, ID_COUNTER_BITS = 20 };

/* 0 is before every event. */
typedef uint64_t event_id;

static inline event_id id_make(uint64_t ms, uint32_t n)
{
	return ms << ID_COUNTER_BITS | n;
}

static inline uint64_t id_ms(event_id id)
{
	return id >> ID_COUNTER_BITS;
}

/* The last id before a time, which is in nanoseconds since 1970.  Ids count milliseconds. */
static inline event_id id_before_time(int64_t ns)
{
	int64_t ms = ns / NS_PER_MS;
	return ms > 0 ? id_make((uint64_t)ms, 0) - 1 : 0;
}

/* Writes at most ID_TEXT_MAX bytes and no NUL; returns how many. */
size_t id_put(char *out, struct str epoch, event_id id);
void buf_put_id(struct buf *b, struct str epoch, event_id id);

/* 0, or -EINVAL when `s` is no id of any epoch; *epoch borrows from `s`. */
int id_parse(struct str s, struct str *epoch, event_id *id) must_check;

#endif

/* SPDX-License-Identifier: MIT */
#include "journal/delta.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "journal/batch_layout.h"
#include "wire/record.h"

/* The last number of each kind; all start at 0. */
struct before {
	uint64_t id, time, ordinal;
};

/* Replaces the number at `p` by its difference from *before; with `undoes`, the reverse. */
static void change(char *p, uint64_t *before, bool undoes)
{
	uint64_t v = get_u64(p);
	if (undoes) {
		*before += v;
		put_u64(p, *before);
	} else {
		put_u64(p, v - *before);
		*before = v;
	}
}

/* Bytes of the record that begins here, or 0. */
static size_t whole_record(const char *p, size_t left)
{
	if (left < RECORD_ID_AT)
		return 0;
	size_t n = (size_t)get_u32(p) + 4;
	size_t least = p[4] == RECORD_EVENT ? RECORD_EVENT_MIN : RECORD_ID_AT;
	return n >= least && n <= left ? n : 0;
}

static bool change_records(char *p, const char *end, struct before *b, bool undoes)
{
	for (size_t n; p < end; p += n) {
		if (!(n = whole_record(p, (size_t)(end - p))))
			return false;
		if (p[4] != RECORD_EVENT)
			continue;
		change(p + RECORD_ID_AT, &b->id, undoes);
		change(p + RECORD_TIME_AT, &b->time, undoes);
	}
	return true;
}

static uint32_t crc_of(const char *h, size_t n)
{
	return crc32c(0, h + BATCH_CRC_FROM, n - BATCH_CRC_FROM);
}

/* Bytes of the batch that begins here, or 0. */
static size_t whole_batch(const char *h, size_t left)
{
	if (left < BATCH_HEADER || get_u32(h) != BATCH_MAGIC)
		return 0;
	size_t n = BATCH_HEADER + (size_t)get_u32(h + BATCH_SIZE_AT);
	return n <= left ? n : 0;
}

static bool change_batch(char *h, size_t n, struct before *b, bool undoes)
{
	uint64_t first = 0;
	change(h + BATCH_FIRST_AT, &b->id, undoes);
	first = b->id;
	change(h + BATCH_LAST_AT, &first, undoes);
	change(h + BATCH_ORDINAL_AT, &b->ordinal, undoes);
	b->ordinal += get_u32(h + BATCH_EVENTS_AT);
	return change_records(h + BATCH_HEADER, h + n, b, undoes);
}

static bool are_records(const char *p, const char *end)
{
	for (size_t n; p < end; p += n)
		if (!(n = whole_record(p, (size_t)(end - p))))
			return false;
	return true;
}

static bool are_whole(const char *p, size_t left)
{
	for (size_t n; left; p += n, left -= n)
		if (!(n = whole_batch(p, left)) || get_u32(p + BATCH_CRC_AT) != crc_of(p, n) ||
		    !are_records(p + BATCH_HEADER, p + n))
			return false;
	return true;
}

bool delta_make(char *p, size_t n)
{
	struct before b = {0};
	if (!are_whole(p, n))
		return false;
	for (size_t at = 0, size; at < n; at += size) {
		size = whole_batch(p + at, n - at);
		put_u32(p + at + BATCH_CRC_AT, 0);
		if (!change_batch(p + at, size, &b, false))
			return false;
	}
	return true;
}

bool delta_undo(char *p, size_t n)
{
	struct before b = {0};
	for (size_t at = 0, size; at < n; at += size) {
		size = whole_batch(p + at, n - at);
		if (!size || !change_batch(p + at, size, &b, true))
			return false;
		put_u32(p + at + BATCH_CRC_AT, crc_of(p + at, size));
	}
	return true;
}

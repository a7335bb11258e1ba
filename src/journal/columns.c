/* SPDX-License-Identifier: MIT */
#include "journal/columns.h"

#include "base/bytes.h"
#include "journal/batch_layout.h"
#include "wire/record.h"

enum {
	HEAD = RECORD_ID_AT,                  /* bytes of a record's length and kind */
	NUMBERS = RECORD_EVENT_MIN - HEAD,    /* of an event, behind these */
	TYPE_LEN_AT = RECORD_SEVERITY_AT + 2, /* then that of the source */
	FIELDS_LEN_AT = RECORD_SEVERITY_AT + 4,
};

/* Bytes of the parts of an event that have no fixed size. */
struct parts {
	size_t names, fields, message;
};

/* The same on both sides, also for lengths that make no sense. */
static struct parts parts_of(const char *record, size_t n)
{
	size_t left = n - RECORD_EVENT_MIN;
	struct parts p;
	p.names = MIN((size_t)(unsigned char)record[TYPE_LEN_AT] +
			      (unsigned char)record[TYPE_LEN_AT + 1],
		      left);
	p.fields = MIN((size_t)get_u32(record + FIELDS_LEN_AT), left - p.names);
	p.message = left - p.names - p.fields;
	return p;
}

/* A table whose rows are so many bytes wide and whose columns stand one behind another. */
struct table_of_bytes {
	char *p;
	size_t n_rows, width, row; /* the next */
};

/* ---- the parts, while they are put in or taken out -------------------------------------- */

struct cut {
	char *p, *end;
};

struct columns {
	struct table_of_bytes headers, heads, numbers;
	struct cut names, fields, messages, others;
};

static struct table_of_bytes table_at(char **p, size_t n_rows, size_t width)
{
	struct table_of_bytes t = {.p = *p, .n_rows = n_rows, .width = width};
	*p += n_rows * width;
	return t;
}

static struct cut cut_at(char **p, size_t n)
{
	struct cut c = {*p, *p + n};
	*p = c.end;
	return c;
}

static struct columns columns_at(char *p)
{
	size_t n[COLUMNS_COUNTS / 4];
	for (size_t i = 0; i < array_size(n); i++)
		n[i] = get_u32(p + 4 * i);
	p += COLUMNS_COUNTS;
	struct columns c = {.headers = table_at(&p, n[0], BATCH_HEADER)};
	c.heads = table_at(&p, n[1], HEAD);
	c.numbers = table_at(&p, n[2], NUMBERS);
	c.names = cut_at(&p, n[3]);
	c.fields = cut_at(&p, n[4]);
	c.messages = cut_at(&p, n[5]);
	c.others = cut_at(&p, n[6]);
	return c;
}

/* ---- taking apart ------------------------------------------------------------------------ */

static void put_row(struct table_of_bytes *t, const char *from)
{
	for (size_t i = 0; i < t->width; i++)
		t->p[i * t->n_rows + t->row] = from[i];
	t->row++;
}

static void put(struct cut *c, const char *from, size_t n)
{
	memcpy(c->p, from, n);
	c->p += n;
}

static void put_record(struct columns *c, const char *p, size_t n)
{
	put_row(&c->heads, p);
	if (p[HEAD - 1] != RECORD_EVENT) {
		put(&c->others, p + HEAD, n - HEAD);
		return;
	}
	struct parts of = parts_of(p, n);
	put_row(&c->numbers, p + HEAD);
	p += RECORD_EVENT_MIN;
	put(&c->names, p, of.names);
	put(&c->fields, p + of.names, of.fields);
	put(&c->messages, p + of.names + of.fields, of.message);
}

/* Calls for each batch and each record; what is at hand are whole ones. */
static void count(struct str text, uint32_t n[COLUMNS_COUNTS / 4])
{
	for (const char *p = text.data, *end = p + text.len; p < end;) {
		const char *batch_end = p + BATCH_HEADER + get_u32(p + BATCH_SIZE_AT);
		n[0]++;
		size_t size;
		for (p += BATCH_HEADER; p < batch_end; p += size) {
			size = (size_t)get_u32(p) + 4;
			n[1]++;
			if (p[HEAD - 1] != RECORD_EVENT) {
				n[6] += (uint32_t)(size - HEAD);
				continue;
			}
			struct parts of = parts_of(p, size);
			n[2]++;
			n[3] += (uint32_t)of.names;
			n[4] += (uint32_t)of.fields;
			n[5] += (uint32_t)of.message;
		}
	}
}

void columns_make(struct str text, struct buf *out)
{
	uint32_t n[COLUMNS_COUNTS / 4] = {0};
	count(text, n);
	char *begun = buf_reserve(out, COLUMNS_COUNTS + text.len);
	for (size_t i = 0; i < array_size(n); i++)
		put_u32(begun + 4 * i, n[i]);
	struct columns c = columns_at(begun);
	for (const char *p = text.data, *end = p + text.len; p < end;) {
		const char *batch_end = p + BATCH_HEADER + get_u32(p + BATCH_SIZE_AT);
		put_row(&c.headers, p);
		size_t size;
		for (p += BATCH_HEADER; p < batch_end; p += size) {
			size = (size_t)get_u32(p) + 4;
			put_record(&c, p, size);
		}
	}
	out->len += COLUMNS_COUNTS + text.len;
}

/* ---- putting together ---------------------------------------------------------------------- */

static bool take_row(struct table_of_bytes *t, char *to)
{
	if (t->row == t->n_rows)
		return false;
	for (size_t i = 0; i < t->width; i++)
		to[i] = t->p[i * t->n_rows + t->row];
	t->row++;
	return true;
}

static bool take(struct cut *c, char *to, size_t n)
{
	if ((size_t)(c->end - c->p) < n)
		return false;
	memcpy(to, c->p, n);
	c->p += n;
	return true;
}

/* Bytes of the record that was put at `p`, or 0. */
static size_t take_record(struct columns *c, char *p, size_t left)
{
	if (left < HEAD || !take_row(&c->heads, p))
		return 0;
	size_t n = (size_t)get_u32(p) + 4;
	bool is_event = p[HEAD - 1] == RECORD_EVENT;
	if (n > left || n < (is_event ? (size_t)RECORD_EVENT_MIN : (size_t)HEAD))
		return 0;
	if (!is_event)
		return take(&c->others, p + HEAD, n - HEAD) ? n : 0;
	if (!take_row(&c->numbers, p + HEAD))
		return 0;
	struct parts of = parts_of(p, n);
	p += RECORD_EVENT_MIN;
	return take(&c->names, p, of.names) && take(&c->fields, p + of.names, of.fields) &&
			       take(&c->messages, p + of.names + of.fields, of.message)
		       ? n
		       : 0;
}

/* The same of a batch. */
static size_t take_batch(struct columns *c, char *p, size_t left)
{
	if (left < BATCH_HEADER || !take_row(&c->headers, p))
		return 0;
	size_t n = BATCH_HEADER + (size_t)get_u32(p + BATCH_SIZE_AT);
	if (n > left)
		return 0;
	for (size_t at = BATCH_HEADER, size; at < n; at += size)
		if (!(size = take_record(c, p + at, n - at)))
			return 0;
	return n;
}

/* Whether the counts are of so many bytes of text. */
static bool are_counts(const char *p, size_t n)
{
	uint64_t sum = (uint64_t)get_u32(p) * BATCH_HEADER + (uint64_t)get_u32(p + 4) * HEAD +
		       (uint64_t)get_u32(p + 8) * NUMBERS;
	for (size_t i = 3; i < COLUMNS_COUNTS / 4; i++)
		sum += get_u32(p + 4 * i);
	return sum == n;
}

bool columns_undo(struct str columns, char *text, size_t n)
{
	if (columns.len != COLUMNS_COUNTS + n || !are_counts(columns.data, n))
		return false;
	struct columns c = columns_at((char *)columns.data);
	for (size_t at = 0, size; at < n; at += size)
		if (!(size = take_batch(&c, text + at, n - at)))
			return false;
	return true;
}

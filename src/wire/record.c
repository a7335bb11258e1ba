/* SPDX-License-Identifier: MIT */
#include "wire/record.h"

#include <errno.h>

#include "base/json.h"
#include "base/utf8.h"

/* Event body: id u64, time i64, severity u8, flags u8, type length u8, source
 * length u8, fields length u32, then type, source, fields, and the message to
 * the end.
 */
enum { EVENT_FIXED = RECORD_EVENT_MIN - RECORD_ID_AT };

void record_put_event(struct buf *out, const struct event *ev)
{
	size_t names = ev->type.len + ev->source.len;
	size_t body = 1 + EVENT_FIXED + names + ev->fields.len + ev->message.len;
	char *p = buf_reserve(out, 4 + body);
	put_u32(p, (uint32_t)body);
	p[4] = RECORD_EVENT;
	put_u64(p + 5, ev->id);
	put_u64(p + 13, (uint64_t)ev->time_ns);
	p[21] = (char)ev->severity;
	p[22] = (char)ev->flags;
	p[23] = (char)ev->type.len;
	p[24] = (char)ev->source.len;
	put_u32(p + 25, (uint32_t)ev->fields.len);
	out->len += 5 + EVENT_FIXED;
	buf_put_str(out, ev->type);
	buf_put_str(out, ev->source);
	buf_put_str(out, ev->fields);
	buf_put_str(out, ev->message);
}

void record_put_cursor(struct buf *out, const struct cursor *c)
{
	buf_put_u32(out, (uint32_t)(1 + 6 + c->source.len + c->key.len + c->value.len));
	buf_put_u8(out, RECORD_CURSOR);
	buf_put_short(out, c->source);
	buf_put_short(out, c->key);
	buf_put_short(out, c->value);
}

/* The text that begins at `p`; and behind it. */
static const char *find_text(const char *p, struct str *text)
{
	text->data = p;
	return p + text->len;
}

void record_find_event(const char *p, struct event *ev)
{
	p = find_text(p + 5 + EVENT_FIXED, &ev->type);
	p = find_text(p, &ev->source);
	p = find_text(p, &ev->fields);
	find_text(p, &ev->message);
}

void record_find_cursor(const char *p, struct cursor *c)
{
	p = find_text(p + 5 + 2, &c->source);
	p = find_text(p + 2, &c->key);
	find_text(p + 2, &c->value);
}

static int get_event(struct reader *r, struct event *ev)
{
	if (reader_left(r) < EVENT_FIXED)
		return -EBADMSG;
	const unsigned char *p = (const unsigned char *)r->p;
	ev->id = get_u64(p);
	ev->time_ns = (int64_t)get_u64(p + 8);
	ev->severity = p[16];
	ev->flags = p[17];
	uint32_t fields = get_u32(p + 20);
	r->p += EVENT_FIXED;
	ev->type = get_bytes(r, p[18]);
	ev->source = get_bytes(r, p[19]);
	ev->fields = get_bytes(r, fields);
	if (r->failed || ev->type.len > NAME_MAX_LEN || ev->source.len > NAME_MAX_LEN ||
	    (ev->severity > 7 && ev->severity != SEVERITY_NONE))
		return -EBADMSG;
	ev->message = get_bytes(r, reader_left(r));
	return 1;
}

static int get_cursor(struct reader *r, struct cursor *c)
{
	c->source = get_short_str(r);
	c->key = get_short_str(r);
	c->value = get_short_str(r);
	if (r->failed || reader_left(r) || c->source.len > NAME_MAX_LEN || !c->key.len ||
	    c->key.len > CURSOR_KEY_MAX || c->value.len > CURSOR_VALUE_MAX)
		return -EBADMSG;
	return 1;
}

size_t record_hop(struct str rest, bool *must_look, unsigned *severity)
{
	if (rest.len < 5 + EVENT_FIXED)
		return 0;
	size_t n = (size_t)get_u32(rest.data) + 4;
	*must_look = rest.data[4] == RECORD_EVENT && rest.data[22] & EVENT_GAP;
	*severity = severity_place((uint8_t)rest.data[RECORD_SEVERITY_AT]);
	return n <= rest.len ? n : 0;
}

int record_next(struct str *rest, struct record *ret)
{
	if (!rest->len)
		return 0;
	struct reader r = reader_of(rest->data, rest->len);
	uint32_t len = get_word(&r);
	struct str body = get_bytes(&r, len);
	if (r.failed || !len)
		return -EBADMSG;
	*rest = (struct str){r.p, reader_left(&r)};
	r = reader_of(body.data, body.len);
	ret->kind = (enum record_kind)get_byte(&r);
	if (ret->kind == RECORD_EVENT)
		return get_event(&r, &ret->event);
	if (ret->kind == RECORD_CURSOR)
		return get_cursor(&r, &ret->cursor);
	return -EBADMSG;
}

enum { FIELD_OVERHEAD = 2 + 1 + 8 };

void field_put(struct buf *out, const struct field *f)
{
	uint64_t bits;
	buf_reserve(out, FIELD_OVERHEAD + f->name.len + f->string.len);
	buf_put_short(out, f->name);
	buf_put_u8(out, (uint8_t)f->type);
	switch (f->type) {
	case FIELD_STRING:
	case FIELD_JSON:
		buf_put_u32(out, (uint32_t)f->string.len);
		buf_put_str(out, f->string);
		break;
	case FIELD_INT:
	case FIELD_BOOL: buf_put_u64(out, (uint64_t)f->integer); break;
	case FIELD_DOUBLE:
		memcpy(&bits, &f->number, sizeof(bits));
		buf_put_u64(out, bits);
		break;
	case FIELD_NULL: break;
	}
}

int field_next(struct str *rest, struct field *ret)
{
	if (!rest->len)
		return 0;
	struct reader r = reader_of(rest->data, rest->len);
	*ret = (struct field){.name = get_short_str(&r)};
	ret->type = (enum field_type)get_byte(&r);
	uint64_t bits;
	switch (ret->type) {
	case FIELD_STRING:
	case FIELD_JSON: ret->string = get_bytes(&r, get_word(&r)); break;
	case FIELD_INT:
	case FIELD_BOOL: ret->integer = (int64_t)get_long(&r); break;
	case FIELD_DOUBLE:
		bits = get_long(&r);
		memcpy(&ret->number, &bits, sizeof(bits));
		break;
	case FIELD_NULL: break;
	default: return -EBADMSG;
	}
	if (r.failed || !ret->name.len)
		return -EBADMSG;
	*rest = (struct str){r.p, reader_left(&r)};
	return 1;
}

static bool is_utf8(struct str s)
{
	return utf8_valid_prefix(s.data, s.len) == s.len;
}

enum { FIELD_NAME_MAX = 32 * 1024 }; /* of those that are written anew */

/* The names that an event has had so far: a small hash on the stack. */
struct names {
	size_t n;
	struct str seen[FIELDS_MAX];
	uint8_t next[FIELDS_MAX]; /* the number that the next one of this name gets */
	uint64_t used[4];         /* a bit for each slot */
	uint8_t slots[256];       /* an index into seen */
};

/* Up to this many names are compared one by one; beyond that, the hash is used. */
enum { FEW_NAMES = 8 };

static void names_init(struct names *names)
{
	names->n = 0;
	memset(names->used, 0, sizeof(names->used));
}

static bool is_used(const struct names *names, size_t slot)
{
	return names->used[slot / 64] >> slot % 64 & 1;
}

/* Names differ at their beginnings, ends or middles; this is asked for each field. */
static size_t slot_of(struct str name)
{
	const unsigned char *p = (const unsigned char *)name.data;
	size_t n = name.len;
	return n ? (p[0] * 167u + p[n / 2] * 59u + p[n - 1] * 13u + n * 101u) % 256 : 0;
}

static int find_in_hash(const struct names *names, struct str name, size_t *slot)
{
	*slot = slot_of(name);
	for (; is_used(names, *slot); *slot = (*slot + 1) % sizeof(names->slots))
		if (str_eq(names->seen[names->slots[*slot]], name))
			return names->slots[*slot];
	return -1;
}

static void put_in_hash(struct names *names, size_t i)
{
	size_t slot;
	if (find_in_hash(names, names->seen[i], &slot) >= 0)
		return; /* each stands there once */
	names->used[slot / 64] |= (uint64_t)1 << slot % 64;
	names->slots[slot] = (uint8_t)i;
}

static int names_find(struct names *names, struct str name)
{
	size_t slot;
	if (names->n > FEW_NAMES)
		return find_in_hash(names, name, &slot);
	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->seen[i], name))
			return (int)i;
	return -1;
}

/* Takes up a name that is new: -1; else the index of the one that is the same. */
static int names_add(struct names *names, struct str name)
{
	int same = names_find(names, name);
	if (same >= 0)
		return same;
	names->next[names->n] = 2;
	names->seen[names->n++] = name;
	for (size_t i = names->n == FEW_NAMES + 1 ? 0 : names->n - 1;
	     names->n > FEW_NAMES && i < names->n; i++)
		put_in_hash(names, i);
	return -1;
}

/* Whether the fields can be taken as they are: sound, UTF-8, not too many, each name once. */
static int check_fields(struct str fields, bool *clean)
{
	struct field f;
	struct names names;
	int got, n = 0;
	/* Usually the whole encoding is ASCII, so fields need no check of their own. */
	bool is_ascii = utf8_is_ascii(fields.data, fields.len);
	*clean = true;
	names_init(&names);
	while ((got = field_next(&fields, &f)) == 1) {
		if (++n > FIELDS_MAX)
			return -EBADMSG;
		*clean = *clean && (is_ascii || (is_utf8(f.name) && is_utf8(f.string))) &&
			 (f.type != FIELD_JSON || json_check(f.string)) &&
			 names_add(&names, f.name) < 0;
	}
	return got;
}

/* Appends to a name that is taken the first number that makes it a new one. */
static void make_unique(struct names *names, struct buf *name)
{
	int same = names_add(names, buf_str(name));
	size_t len = name->len;
	while (same >= 0) {
		name->len = len;
		buf_printf(name, "_%d", names->next[same]++);
		if (names_add(names, buf_str(name)) < 0)
			return;
	}
}

static struct str clean_fields(struct str fields, struct buf *out)
{
	struct field f;
	struct names names;
	size_t from = out->len;
	struct buf name = {0}, value = {0};
	names_init(&names);
	/* The names that have been seen are those that stand here: they must not move.  Each
	 * byte becomes three at most, and a number is shorter than what a field has anyway.
	 */
	buf_reserve(out, 3 * fields.len + 16);
	while (field_next(&fields, &f) == 1) {
		name.len = value.len = 0;
		utf8_put(&name, f.name);
		name.len = utf8_cut(buf_str(&name), FIELD_NAME_MAX);
		utf8_put(&value, f.string);
		make_unique(&names, &name);
		f.name = buf_str(&name);
		/* What is no JSON is still a text. */
		if (f.type == FIELD_JSON && !json_check(buf_str(&value)))
			f.type = FIELD_STRING;
		f.string = buf_str(&value);
		names.seen[names.n - 1].data = out->data + out->len + 2;
		field_put(out, &f);
	}
	buf_fini(&name);
	buf_fini(&value);
	return (struct str){out->data + from, out->len - from};
}

int fields_clean(struct str fields, struct buf *scratch, struct str *ret)
{
	bool clean;
	*ret = fields;
	if (check_fields(fields, &clean) < 0)
		return -EBADMSG;
	if (!clean)
		*ret = clean_fields(fields, scratch);
	return 0;
}

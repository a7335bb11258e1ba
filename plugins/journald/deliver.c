/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "journald.h"

enum { LIST_MAX = 512 };

/* How many of the `n` bytes are whole characters; *is_text: no byte is anything else. */
static size_t whole_text(const char *p, size_t n, bool *is_text)
{
	size_t i = 0;
	*is_text = true;
	while (i < n) {
		unsigned char c = (unsigned char)p[i];
		size_t len = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
		bool is_good = c != 0 && (c < 0x80 || (c >= 0xc2 && c < 0xf5));
		for (size_t k = 1; is_good && k < len && i + k < n; k++)
			is_good = ((unsigned char)p[i + k] & 0xc0) == 0x80;
		if (is_good && i + len > n)
			return i; /* cut in two */
		if (!is_good)
			*is_text = false;
		i += is_good ? len : 1;
	}
	return n;
}

static bool to_number(const struct text *t, int64_t *ret)
{
	char digits[20];
	char *end;
	size_t sign = t->n && t->p[0] == '-';
	if (t->n <= sign || t->n >= 19 || (t->p[sign] == '0' && t->n > 1))
		return false;
	memcpy(digits, t->p, t->n);
	digits[t->n] = 0;
	*ret = strtoll(digits, &end, 10);
	return !*end && digits[sign] >= '0' && digits[sign] <= '9';
}

static const char *base64(struct fields *f, const struct text *t, size_t *n)
{
	static const char set[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = must(fields_alloc(f, (t->n + 2) / 3 * 4)), *q = out;
	for (size_t i = 0; i < t->n; i += 3) {
		size_t left = t->n - i;
		uint32_t v = (uint32_t)(unsigned char)t->p[i] << 16;
		v |= left > 1 ? (uint32_t)(unsigned char)t->p[i + 1] << 8 : 0;
		v |= left > 2 ? (unsigned char)t->p[i + 2] : 0;
		*q++ = set[v >> 18];
		*q++ = set[v >> 12 & 63];
		*q++ = left > 1 ? set[v >> 6 & 63] : '=';
		*q++ = left > 2 ? set[v & 63] : '=';
	}
	*n = (size_t)(q - out);
	return out;
}

static void list(char *names, const char *name)
{
	size_t n = strlen(names);
	if (n + strlen(name) + 2 < LIST_MAX)
		sprintf(names + n, "%s%s", n ? " " : "", name);
}

/* The value of a field that may be anything. */
static void put_field(struct state *s, const struct raw *r, char *cut, char *binary)
{
	bool is_text;
	size_t whole = whole_text(r->value.p, r->value.n, &is_text);
	int64_t number;
	if (!is_text || (whole < r->value.n && !r->is_cut)) {
		size_t n;
		const char *coded = base64(&s->fields, &r->value, &n);
		fields_str(&s->fields, r->name->text, coded, n);
		list(binary, r->name->text);
		s->n_binary++;
	} else if (r->name->is_number && to_number(&r->value, &number)) {
		fields_int(&s->fields, r->name->text, number);
	} else {
		fields_str(&s->fields, r->name->text, r->value.p, whole);
	}
	if (r->is_cut)
		list(cut, r->name->text);
}

static void put_message(struct state *s, const struct raw *r, struct sluice_event *ev, char *binary)
{
	bool is_text;
	ev->body = r->value.p;
	ev->body_len = r->is_cut ? whole_text(r->value.p, r->value.n, &is_text) : r->value.n;
	/* Whatever is no character becomes U+FFFD on its way. */
	if (whole_text(r->value.p, ev->body_len, &is_text) < ev->body_len || !is_text) {
		list(binary, "MESSAGE");
		s->n_binary++;
	}
	if (r->is_cut) {
		ev->flags |= SLUICE_TRUNCATED;
		fields_int(&s->fields, "size", (int64_t)r->size);
	}
}

static void put_fields(struct state *s, struct sluice_event *ev)
{
	const struct entry *e = &s->entry;
	char cut[LIST_MAX] = "", binary[LIST_MAX] = "";
	if (e->known[KNOWN_MESSAGE])
		put_message(s, e->known[KNOWN_MESSAGE], ev, binary);
	for (size_t i = 0; i < e->n; i++) {
		const struct raw *r = &e->all[i];
		if (r == e->known[KNOWN_MESSAGE] || r == e->known[KNOWN_SOURCE_TIME] ||
		    !r->name->is_wanted)
			continue;
		put_field(s, r, cut, binary);
	}
	if (cut[0])
		fields_str(&s->fields, "journald.cut", fields_copy(&s->fields, cut, strlen(cut)),
			   strlen(cut));
	if (binary[0])
		fields_str(&s->fields, "journald.binary",
			   fields_copy(&s->fields, binary, strlen(binary)), strlen(binary));
	s->n_cut += cut[0] || (ev->flags & SLUICE_TRUNCATED);
	if (s->fields.n_dropped || e->n_dropped)
		ev->flags |= SLUICE_TRUNCATED;
}

static int severity_of(const struct entry *e)
{
	const struct raw *r = e->known[KNOWN_PRIORITY];
	bool is_good = r && r->value.n == 1 && r->value.p[0] >= '0' && r->value.p[0] <= '7';
	return is_good ? r->value.p[0] - '0' : SLUICE_NO_SEVERITY;
}

/* When the program sent it, else when journald received it. */
static int64_t time_of(const struct entry *e)
{
	int64_t us = 0;
	const struct raw *r = e->known[KNOWN_SOURCE_TIME];
	if (!r || !to_number(&r->value, &us) || us <= 0 || us > INT64_MAX / 1000)
		us = e->time < INT64_MAX / 1000 ? (int64_t)e->time : 0;
	return us * 1000;
}

static int emit_entry(struct state *s, struct chain *c)
{
	char value[CURSOR_TEXT];
	struct sluice_cursor cursor = chain_cursor(c, value);
	struct sluice_event ev = {
		.type = "entry",
		.time_ns = time_of(&s->entry),
		.severity = severity_of(&s->entry),
		.body = "",
		.cursor = &cursor,
	};
	put_fields(s, &ev);
	ev.fields = s->fields.all;
	ev.n_fields = s->fields.n;
	s->n_entries++;
	s->n_bytes += ev.body_len;
	return s->src->host->emit(s->src, &ev);
}

int deliver_entry(struct state *s, struct chain *c)
{
	struct jfile *f = c->file;
	int r = entry_read(s, f->j);
	uint64_t seqnum = f->seqnum, time = f->time;
	chain_taken(c);
	if (r < 0) {
		s->n_damaged++;
		struct loss l = {.reason = "damaged",
				 .count = 1,
				 .first = seqnum,
				 .last = seqnum,
				 .since = time,
				 .until = time,
				 .path = f->path,
				 .message = "1 entry is damaged: its fields cannot be read (check "
					    "the file with journalctl --verify)"};
		return deliver_gap(s, c, &l, NULL);
	}
	if (select_entry(s))
		return emit_entry(s, c);
	s->n_filtered++;
	return 0;
}

/* ---- gaps ---- */

static void put_time(struct fields *f, const char *name, uint64_t us)
{
	char text[64];
	time_t t = (time_t)(us / 1000000);
	struct tm tm;
	if (!us || !gmtime_r(&t, &tm))
		return;
	size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(text + n, sizeof(text) - n, ".%06uZ", (unsigned)(us % 1000000));
	fields_str(f, name, fields_copy(f, text, n), n);
}

int deliver_gap(struct state *s, const struct chain *c, const struct loss *l,
		const struct sluice_cursor *given)
{
	char value[CURSOR_TEXT];
	struct sluice_cursor cursor = {0};
	struct fields *f = &s->fields;
	if (c)
		cursor = (struct sluice_cursor){c->key, strlen(c->key), value,
						chain_encode(c, value, sizeof(value))};
	fields_reset(f);
	fields_cstr(f, "reason", l->reason);
	if (l->count)
		fields_int(f, "count", (int64_t)l->count);
	if (l->path)
		fields_cstr(f, "log.file.path", l->path);
	if (l->first)
		fields_int(f, "first_seqnum", (int64_t)l->first);
	if (l->last)
		fields_int(f, "last_seqnum", (int64_t)l->last);
	put_time(f, "since", l->since);
	put_time(f, "until", l->until);
	struct sluice_event ev = {
		.type = "gap",
		.severity = SLUICE_NO_SEVERITY,
		.flags = SLUICE_GAP,
		.body = l->message,
		.body_len = strlen(l->message),
		.fields = f->all,
		.n_fields = f->n,
		.cursor = c ? &cursor : given,
	};
	s->n_lost += l->count;
	say(s->src, SLUICE_LOG_WARNING, "%s", l->message);
	return s->src->host->emit(s->src, &ev);
}

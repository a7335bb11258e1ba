/* SPDX-License-Identifier: MIT */
#include "journal/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/table.h"
#include "filter/grams.h"
#include "journal/bloom.h"
#include "journal/checkpoint.h"
#include "wire/record.h"

/* The newest cursor of each key in the segment. */
struct newest {
	struct table_entry by_key;
	struct buf key; /* of the source, a NUL, and its own */
	struct buf value;
	size_t source_len;
	event_id at; /* the batch that set it */
};

struct sealer {
	const struct segment *from;
	struct batch_reader reader;
	struct sealed_writer writer;
	uint64_t begun; /* where the block at hand begins */
	struct sealed_summary holds;
	uint32_t counts[SEVERITIES], n_noted; /* of its events */
	bool ascends;                         /* each of them has a higher id than all before */
	event_id last;                        /* the highest so far */
	struct bloom_keys keys;
	struct buf grams, bloom, scratch;
	struct buf fields; /* that were noted last in this block */
	struct table cursors;
};

/* ---- what a block holds ------------------------------------------------------------------ */

static void note_event(struct sealer *s, const struct event *ev)
{
	struct sealed_summary *h = &s->holds;
	bool is_first = !s->n_noted;
	unsigned severity = severity_place(ev->severity);
	h->from_ns = is_first ? ev->time_ns : MIN(h->from_ns, ev->time_ns);
	h->to_ns = is_first ? ev->time_ns : MAX(h->to_ns, ev->time_ns);
	h->severities |= 1u << severity;
	if (ev->flags & EVENT_GAP)
		h->severities |= SEALED_GAP;
	s->ascends &= ev->id > s->last;
	s->last = MAX(s->last, ev->id);
	s->counts[severity]++;
	s->n_noted++;
}

/* A reader takes each event once, whatever stands there twice. */
static void put_counts(struct sealer *s)
{
	bool is_counted = s->ascends && s->n_noted == s->holds.n_events && s->n_noted <= UINT16_MAX;
	for (int i = 0; is_counted && i < SEVERITIES; i++)
		s->holds.counts[i] = (uint16_t)s->counts[i];
	if (is_counted)
		s->holds.severities |= SEALED_COUNTED;
}

static void note_message(struct sealer *s, struct str message)
{
	uint32_t *grams = (void *)buf_reserve(&s->grams, grams_max(message.len) * sizeof(*grams));
	size_t n = grams_of(message, grams);
	for (size_t i = 0; i < n; i++)
		bloom_keys_add(&s->keys, grams[i]);
}

static void note_fields(struct sealer *s, struct str fields)
{
	struct field f;
	uint32_t grams[GRAMS_OF_FIELD];
	if (str_eq(fields, buf_str(&s->fields))) /* as those of the event before */
		return;
	s->fields.len = 0;
	buf_put_str(&s->fields, fields);
	while (field_next(&fields, &f) == 1) {
		struct value v = value_of_field(&f, &s->scratch);
		if (!grams_of_field(f.name, &v, grams))
			continue;
		for (size_t i = 0; i < array_size(grams); i++)
			bloom_keys_add(&s->keys, grams[i]);
	}
}

static struct newest *find_newest(struct sealer *s, const struct cursor *c)
{
	struct buf key = {0};
	buf_put_str(&key, c->source);
	buf_putc(&key, 0);
	buf_put_str(&key, c->key);
	uint64_t hash = table_hash(&s->cursors, key.data, key.len);
	table_each_of (e, &s->cursors, hash) {
		struct newest *n = container_of(e, struct newest, by_key);
		if (str_eq(buf_str(&n->key), buf_str(&key))) {
			buf_fini(&key);
			return n;
		}
	}
	struct newest *n = mem_zero(sizeof(*n));
	n->key = key;
	n->source_len = c->source.len;
	table_add(&s->cursors, &n->by_key, hash);
	return n;
}

static void note_cursor(struct sealer *s, const struct cursor *c, event_id at)
{
	struct newest *n = find_newest(s, c);
	n->value.len = 0;
	buf_put_str(&n->value, c->value);
	n->at = at;
}

static void note_batch(struct sealer *s, const struct batch *b)
{
	struct sealed_summary *h = &s->holds;
	struct str rest = b->records;
	struct record rec;
	if (!h->first) {
		h->first = b->first;
		h->ordinal = b->ordinal;
	}
	if (b->ordinal != h->ordinal + h->n_events)
		h->severities |= SEALED_HOLE;
	h->last = MAX(h->last, b->last);
	h->n_events += b->n_events;
	while (record_next(&rest, &rec) == 1) {
		if (rec.kind == RECORD_EVENT) {
			note_event(s, &rec.event);
			note_message(s, rec.event.message);
			note_fields(s, rec.event.fields);
		} else {
			note_cursor(s, &rec.cursor, b->last);
		}
	}
}

static void put_cursors(struct sealer *s, struct buf *out)
{
	table_each_safe (e, &s->cursors) {
		const struct newest *n = container_of(e, struct newest, by_key);
		struct str key = buf_str(&n->key);
		checkpoint_put(out, n->at,
			       &(struct cursor){.source = {key.data, n->source_len},
						.key = {key.data + n->source_len + 1,
							key.len - n->source_len - 1},
						.value = buf_str(&n->value)});
	}
}

/* ---- block by block ---------------------------------------------------------------------- */

static int end_block(struct sealer *s, uint64_t end)
{
	struct str text;
	if (end == s->begun)
		return 0;
	int r = batch_reader_text(&s->reader, s->begun, end, &text);
	s->bloom.len = 0;
	bloom_put(&s->bloom, &s->keys);
	put_counts(s);
	s->holds.severities |= SEALED_FIELDS;
	if (!r)
		r = sealed_put_block(&s->writer, s->begun, text, buf_str(&s->bloom), &s->holds);
	s->begun = end;
	s->holds = (struct sealed_summary){0};
	memset(s->counts, 0, sizeof(s->counts));
	s->n_noted = 0;
	s->ascends = true;
	s->fields.len = 0;
	bloom_keys_clear(&s->keys);
	return r;
}

static int put_blocks(struct sealer *s, const atomic_bool *is_cancelled)
{
	struct batch_reader *r = &s->reader;
	struct batch b;
	int got;
	while ((got = batch_next(r, &b)) != 0) {
		if (atomic_load(is_cancelled))
			return -ECANCELED;
		if (got == -EBADMSG)
			s->holds.severities |= SEALED_HOLE;
		if (got == -EBADMSG && batch_resync(r) == 1)
			continue;
		if (got == -EBADMSG)
			break;
		if (got < 0)
			return got;
		if (b.offset - s->begun < SEALED_BLOCK) {
			note_batch(s, &b);
			continue;
		}
		/* Damaged bytes before that batch go into the block before. */
		int err = end_block(s, b.offset);
		if (err)
			return err;
		r->offset = b.offset;
	}
	return end_block(s, s->from->size);
}

static int put_all(struct sealer *s, const atomic_bool *is_cancelled)
{
	const struct segment *from = s->from;
	struct buf cursors = {0};
	int r = put_blocks(s, is_cancelled);
	put_cursors(s, &cursors);
	if (!r)
		r = sealed_finish(&s->writer, buf_str(&cursors),
				  &(struct sealed){.text_end = from->size,
						   .n_events = from->n_events,
						   .last = from->last,
						   .begun_ms = from->begun_ms});
	buf_fini(&cursors);
	return r;
}

/* Recovery needs the file's time in case the clock was wrong. */
static int keep_time(const struct segment *from, int fd)
{
	struct stat st;
	if (fstat(from->fd, &st) < 0)
		return -errno;
	const struct timespec times[2] = {st.st_mtim, st.st_mtim};
	return futimens(fd, times) < 0 || fdatasync(fd) < 0 ? -errno : 0;
}

static int write_sealed(const struct segment *from, int fd, const atomic_bool *is_cancelled)
{
	struct sealer s = {.from = from, .begun = segment_start(from), .ascends = true};
	table_init(&s.cursors);
	batch_reader_init(&s.reader, from, s.begun, from->size);
	sealed_writer_init(&s.writer, fd, s.begun, seal_most(from));
	int r = segment_write_header(from, fd, SEALED_VERSION);
	if (!r)
		r = put_all(&s, is_cancelled);
	if (!r)
		r = keep_time(from, fd);
	table_each_safe (e, &s.cursors) {
		struct newest *n = container_of(e, struct newest, by_key);
		buf_fini(&n->key);
		buf_fini(&n->value);
		free(n);
	}
	table_fini(&s.cursors);
	bloom_keys_fini(&s.keys);
	buf_fini(&s.grams);
	buf_fini(&s.bloom);
	buf_fini(&s.scratch);
	buf_fini(&s.fields);
	batch_reader_fini(&s.reader);
	sealed_writer_fini(&s.writer);
	return r;
}

int segment_seal(const struct segment *s, const char *path, const atomic_bool *is_cancelled,
		 struct segment **ret)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int r = write_sealed(s, fd, is_cancelled);
	close(fd);
	if (!r)
		r = segment_open(path, false, ret);
	/* The new file does not match the original, so do not use it. */
	if (!r && ((*ret)->size != s->size || (*ret)->n_events != s->n_events ||
		   (*ret)->last != s->last)) {
		segment_unref(*ret);
		r = -EIO;
	}
	if (r)
		unlink(path);
	return r;
}

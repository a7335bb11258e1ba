/* SPDX-License-Identifier: MIT */
#include "past/backwards.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { LOOK_AT_THE_CLOCK_EVERY = 8 };

/* One that is wanted. */
struct sighting {
	event_id id;
	size_t at, len; /* in back_place.text */
	/* of a gap */
	const char *reason; /* NULL: it is an event */
	event_id from, to;
	int64_t count;
};

struct back_place {
	size_t part;    /* being read, from its end; newer parts are done */
	size_t piece;   /* how many pieces of this part are still unread, that at hand included */
	event_id below; /* the ids of all that is unread are lower than this */
	bool is_done;
	bool is_expired; /* only what retention has dropped is unread: the last piece of all */
	bool is_edge;    /* the piece at hand lies behind `upto`: of it only how it begins counts */
	struct sighting carried; /* a hole at the start of the piece before; reason NULL: none */

	/* the piece at hand */
	bool is_reading;
	struct journal_part cut; /* of the journal: that piece alone */
	struct past_channel of;
	event_id start;   /* before everything in it */
	uint64_t counted; /* bytes of it that are in backwards.read */

	/* what is wanted of it, in order; the last are taken first */
	struct sighting *seen;
	size_t n_seen, room;
	struct buf text;
};

static bool is_empty(const struct journal_part *p)
{
	return !p->n_places && p->size <= p->start;
}

/* The part that has something after (or, with -1, before) this one; NULL: none has. */
static const struct journal_part *other(const struct journal_snapshot *s, size_t part, int step)
{
	for (size_t i = part + (size_t)step; i < s->n; i += (size_t)step)
		if (!is_empty(&s->parts[i]))
			return &s->parts[i];
	return NULL;
}

/* Where nothing is left of a journal, the first part has a piece all the same: of that is told
 * what is missing.
 */
static size_t pieces_of(const struct journal_snapshot *s, size_t part)
{
	const struct journal_part *p = &s->parts[part];
	bool is_all = !part && is_empty(p) && !other(s, part, 1);
	return p->n_places ? p->n_places : is_all || !is_empty(p);
}

static uint64_t piece_begin(const struct journal_part *p, size_t k)
{
	return k && p->n_places ? p->places[k].offset : p->start;
}

static uint64_t piece_end(const struct journal_part *p, size_t k)
{
	return k + 1 < p->n_places ? p->places[k + 1].offset : p->size;
}

/* The last id before piece `k` of a part, and the ordinal of the event that follows it.  What is
 * missing there is told with the piece before, if there is one.
 */
static event_id before_piece(const struct journal_snapshot *s, size_t part, size_t k,
			     uint64_t *ordinal)
{
	const struct journal_part *p = &s->parts[part];
	if (k && p->n_places) {
		*ordinal = p->places[k].ordinal;
		return p->places[k].first - 1;
	}
	bool is_first = !other(s, part, -1);
	*ordinal = is_first ? s->parts[0].ordinal : p->ordinal;
	return is_first ? 0 : p->segment->before;
}

/* The same of what follows the piece. */
static event_id upto_piece(const struct journal_snapshot *s, size_t part, size_t k,
			   uint64_t *ordinal)
{
	const struct journal_part *p = &s->parts[part], *next = other(s, part, 1);
	if (k + 1 < p->n_places) {
		*ordinal = p->places[k + 1].ordinal;
		return p->places[k + 1].first - 1;
	}
	*ordinal = next ? next->ordinal : s->n_events;
	return next ? next->segment->before : s->last;
}

static event_id id_before(const struct journal_snapshot *s, const struct back_place *p)
{
	uint64_t ordinal;
	return before_piece(s, p->part, p->piece - 1, &ordinal);
}

/* Moves to the part before when there is no unread piece in this one. */
static void settle(const struct backwards *b, size_t i)
{
	struct back_place *p = &b->places[i];
	const struct journal_snapshot *s = &b->channels[i].snapshot;
	while (!p->piece && p->part)
		p->piece = pieces_of(s, --p->part);
	if (p->piece && p->below > b->after + 1)
		return;
	p->is_done = p->is_expired || b->channels[i].gap_to <= b->after;
	p->is_expired = !p->is_done;
	p->below = p->is_done ? 0 : b->after + 2;
}

/* Pieces in which everything is newer than `upto` are left out; *total: the bytes of the others. */
static void begin_place(struct backwards *b, size_t i)
{
	struct back_place *p = &b->places[i];
	const struct journal_snapshot *s = &b->channels[i].snapshot;
	p->below = b->upto + 1;
	if (s->n) {
		p->part = s->n - 1;
		p->piece = pieces_of(s, p->part);
	}
	settle(b, i);
	struct back_place edge = *p;
	while (!p->is_done && !p->is_expired && id_before(s, p) >= b->upto) {
		edge = *p;
		p->piece--;
		settle(b, i);
	}
	struct back_place at = *p;
	if (edge.piece != p->piece || edge.part != p->part) {
		edge.is_edge = true;
		*p = edge;
		if (at.is_done || at.is_expired)
			*p = at;
	}
	while (at.piece && !at.is_done && !at.is_expired) {
		const struct journal_part *part = &s->parts[at.part];
		b->total += piece_end(part, at.piece - 1) - piece_begin(part, at.piece - 1);
		if (id_before(s, &at) <= b->after)
			break;
		at.piece--;
		while (!at.piece && at.part)
			at.piece = pieces_of(s, --at.part);
	}
}

void backwards_init(struct backwards *b, const struct past_channel *channels, size_t n,
		    event_id after, event_id upto, const struct back_taker *taker)
{
	*b = (struct backwards){.channels = channels,
				.n_channels = n,
				.taker = taker,
				.after = after,
				.upto = upto,
				.bound = upto + 1};
	b->places = mem_zero((n + 1) * sizeof(b->places[0]));
	for (size_t i = 0; i < n; i++)
		begin_place(b, i);
}

void backwards_fini(struct backwards *b)
{
	for (size_t i = 0; b->places && i < b->n_channels; i++) {
		free(b->places[i].seen);
		buf_fini(&b->places[i].text);
	}
	past_fini(&b->past);
	free(b->places);
	*b = (struct backwards){0};
}

/* ---- one piece ------------------------------------------------------------------------ */

static void begin_piece(struct backwards *b, size_t i)
{
	struct back_place *p = &b->places[i];
	const struct past_channel *c = &b->channels[i];
	p->of = *c;
	p->n_seen = p->text.len = 0;
	p->counted = 0;
	p->is_reading = true;
	if (p->is_expired) {
		p->start = b->after;
		p->cut = (struct journal_part){0};
		p->of.snapshot = (struct journal_snapshot){0};
		past_again(&b->past, &p->of, b->after);
		past_advance(&b->past);
		return;
	}
	const struct journal_part *part = &c->snapshot.parts[p->part];
	size_t k = p->piece - 1;
	p->cut = (struct journal_part){.segment = part->segment,
				       .start = piece_begin(part, k),
				       .size = piece_end(part, k)};
	p->start = before_piece(&c->snapshot, p->part, k, &p->cut.ordinal);
	p->of.snapshot = (struct journal_snapshot){
		.parts = &p->cut, .n = 1, .low = p->start ? p->start : c->snapshot.low};
	p->of.snapshot.last = upto_piece(&c->snapshot, p->part, k, &p->of.snapshot.n_events);
	p->of.gap_to = 0;
	past_again(&b->past, &p->of, MAX(MAX(p->start, b->after), c->gap_to));
	past_advance(&b->past);
}

static void keep(struct backwards *b, struct back_place *p, const struct past *at, int wanted)
{
	if (p->n_seen == p->room) {
		p->room = p->room ? p->room * 2 : 64;
		p->seen = mem_resize(p->seen, p->room * sizeof(p->seen[0]));
	}
	size_t begin = p->text.len;
	b->taker->put(b->taker->ctx, at, wanted, &p->text);
	p->seen[p->n_seen++] = (struct sighting){.id = at->id,
						 .at = begin,
						 .len = p->text.len - begin,
						 .reason = at->gap_reason,
						 .from = at->gap_from,
						 .to = at->gap_to,
						 .count = at->gap_count};
}

/* A hole at the end of this piece and one at the start of the piece behind it are one. */
static void join_carried(struct backwards *b, struct back_place *p)
{
	const struct sighting *last = p->n_seen ? &p->seen[p->n_seen - 1] : NULL;
	struct sighting *c = &p->carried;
	if (!c->reason)
		return;
	if (last && last->reason && last->to == c->from) {
		c->from = last->from;
		c->count = c->count < 0 || last->count < 0 ? -1 : c->count + last->count;
		if (strcmp(last->reason, "damaged") == 0)
			c->reason = last->reason;
		p->text.len = last->at;
		p->n_seen--;
	} else {
		c->from = MIN(c->from, b->past.seen);
		/* The count is for the whole hole, but the range may begin inside it. */
		if (b->past.seen > b->past.own)
			c->count = -1;
	}
	/* One that is carried from the piece beyond the range may lie wholly beyond it. */
	if (b->past.id || c->from >= b->upto) {
		c->reason = NULL;
		return;
	}
	const struct past gap = {.channel = &p->of,
				 .id = c->from + 1,
				 .upto = c->from,
				 .gap_from = c->from,
				 .gap_to = c->to,
				 .gap_reason = c->reason,
				 .gap_count = c->count};
	int wanted = b->taker->wants(b->taker->ctx, &gap);
	if (wanted > 0)
		keep(b, p, &gap, wanted);
	c->reason = NULL;
}

/* A hole with which the piece begins, if another piece is to be read before it. */
static void carry(struct back_place *p)
{
	const struct sighting *first = p->seen;
	bool is_open = p->n_seen && first->reason && first->from == p->start;
	if (p->is_done || p->is_expired || !is_open)
		return;
	p->carried = *first;
	memmove(p->seen, p->seen + 1, --p->n_seen * sizeof(p->seen[0]));
}

/* The piece behind the range: whether the hole at its end goes on there. */
static void read_edge(struct backwards *b, size_t i)
{
	struct back_place *p = &b->places[i];
	const struct past *at = &b->past;
	begin_piece(b, i);
	if (at->id && at->gap_reason && at->gap_from == p->start)
		p->carried = (struct sighting){.reason = at->gap_reason,
					       .from = at->gap_from,
					       .to = at->gap_to,
					       .count = at->gap_count};
	p->is_reading = p->is_edge = false;
	p->piece--;
	settle(b, i);
}

static bool is_interrupted(const struct backwards *b, int64_t deadline_ns)
{
	return clock_mono_ns() > deadline_ns || (b->is_cancelled && atomic_load(b->is_cancelled));
}

static void count_read(struct backwards *b, struct back_place *p, uint64_t upto)
{
	uint64_t n = MIN(upto, p->cut.size) - p->cut.start;
	b->read += n - p->counted;
	p->counted = n;
}

/* 1 when it has been read, 0 when it was interrupted, or -ELIMIT. */
static int read_piece(struct backwards *b, size_t i, int64_t deadline_ns)
{
	struct back_place *p = &b->places[i];
	if (p->is_edge) {
		read_edge(b, i);
		return 1;
	}
	if (!p->is_reading)
		begin_piece(b, i);
	for (unsigned n = 1; b->past.id && b->past.id <= b->upto; n++) {
		if (n % LOOK_AT_THE_CLOCK_EVERY == 0 && is_interrupted(b, deadline_ns)) {
			if (b->past.is_open)
				count_read(b, p, b->past.reader.offset);
			return 0;
		}
		int wanted = b->taker->wants(b->taker->ctx, &b->past);
		if (wanted < 0)
			return wanted;
		if (wanted)
			keep(b, p, &b->past, wanted);
		past_advance(&b->past);
	}
	join_carried(b, p);
	uint64_t skipped = b->past.n_skipped;
	p->is_reading = false;
	count_read(b, p, p->cut.size);
	b->skipped += skipped;
	p->below = p->start + 1;
	if (p->piece)
		p->piece--;
	settle(b, i);
	carry(p);
	return 1;
}

/* ---- all of them ---------------------------------------------------------------------- */

/* Of one id, the gap was read first. */
static bool is_newer(const struct sighting *a, const struct sighting *b)
{
	return a->id != b->id ? a->id > b->id : !a->reason && b->reason;
}

/* Those that are newer than all that is unread: whether all of them were taken. */
static bool take_known(struct backwards *b, event_id bound)
{
	for (;;) {
		struct back_place *newest = NULL;
		for (size_t i = 0; i < b->n_channels; i++) {
			struct back_place *p = &b->places[i];
			if (p->is_reading || !p->n_seen || p->seen[p->n_seen - 1].id < bound)
				continue;
			/* Of two gaps with one id, that of the last channel. */
			if (!newest ||
			    !is_newer(&newest->seen[newest->n_seen - 1], &p->seen[p->n_seen - 1]))
				newest = p;
		}
		if (!newest)
			return true;
		const struct sighting *s = &newest->seen[--newest->n_seen];
		b->bound = s->id;
		if (!b->taker->take(b->taker->ctx, s->id,
				    (struct str){newest->text.data + s->at, s->len}))
			return false;
	}
}

int backwards_run(struct backwards *b, int64_t deadline_ns)
{
	for (;;) {
		struct back_place *highest = NULL;
		for (size_t i = 0; i < b->n_channels; i++) {
			struct back_place *p = &b->places[i];
			if (!p->is_done && (!highest || p->below > highest->below))
				highest = p;
		}
		event_id bound = highest ? highest->below : 0;
		if (!take_known(b, bound))
			return 0;
		b->bound = MIN(b->bound, bound);
		if (!highest)
			return 1;
		int r = read_piece(b, (size_t)(highest - b->places), deadline_ns);
		if (r <= 0)
			return r;
	}
}

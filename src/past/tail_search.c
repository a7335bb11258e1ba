/* SPDX-License-Identifier: MIT */
#include "past/tail_search.h"

#include "past/skip.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct tail_place {
	size_t part;    /* being read, from its end; newer parts are done */
	size_t piece;   /* how many pieces of this part are still unread */
	event_id below; /* the ids of all unread events are lower than this */
	bool is_done;
	/* where reading was interrupted, in piece number `piece` - 1; offset 0: it was not */
	uint64_t offset; /* of the batch where it goes on */
	size_t n_taken;  /* records of that batch that are done */
	event_id lowest; /* id seen in the piece */
};

enum { LOOK_AT_THE_CLOCK_EVERY = 8 };

static size_t pieces_of(const struct journal_part *p)
{
	return p->n_places ? p->n_places : p->size > p->start;
}

static void enter_part(const struct past_channel *c, struct tail_place *p, size_t part)
{
	p->part = part;
	p->piece = pieces_of(&c->snapshot.parts[part]);
}

void tail_search_init(struct tail_search *l, const struct past_channel *channels, size_t n,
		      event_id upto, uint64_t want)
{
	*l = (struct tail_search){.channels = channels,
				  .n_channels = n,
				  .upto = upto,
				  .want = want,
				  .bound = upto + 1};
	l->places = mem_zero((n + 1) * sizeof(l->places[0]));
	for (size_t i = 0; i < n; i++) {
		l->places[i].below = upto + 1;
		if (channels[i].snapshot.n)
			enter_part(&channels[i], &l->places[i], channels[i].snapshot.n - 1);
		else
			l->places[i].is_done = true;
	}
}

void tail_search_fini(struct tail_search *l)
{
	free(l->places);
	free(l->ids);
	buf_fini(&l->bloom);
	*l = (struct tail_search){0};
}

static void add(struct tail_search *l, event_id id)
{
	if (l->n_ids == l->room) {
		l->room = l->room ? l->room * 2 : 256;
		l->ids = mem_resize(l->ids, l->room * sizeof(l->ids[0]));
	}
	l->ids[l->n_ids++] = id;
}

static bool is_interrupted(const struct tail_search *l, int64_t deadline_ns)
{
	return clock_mono_ns() > deadline_ns || (l->is_cancelled && atomic_load(l->is_cancelled));
}

/* What is left of one batch's events: 0, 1 when it was interrupted, or -ELIMIT. */
static int take_batch(struct tail_search *l, const struct past_channel *c, const struct batch *b,
		      struct filter_run *run, int64_t deadline_ns, struct tail_place *p)
{
	struct str rest = b->records;
	struct record rec;
	size_t skip = p->n_taken;
	for (size_t n = 0; record_next(&rest, &rec) == 1; n++) {
		if (n < skip)
			continue;
		if (n > skip && n % LOOK_AT_THE_CLOCK_EVERY == 0 && c->filter &&
		    is_interrupted(l, deadline_ns))
			return 1;
		p->n_taken = n + 1;
		if (rec.kind != RECORD_EVENT)
			continue;
		p->lowest = MIN(p->lowest, rec.event.id);
		if (rec.event.id > l->upto)
			continue;
		int is = 1;
		if (c->filter) {
			filter_run_event(run, &rec.event, c->name);
			is = filter_match(c->filter, run);
		}
		if (is < 0)
			return is;
		if (is)
			add(l, rec.event.id);
	}
	p->n_taken = 0;
	return 0;
}

/* Reads the highest unread piece of one channel, or as much of it as there is time for. */
static int read_piece(struct tail_search *l, size_t i, struct filter_run *run, int64_t deadline_ns)
{
	const struct past_channel *c = &l->channels[i];
	struct tail_place *p = &l->places[i];
	while (!p->piece) {
		if (!p->part) {
			p->is_done = true;
			p->below = 0;
			return 0;
		}
		enter_part(c, p, p->part - 1);
	}
	const struct journal_part *part = &c->snapshot.parts[p->part];
	size_t k = p->piece - 1;
	uint64_t from = part->n_places ? part->places[k].offset : part->start;
	uint64_t to = k + 1 < part->n_places ? part->places[k + 1].offset : part->size;
	struct batch_reader r;
	struct batch b;
	int ret = 0, got;
	if (!p->offset)
		p->lowest = p->below;
	batch_reader_init(&r, part->segment, p->offset ? p->offset : from, to);
	for (uint64_t at = r.offset; !ret; at = r.offset) {
		const struct sealed_block *whole =
			c->scan ? skip_whole_block(part->segment, at, to) : NULL;
		p->offset = at;
		if (whole && skip_rules_out(c->scan, part->segment, whole, &l->bloom)) {
			p->lowest = MIN(p->lowest, whole->holds.first);
			r.offset += whole->text_size;
			continue;
		}
		got = batch_next(&r, &b);
		if (!got)
			break;
		if (got == 1)
			ret = take_batch(l, c, &b, run, deadline_ns, p);
		else if (got != -EBADMSG || batch_resync(&r) != 1)
			break;
	}
	batch_reader_fini(&r);
	if (ret)
		return MIN(ret, 0);
	p->piece--;
	p->offset = p->n_taken = 0;
	p->below = p->lowest;
	return 0;
}

static uint64_t count_from(const struct tail_search *l, event_id bound)
{
	uint64_t n = 0;
	for (size_t i = 0; i < l->n_ids; i++)
		n += l->ids[i] >= bound;
	return n;
}

int tail_search_run(struct tail_search *l, struct filter_run *run, int64_t deadline_ns)
{
	for (;;) {
		size_t highest = l->n_channels;
		event_id bound = 0;
		for (size_t i = 0; i < l->n_channels; i++) {
			if (l->places[i].is_done)
				continue;
			if (highest == l->n_channels || l->places[i].below > bound)
				highest = i;
			bound = MAX(bound, l->places[i].below);
		}
		l->bound = bound;
		if (highest == l->n_channels)
			return 1;
		if (l->n_ids >= l->want && count_from(l, bound) >= l->want)
			return 1;
		if (is_interrupted(l, deadline_ns))
			return 0;
		int r = read_piece(l, highest, run, deadline_ns);
		if (r)
			return r;
	}
}

static int newest_first(const void *a, const void *b)
{
	event_id x = *(const event_id *)a, y = *(const event_id *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

/* Below the bound some were seen, and others not. */
uint64_t tail_search_found(const struct tail_search *l)
{
	return MIN(count_from(l, l->bound), l->want);
}

event_id tail_search_after(struct tail_search *l)
{
	uint64_t n = tail_search_found(l);
	if (!n)
		return l->upto;
	qsort(l->ids, l->n_ids, sizeof(l->ids[0]), newest_first);
	return l->ids[n - 1] - 1;
}

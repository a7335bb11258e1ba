/* SPDX-License-Identifier: MIT */
#include "past/searcher.h"

#include <stdlib.h>

#include "base/clock.h"

enum { LOOK_AT_THE_CLOCK_EVERY = 8 };

enum wanted { NOT_WANTED, IS_CONTEXT, IS_MATCH, IS_GAP };

static bool has_context(const struct searcher *s)
{
	return s->lines_before || s->lines_after;
}

/* One of enum wanted, or -ELIMIT. */
static int wants(struct searcher *s, const struct past *p)
{
	if (p->gap_reason)
		return IS_GAP;
	if (p->is_milestone)
		return NOT_WANTED;
	int is = past_matches(p, s->run);
	if (is)
		return is < 0 ? is : IS_MATCH;
	if (!has_context(s))
		return NOT_WANTED;
	return past_is_context(p, s->run) == 1 ? IS_CONTEXT : NOT_WANTED;
}

/* Says of a line that it is only beside a match; where the form has a place for that. */
static void mark_context(struct buf *out, size_t at)
{
	size_t end = out->len;
	while (end > at && out->data[end - 1] == '\n')
		end--;
	if (end == at || out->data[end - 1] != '}')
		return;
	struct buf tail = {0};
	buf_put(&tail, out->data + end - 1, out->len - end + 1);
	out->len = end - 1;
	buf_puts(out, ",\"context\":true");
	buf_put_str(out, buf_str(&tail));
	buf_fini(&tail);
}

static void put(struct searcher *s, const struct past *p, int wanted, struct buf *out)
{
	size_t at = out->len;
	format_begin(out, s->format);
	if (p->gap_reason)
		format_gap(out, s->format, s->epoch,
			   &(struct gap){.channel = p->channel->name,
					 .from = p->gap_from,
					 .to = p->gap_to,
					 .at = MAX(p->upto, (event_id)1),
					 .count = p->gap_count,
					 .reason = p->gap_reason},
			   true);
	else
		format_event(out, s->format, s->epoch, p->channel->name, &p->event, true);
	format_end(out, s->format, s->epoch, p->gap_reason ? MAX(p->upto, (event_id)1) : p->id);
	if (wanted == IS_CONTEXT)
		mark_context(out, at);
}

/* ---- context, in the order of output -------------------------------------------------- */

/* So many lines come before a match in the output, and so many behind it. */
static uint64_t lines_ahead(const struct searcher *s)
{
	return s->is_oldest_first ? s->lines_before : s->lines_after;
}

static uint64_t lines_behind(const struct searcher *s)
{
	return s->is_oldest_first ? s->lines_after : s->lines_before;
}

/* The n-th of the lines held. */
static struct held_line *held(struct searcher *s, size_t n)
{
	return &s->held[(s->first_held + n) % lines_ahead(s)];
}

/* The oldest is not needed any more, but for the gaps behind it. */
static void drop_first(struct searcher *s)
{
	const struct held_line *h = held(s, 0);
	buf_put(&s->out, h->text.data + h->len, h->text.len - h->len);
	s->first_held = (s->first_held + 1) % lines_ahead(s);
	s->n_held--;
}

static void hold(struct searcher *s, struct str text)
{
	if (!lines_ahead(s))
		return;
	if (s->n_held == lines_ahead(s))
		drop_first(s);
	struct held_line *h = held(s, s->n_held++);
	h->text.len = 0;
	buf_put_str(&h->text, text);
	h->len = text.len;
}

static void give_held(struct searcher *s)
{
	for (size_t i = 0; i < s->n_held; i++)
		buf_put_str(&s->out, buf_str(&held(s, i)->text));
	s->n_held = 0;
}

static void drop_held(struct searcher *s)
{
	while (s->n_held)
		drop_first(s);
}

static bool is_over(const struct searcher *s)
{
	return s->limit && s->n_matches == s->limit && !s->n_follow;
}

/* The next in the order of output. */
static void give(struct searcher *s, int wanted, struct str text)
{
	if (wanted == IS_CONTEXT && !s->n_follow) {
		hold(s, text);
		return;
	}
	if (wanted == IS_GAP && s->n_held) {
		buf_put_str(&held(s, s->n_held - 1)->text, text);
		return;
	}
	if (wanted == IS_CONTEXT) {
		s->n_follow--;
	} else if (wanted == IS_MATCH) {
		give_held(s);
		s->n_matches++;
		s->n_follow = lines_behind(s);
	}
	buf_put_str(&s->out, text);
}

/* ---- newest first ---------------------------------------------------------------------- */

struct turn {
	struct searcher *s;
	size_t enough;
};

static int back_wants(void *ctx, const struct past *p)
{
	return wants(((struct turn *)ctx)->s, p);
}

/* What it is stands before the text. */
static void back_put(void *ctx, const struct past *p, int wanted, struct buf *out)
{
	buf_putc(out, (char)wanted);
	put(((struct turn *)ctx)->s, p, wanted, out);
}

static bool back_take(void *ctx, event_id id, struct str text)
{
	struct turn *t = ctx;
	struct searcher *s = t->s;
	int wanted = text.data[0];
	/* A match that is one too many ends the context of the last one as well. */
	if (s->limit && s->n_matches == s->limit && wanted == IS_MATCH) {
		s->is_full = true;
		return false;
	}
	give(s, wanted, (struct str){text.data + 1, text.len - 1});
	s->next = id;
	s->is_full = is_over(s);
	return !s->is_full && s->out.len < t->enough;
}

static bool run_backwards(struct searcher *s, int64_t deadline_ns, size_t enough)
{
	struct turn turn = {s, enough};
	const struct back_taker taker = {&turn, back_wants, back_put, back_take};
	if (!s->is_begun) {
		backwards_init(&s->backwards, s->channels, s->n_channels, s->after, s->upto,
			       &taker);
		s->backwards.is_cancelled = s->is_cancelled;
		s->is_begun = true;
	}
	s->backwards.taker = &taker;
	int r = backwards_run(&s->backwards, deadline_ns);
	s->read = s->backwards.read;
	s->total = s->backwards.total;
	s->skipped = s->backwards.skipped;
	s->reached = s->backwards.bound;
	s->is_complete = r == 1;
	if (r < 0) {
		s->slow = s->run->slow;
		s->next = s->reached;
	}
	return s->is_complete || s->is_full || s->slow;
}

/* ---- oldest first ---------------------------------------------------------------------- */

static bool is_interrupted(const struct searcher *s, int64_t deadline_ns)
{
	return clock_mono_ns() > deadline_ns || (s->is_cancelled && atomic_load(s->is_cancelled));
}

/* Bytes of the journals up to where each stands. */
static void count_read(struct searcher *s)
{
	s->read = s->total = s->skipped = 0;
	for (size_t i = 0; i < s->n_channels; i++) {
		const struct journal_snapshot *snap = &s->channels[i].snapshot;
		const struct past *p = &s->pasts.all[i];
		s->skipped += p->n_skipped;
		for (size_t k = p->first_part; k < snap->n; k++) {
			const struct journal_part *part = &snap->parts[k];
			uint64_t n = part->size - part->start;
			s->total += n;
			if (k < p->part)
				s->read += n;
			else if (k == p->part && p->is_open)
				s->read += p->reader.offset - part->start;
		}
	}
}

static bool run_forwards(struct searcher *s, int64_t deadline_ns, size_t enough)
{
	struct past *p;
	struct buf text = {0};
	unsigned n = 0;
	if (!s->is_begun)
		pasts_init(&s->pasts, s->channels, s->n_channels, s->after);
	s->is_begun = true;
	for (; (p = pasts_first(&s->pasts, s->upto)); past_advance(p)) {
		if (s->out.len >= enough ||
		    (++n % LOOK_AT_THE_CLOCK_EVERY == 0 && is_interrupted(s, deadline_ns)))
			break;
		int wanted = wants(s, p);
		if (wanted < 0)
			s->slow = s->run->slow;
		s->is_full =
			is_over(s) || (s->limit && s->n_matches == s->limit && wanted == IS_MATCH);
		if (wanted < 0 || s->is_full)
			break;
		if (wanted) {
			text.len = 0;
			put(s, p, wanted, &text);
			give(s, wanted, buf_str(&text));
		}
		s->next = s->reached = p->upto;
	}
	s->is_complete = !p;
	if (s->is_complete)
		s->reached = s->upto;
	count_read(s);
	buf_fini(&text);
	return s->is_complete || s->is_full || s->slow;
}

/* ---- both ------------------------------------------------------------------------------ */

bool searcher_run(struct searcher *s, int64_t deadline_ns, size_t enough)
{
	bool is_over = s->is_oldest_first ? run_forwards(s, deadline_ns, enough)
					  : run_backwards(s, deadline_ns, enough);
	if (is_over)
		drop_held(s);
	return is_over;
}

void searcher_fini(struct searcher *s)
{
	if (s->is_begun && s->is_oldest_first)
		pasts_fini(&s->pasts);
	backwards_fini(&s->backwards);
	for (size_t i = 0; i < SEARCHER_CONTEXT_MAX; i++)
		buf_fini(&s->held[i].text);
	buf_fini(&s->out);
}

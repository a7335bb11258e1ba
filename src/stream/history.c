/* SPDX-License-Identifier: MIT */
#include "stream/history.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "channel/channel.h"
#include "channel/regexes.h"
#include "loop/helper.h"
#include "past/past.h"
#include "past/replay.h"
#include "past/tail_search.h"
#include "stream/outlet.h"
#include "stream/past_range.h"
#include "stream/quota.h"

#define SLICE_NS        (20 * NS_PER_MS)
#define TOTAL_NS        (1500 * NS_PER_MS) /* of reading, for one page */
#define STALL_NS        (30 * NS_PER_SEC)
#define TAKEN_WITHIN_NS (600 * NS_PER_SEC)

enum {
	PAGE_BYTES = 4 * 1024 * 1024,
	HOLES_MAX = 1024 * 1024,
	LOOK_AT_THE_CLOCK_EVERY = 8,
	PAGES_OF_ADDRESS_MAX = 16
};

struct line {
	event_id id;
	size_t at, len; /* in page.lines */
	bool is_match;
};

struct page {
	struct list link; /* in pages.all */
	struct pages *all;
	struct outlet outlet;
	struct loop_task reaper;
	struct loop_timer deadline;
	struct helper_job job;
	bool is_running, is_over; /* the helper has it; the client has left */
	atomic_bool is_cancelled; /* the helper need not go on */

	struct subscription sub; /* owned */
	struct buf headers;      /* of the response */
	struct str epoch;        /* borrowed */
	struct past_channel *channels;
	struct filter_scan *scans; /* owned: of these; NULL with context */
	bool is_backward;
	event_id after, upto;
	struct tail_search search;
	bool is_located;

	/* what came of it */
	struct buf lines;   /* rendered events, one behind the other */
	struct line *found; /* those shown, in order */
	size_t n_found, room;
	size_t n_shown; /* bytes of them */
	uint64_t n_matches;
	size_t n_before;   /* of the last lines: they do not match, and may yet be context */
	uint64_t n_behind; /* lines that are still wanted after the last match */
	event_id seen;     /* everything up to here has been looked at */
	bool is_complete;  /* the whole range was looked at */
	bool is_full;      /* it ended because the page is full */
	bool is_cut;       /* its beginning is left for the next one */
	int64_t spent_ns;
	struct regex *slow;
	struct quota_entry *quotas[2]; /* of its address; and NULL */
	int64_t answered_ns;           /* loop time */
};

/* ---- in a helper thread -------------------------------------------------------------- */

static void put_line(struct page *p, const struct past *e, bool is_match)
{
	if (p->n_found == p->room) {
		p->room = p->room ? p->room * 2 : 64;
		p->found = mem_resize(p->found, p->room * sizeof(p->found[0]));
	}
	size_t at = p->lines.len;
	if (e->gap_reason)
		format_gap(&p->lines, p->sub.format, p->epoch,
			   &(struct gap){.channel = e->channel->name,
					 .from = e->gap_from,
					 .to = e->gap_to,
					 .at = MAX(e->upto, (event_id)1),
					 .count = e->gap_count,
					 .reason = e->gap_reason},
			   true);
	else
		format_event(&p->lines, p->sub.format, p->epoch, e->channel->name, &e->event, true);
	p->found[p->n_found++] = (struct line){e->id, at, p->lines.len - at, is_match};
	p->n_shown += p->lines.len - at;
}

/* The oldest of the lines that are kept in case a match follows. */
static void drop_oldest_context(struct page *p)
{
	size_t i = p->n_found - p->n_before;
	p->n_shown -= p->found[i].len;
	memmove(&p->found[i], &p->found[i + 1], (p->n_found - i - 1) * sizeof(p->found[0]));
	p->n_found--;
	p->n_before--;
}

/* Context that was dropped leaves holes. */
static void close_up(struct page *p)
{
	struct buf closed = {0};
	if (p->lines.len < p->n_shown + HOLES_MAX)
		return;
	for (size_t i = 0; i < p->n_found; i++) {
		struct line *l = &p->found[i];
		size_t at = closed.len;
		buf_put(&closed, p->lines.data + l->at, l->len);
		l->at = at;
	}
	buf_fini(&p->lines);
	p->lines = closed;
}

/* A page that was asked for backwards ends with the newest: what is too much goes
 * from its beginning, for the next page.
 */
static void cut_beginning(struct page *p)
{
	size_t n = 0;
	if (!p->is_backward || p->n_shown < PAGE_BYTES + HOLES_MAX)
		return;
	while (p->n_shown > PAGE_BYTES && n + p->n_before + 1 < p->n_found)
		p->n_shown -= p->found[n++].len;
	p->n_found -= n;
	memmove(p->found, p->found + n, p->n_found * sizeof(p->found[0]));
	p->is_cut |= n > 0;
}

static void take(struct page *p, const struct past *e, bool is_match)
{
	cut_beginning(p);
	close_up(p);
	if (is_match) {
		put_line(p, e, true);
		p->n_matches += !e->gap_reason;
		p->n_before = 0;
		p->n_behind = p->sub.lines_after;
		return;
	}
	if (p->n_behind) {
		put_line(p, e, false);
		p->n_behind--;
		return;
	}
	if (!p->sub.lines_before)
		return;
	put_line(p, e, false);
	if (++p->n_before > p->sub.lines_before)
		drop_oldest_context(p);
}

static bool is_full(const struct page *p)
{
	return (p->n_matches >= p->sub.limit && !p->n_behind) ||
	       (!p->is_backward && p->n_shown > PAGE_BYTES);
}

/* Context stands before the first event of a page that was found backwards too. */
static event_id first_wanted(const struct page *p)
{
	return p->is_backward ? p->after : 0;
}

static void read_on(struct page *p, struct filter_run *run, int64_t deadline_ns)
{
	struct pasts pasts;
	struct past *e;
	bool behind_gap = false; /* not a place to stop at: it would be told once more */
	unsigned n = 0;
	pasts_init(&pasts, p->channels, p->sub.n_channels, p->seen);
	for (; (e = pasts_first(&pasts, p->upto)); past_advance(e)) {
		if (is_full(p)) {
			p->is_full = true;
			break;
		}
		if (!behind_gap && ++n % LOOK_AT_THE_CLOCK_EVERY == 0 &&
		    (clock_mono_ns() > deadline_ns || atomic_load(&p->is_cancelled)))
			break;
		if (e->is_milestone) {
			p->seen = e->upto;
			behind_gap = false;
			continue;
		}
		behind_gap = e->gap_reason != NULL;
		event_id end = e->gap_reason ? e->gap_to : e->id;
		int is = end > first_wanted(p) ? past_matches(e, run) : 0;
		if (is < 0) {
			p->slow = run->slow;
			break;
		}
		bool may_stand = is || past_is_context(e, run) == 1;
		if (may_stand)
			take(p, e, is);
		p->seen = e->upto;
	}
	if (!e) {
		p->seen = p->upto;
		p->is_complete = true;
	}
	pasts_fini(&pasts);
}

/* So many lines before an id, whatever they are.  Where a derived channel lets few of them
 * pass, only those that are found in a slice of time.
 */
static event_id with_context(struct page *p, struct filter_run *run, event_id after)
{
	struct tail_search l;
	bool all_pass = true;
	struct past_channel *all = mem_zero((p->sub.n_channels + 1) * sizeof(all[0]));
	for (size_t i = 0; i < p->sub.n_channels; i++) {
		all[i] = p->channels[i];
		all[i].filter = all[i].bounds;
		all_pass &= !all[i].bounds;
	}
	tail_search_init(&l, all, p->sub.n_channels, after, p->sub.lines_before);
	l.is_cancelled = &p->is_cancelled;
	int found;
	do {
		found = tail_search_run(&l, run, clock_mono_ns() + SLICE_NS);
	} while (!found && all_pass && !atomic_load(&p->is_cancelled));
	event_id ret = found < 0 ? after : tail_search_after(&l);
	tail_search_fini(&l);
	free(all);
	return ret;
}

static void work(struct helper_job *job)
{
	struct page *p = container_of(job, struct page, job);
	struct filter_run *run = &p->all->readers->runs[job->thread];
	int64_t begun = clock_mono_ns(), deadline_ns = begun + SLICE_NS;
	bool last = p->spent_ns + SLICE_NS > TOTAL_NS;
	if (p->is_backward && !p->is_located) {
		int found = tail_search_run(&p->search, run, deadline_ns);
		if (found < 0)
			p->slow = run->slow;
		else if (found || (last && p->search.bound <= p->upto)) {
			p->is_located = true;
			p->after = tail_search_after(&p->search);
			p->seen = p->after;
			if (p->sub.lines_before && tail_search_found(&p->search))
				p->seen = with_context(p, run, p->after);
		}
	}
	if (!p->slow && (!p->is_backward || p->is_located))
		read_on(p, run, MAX(deadline_ns, clock_mono_ns() + SLICE_NS / 2));
	p->spent_ns += clock_mono_ns() - begun;
}

static struct loop *loop_of(const struct page *p)
{
	return p->all->registry->loop;
}

/* ---- in the loop ---------------------------------------------------------------------------- */

static void reap(struct loop_task *t)
{
	struct page *p = container_of(t, struct page, reaper);
	if (p->is_running)
		return; /* done() comes here again */
	past_range_free(p->channels, p->sub.n_channels);
	free(p->scans);
	tail_search_fini(&p->search);
	subscription_release(&p->sub);
	subscription_fini(&p->sub);
	buf_fini(&p->headers);
	buf_fini(&p->lines);
	free(p->found);
	free(p);
}

static void end(struct page *p)
{
	if (p->is_over)
		return;
	p->is_over = true;
	p->all->n_open--;
	quota_give(p->quotas[0]);
	list_remove(&p->link);
	loop_timer_cancel(loop_of(p), &p->deadline);
	outlet_close(&p->outlet);
	atomic_store(&p->is_cancelled, true);
	if (p->is_running && helper_take_back(p->all->readers->helper, &p->job))
		p->is_running = false;
	loop_defer(loop_of(p), &p->reaper);
}

static void on_gone(struct outlet *o)
{
	end(container_of(o, struct page, outlet));
}

static void on_room(struct outlet *o maybe_unused)
{
}

static const struct outlet_ops outlet_ops = {on_room, on_gone};

/* A client that takes nothing is let go; one that takes little, in the end. */
static void on_deadline(struct loop_timer *t)
{
	struct page *p = container_of(t, struct page, deadline);
	int64_t now = loop_now(loop_of(p)), left_ns = p->outlet.moved_ns + STALL_NS - now;
	if (left_ns <= 0 || now - p->answered_ns > TAKEN_WITHIN_NS)
		end(p);
	else
		loop_timer_set(loop_of(p), t, now + left_ns);
}

static void put_cursor(struct page *p, struct json *j, const char *key, event_id id)
{
	char text[ID_TEXT_MAX];
	if (id)
		json_str(j, key, (struct str){text, id_put(text, p->epoch, id)});
	else
		json_null(j, key);
}

/* What lies before the page: the id to ask with as before=, or 0 for nothing. */
static event_id older(const struct page *p, size_t first)
{
	if (p->is_cut && p->n_found)
		return p->found[first < p->n_found ? first : 0].id;
	/* Read back as far as time allowed, but not all that was found is shown. */
	if (p->is_backward && tail_search_found(&p->search) < p->sub.limit) {
		event_id e = MIN(p->search.bound, p->after + 1);
		return e > 1 ? e : 0;
	}
	if (first < p->n_found)
		return p->found[first].id;
	return p->is_backward ? 0 : p->after + 1;
}

/* Whether it holds what was asked for, or all there is; else its time was over. */
static bool has_all(const struct page *p)
{
	if (p->is_backward)
		return !p->slow &&
		       (tail_search_found(&p->search) == p->sub.limit || !p->search.bound);
	return p->is_complete || p->is_full;
}

static size_t first_match(const struct page *p)
{
	size_t i = 0;
	while (i < p->n_found && !p->found[i].is_match)
		i++;
	return i;
}

static void put_json(struct page *p, struct buf *out)
{
	struct json j = {out, false};
	json_open(&j, NULL, '{');
	json_open(&j, "events", '[');
	for (size_t i = 0; i < p->n_found; i++) {
		const struct line *l = &p->found[i];
		json_raw(&j, NULL, (struct str){p->lines.data + l->at, l->len});
		if (!l->is_match) {
			out->len--; /* the bracket at its end */
			buf_puts(out, ",\"context\":true}");
		}
	}
	json_close(&j, ']');
	put_cursor(p, &j, "older", older(p, first_match(p)));
	put_cursor(p, &j, "newer", p->seen);
	json_bool(&j, "complete", has_all(p));
	if (p->slow)
		json_cstr(&j, "trouble",
			  "a regex took too many steps on one event and is switched off");
	json_close(&j, '}');
	buf_putc(out, '\n');
}

/* Lines, and at the end where it goes on. */
static void put_lines(struct page *p, struct buf *out)
{
	struct buf data = {0};
	struct json j = {&data, false};
	for (size_t i = 0; i < p->n_found; i++)
		buf_put(out, p->lines.data + p->found[i].at, p->found[i].len);
	json_open(&j, NULL, '{');
	put_cursor(p, &j, "older", older(p, first_match(p)));
	put_cursor(p, &j, "newer", p->seen);
	json_bool(&j, "complete", has_all(p));
	json_close(&j, '}');
	format_control(out, p->sub.format, p->epoch, FORMAT_NO_ID, "page", buf_str(&data));
	buf_fini(&data);
}

static void respond(struct page *p)
{
	struct buf out = {0};
	p->n_found -= p->n_before; /* context of nothing */
	p->n_before = 0;
	if (p->sub.format == FORMAT_PAGE)
		put_json(p, &out);
	else
		put_lines(p, &out);
	/* A client that does not read keeps nothing but the answer. */
	buf_fini(&p->lines);
	free(p->found);
	p->found = NULL;
	for (size_t i = 0; i < p->sub.n_channels; i++)
		journal_snapshot_fini(&p->channels[i].snapshot);
	buf_printf(&p->headers, "Content-Length: %zu\r\n\r\n", out.len);
	buf_put_str(&p->headers, buf_str(&out));
	outlet_put(&p->outlet, buf_str(&p->headers));
	outlet_end(&p->outlet);
	buf_fini(&p->headers);
	buf_fini(&out);
}

/* Backwards its time is for the search, and never so short that nothing was searched: what
 * was found is then read to its end, so that the page holds the newest.  That is no more
 * than was searched.
 */
static bool goes_on(const struct page *p)
{
	if (p->slow || p->is_complete || p->is_full)
		return false;
	return p->is_backward || p->spent_ns < TOTAL_NS;
}

static void done(struct helper_job *job)
{
	struct page *p = container_of(job, struct page, job);
	p->is_running = false;
	if (p->is_over) {
		loop_defer(loop_of(p), &p->reaper);
		return;
	}
	if (p->slow)
		regexes_switch_off(p->all->registry->regexes, p->slow);
	if (goes_on(p)) {
		p->is_running = true;
		helper_submit(p->all->readers->helper, job); /* behind all that wait */
		return;
	}
	p->answered_ns = loop_now(loop_of(p));
	loop_timer_set(loop_of(p), &p->deadline, p->answered_ns + STALL_NS);
	respond(p);
}

void history_open(struct pages *all, int fd, const struct handoff_request *r, struct admission *a,
		  struct buf *headers)
{
	struct page *p = mem_zero(sizeof(*p));
	p->all = all;
	p->sub = a->sub;
	a->sub = (struct subscription){0};
	p->headers = *headers;
	*headers = (struct buf){0};
	subscription_hold(&p->sub);
	p->epoch = registry_epoch(all->registry);
	p->reaper.fn = reap;
	p->deadline.fn = on_deadline;
	list_init(&p->reaper.link);
	list_append(&all->all, &p->link);
	p->is_backward = !p->sub.has_after && p->sub.start != START_EARLIEST;
	p->upto = past_range_upto(all->registry, &p->sub);
	p->after = p->seen = past_range_after(&p->sub);
	p->channels = past_range_channels(&p->sub, p->upto, !p->is_backward);
	if (!p->sub.lines_before && !p->sub.lines_after)
		p->scans = past_range_scan(p->channels, p->sub.n_channels);
	if (p->is_backward)
		tail_search_init(&p->search, p->channels, p->sub.n_channels, p->upto, p->sub.limit);
	p->search.is_cancelled = &p->is_cancelled;
	admission_give_quotas(a, p->quotas);
	all->n_ever++;
	all->n_open++;
	if (outlet_open(&p->outlet, loop_of(p), fd, r->fcgi_id, r->framing, &outlet_ops)) {
		end(p);
		return;
	}
	p->job = (struct helper_job){
		.work = work, .done = done, .owner = reader_owner(&a->who, READS_PAGE)};
	p->is_running = true;
	helper_submit(all->readers->helper, &p->job);
}

int64_t pages_moved_ns(const struct pages *all)
{
	int64_t last = 0;
	list_each (e, &all->all) {
		const struct page *p = list_entry(e, struct page, link);
		last = MAX(last, p->is_running ? loop_now(loop_of(p)) : p->outlet.moved_ns);
	}
	return last;
}

void pages_end_all(struct pages *all)
{
	list_each_safe (e, &all->all)
		end(list_entry(e, struct page, link));
}

/* ---- how many ------------------------------------------------------------------------------- */

bool pages_are_full(const struct pages *all, const char *address)
{
	return all->n_open + all->n_admitted >= PAGES_MAX ||
	       quota_count(all->addresses, str_of(address)) >= PAGES_OF_ADDRESS_MAX;
}

void pages_init(struct pages *all, struct registry *r, const struct readers *readers)
{
	*all = (struct pages){.registry = r, .readers = readers, .addresses = quota_new()};
	list_init(&all->all);
}

void pages_fini(struct pages *all)
{
	quota_free(all->addresses);
}

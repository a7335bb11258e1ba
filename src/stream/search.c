/* SPDX-License-Identifier: MIT */
#include "stream/search.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "channel/channel.h"
#include "channel/regexes.h"
#include "loop/helper.h"
#include "past/searcher.h"
#include "stream/outlet.h"
#include "stream/past_range.h"
#include "stream/quota.h"

#define SLICE_NS    (20 * NS_PER_MS)
#define PROGRESS_NS (400 * NS_PER_MS)
#define STALL_NS    (60 * NS_PER_SEC)

enum {
	SEARCHES_MAX = 16,       /* at once */
	SEARCHES_OF_ONE_MAX = 4, /* of these by one address or user */
	ENOUGH = 256 * 1024,     /* bytes of output before they are sent */
};

struct search {
	struct list link; /* in searches.all */
	struct searches *all;
	struct outlet outlet;
	struct loop_task reaper;
	struct loop_timer ticker; /* says how far it has come, and whether the client still reads */
	struct helper_job job;
	bool is_running, is_over; /* the helper has it; the client has left */
	bool is_found;            /* it has ended, and `done` has been said */
	atomic_bool is_cancelled; /* the helper need not go on */
	uint64_t owner;

	const char *bye, *bye_why; /* it is to end, for that reason; borrowed, or NULL */

	struct identity who;     /* owned */
	struct subscription sub; /* owned */
	struct past_channel *channels;
	struct filter_scan *scans; /* owned: of these, one for each */
	struct searcher searcher;
	struct quota_entry *quotas[2]; /* of its address and user; or NULL */
	int64_t begun_ns, said_ns;     /* loop time: of all, and of the last progress */
	/* What the helper has come to, as of its last slice. */
	struct progress {
		uint64_t read, total, skipped, n_matches;
		event_id reached;
	} progress;
};

static struct loop *loop_of(const struct search *s)
{
	return s->all->registry->loop;
}

static void work(struct helper_job *job)
{
	struct search *s = container_of(job, struct search, job);
	s->searcher.run = &s->all->readers->runs[job->thread];
	bool ignored = searcher_run(&s->searcher, clock_mono_ns() + SLICE_NS, ENOUGH);
	(void)ignored; /* finish() asks again */
}

static void reap(struct loop_task *t)
{
	struct search *s = container_of(t, struct search, reaper);
	if (s->is_running)
		return; /* done() comes here again */
	past_range_free(s->channels, s->sub.n_channels);
	free(s->scans);
	searcher_fini(&s->searcher);
	subscription_release(&s->sub);
	subscription_fini(&s->sub);
	identity_fini(&s->who);
	free(s);
}

static void end(struct search *s)
{
	if (s->is_over)
		return;
	s->is_over = true;
	s->all->n_open--;
	s->all->n_matches += s->progress.n_matches;
	s->all->n_bytes += s->progress.read;
	for (size_t i = 0; i < array_size(s->quotas); i++)
		quota_give(s->quotas[i]);
	list_remove(&s->link);
	loop_timer_cancel(loop_of(s), &s->ticker);
	outlet_close(&s->outlet);
	atomic_store(&s->is_cancelled, true);
	if (s->is_running && helper_take_back(s->all->readers->helper, &s->job))
		s->is_running = false;
	loop_defer(loop_of(s), &s->reaper);
}

static void search_on(struct search *s)
{
	if (s->is_running || s->is_over || s->is_found || s->bye)
		return;
	s->is_running = true;
	helper_submit(s->all->readers->helper, &s->job); /* behind all that wait */
}

static void on_gone(struct outlet *o)
{
	end(container_of(o, struct search, outlet));
}

static void on_room(struct outlet *o)
{
	search_on(container_of(o, struct search, outlet));
}

static const struct outlet_ops outlet_ops = {on_room, on_gone};

/* ---- what is said beside matches ---------------------------------------------------------- */

static void put_cursor(const struct search *s, struct json *j, const char *key, event_id id)
{
	char text[ID_TEXT_MAX];
	if (id)
		json_str(j, key,
			 (struct str){text, id_put(text, registry_epoch(s->all->registry), id)});
	else
		json_null(j, key);
}

static void put_time(struct json *j, const char *key, event_id id)
{
	struct buf text = {0};
	timestamp_put(&text, (int64_t)id_ms(id) * NS_PER_MS);
	json_str(j, key, buf_str(&text));
	buf_fini(&text);
}

static void put_progress(const struct search *s, struct json *j)
{
	const struct progress *p = &s->progress;
	json_int(j, "matches", (int64_t)p->n_matches);
	json_int(j, "scanned", (int64_t)p->read);
	json_int(j, "skipped", (int64_t)p->skipped);
	json_int(j, "total", (int64_t)p->total);
	if (p->reached)
		put_time(j, "time", p->reached);
	else
		json_null(j, "time");
}

static void say(struct search *s, const char *type, struct buf *data)
{
	struct buf out = {0};
	format_control(&out, s->sub.format, registry_epoch(s->all->registry), FORMAT_NO_ID, type,
		       buf_str(data));
	outlet_put(&s->outlet, buf_str(&out));
	buf_fini(&out);
}

static void say_progress(struct search *s)
{
	struct buf data = {0};
	struct json j = {&data, false};
	s->said_ns = loop_now(loop_of(s));
	json_open(&j, NULL, '{');
	put_progress(s, &j);
	json_close(&j, '}');
	say(s, "progress", &data);
	buf_fini(&data);
}

static void say_done(struct search *s)
{
	const struct searcher *r = &s->searcher;
	struct buf data = {0};
	struct json j = {&data, false};
	json_open(&j, NULL, '{');
	put_progress(s, &j);
	json_bool(&j, "complete", r->is_complete);
	put_cursor(s, &j, "next", r->is_complete ? 0 : r->next);
	if (r->slow)
		json_cstr(&j, "trouble",
			  "a regex took too many steps on one event and is switched off");
	json_close(&j, '}');
	say(s, "done", &data);
	buf_fini(&data);
}

/* Instead of `done`: it can go on from there, by itself for an EventSource. */
static void say_bye(struct search *s)
{
	const struct searcher *r = &s->searcher;
	struct buf data = {0};
	struct json j = {&data, false};
	json_open(&j, NULL, '{');
	json_cstr(&j, "reason", s->bye);
	if (s->bye_why)
		json_cstr(&j, "message", s->bye_why);
	put_cursor(s, &j, "next", r->next);
	json_close(&j, '}');
	say(s, "bye", &data);
	outlet_end(&s->outlet);
	s->is_found = true;
	buf_fini(&data);
}

static void stop(struct search *s, const char *reason, const char *why)
{
	if (s->is_over || s->is_found || s->bye)
		return;
	s->bye = reason;
	s->bye_why = why;
	atomic_store(&s->is_cancelled, true);
	if (s->is_running && helper_take_back(s->all->readers->helper, &s->job))
		s->is_running = false;
	if (!s->is_running)
		say_bye(s);
}

/* A client that takes nothing is let go. */
static void on_tick(struct loop_timer *t)
{
	struct search *s = container_of(t, struct search, ticker);
	int64_t now = loop_now(loop_of(s));
	if (!outlet_is_clear(&s->outlet) && now - s->outlet.moved_ns > STALL_NS) {
		end(s);
		return;
	}
	const char *lost =
		access_lost(s->all->access, &s->who, buf_str(&s->sub.names), RIGHT_REPLAY);
	if (lost)
		stop(s, s->who.ticket ? "ticket" : "access", lost);
	if (!s->is_found && outlet_is_clear(&s->outlet) && now - s->said_ns >= PROGRESS_NS)
		say_progress(s);
	loop_timer_set(loop_of(s), t, now + PROGRESS_NS);
}

/* ---- its course ------------------------------------------------------------------------ */

static void done(struct helper_job *job)
{
	struct search *s = container_of(job, struct search, job);
	struct searcher *r = &s->searcher;
	s->is_running = false;
	if (s->is_over) {
		loop_defer(loop_of(s), &s->reaper);
		return;
	}
	s->progress = (struct progress){r->read, r->total, r->skipped, r->n_matches, r->reached};
	if (r->slow)
		regexes_switch_off(s->all->registry->regexes, r->slow);
	if (r->out.len) {
		outlet_put(&s->outlet, buf_str(&r->out));
		r->out.len = 0;
	}
	s->is_found = r->is_complete || r->is_full || r->slow;
	if (!s->is_found && s->bye) {
		say_bye(s);
	} else if (s->is_found) {
		say_done(s);
		outlet_end(&s->outlet);
	} else if (loop_now(loop_of(s)) - s->said_ns >= PROGRESS_NS) {
		say_progress(s);
	}
	if (outlet_is_clear(&s->outlet))
		search_on(s);
}

static void set_searcher(struct search *s)
{
	struct searcher *r = &s->searcher;
	const struct subscription *sub = &s->sub;
	r->epoch = registry_epoch(s->all->registry);
	r->channels = s->channels;
	r->n_channels = sub->n_channels;
	r->format = sub->format;
	r->is_oldest_first = sub->is_oldest_first;
	r->after = past_range_after(sub);
	r->upto = past_range_upto(s->all->registry, sub);
	r->limit = sub->limit;
	r->lines_before = sub->lines_before;
	r->lines_after = sub->lines_after;
	r->is_cancelled = &s->is_cancelled;
}

void search_open(struct searches *all, int fd, const struct handoff_request *r, struct admission *a)
{
	struct search *s = mem_zero(sizeof(*s));
	s->all = all;
	s->sub = a->sub;
	a->sub = (struct subscription){0};
	s->who = a->who;
	a->who = (struct identity){0};
	subscription_hold(&s->sub);
	s->reaper.fn = reap;
	s->ticker.fn = on_tick;
	list_init(&s->reaper.link);
	list_append(&all->all, &s->link);
	s->channels = past_range_channels(&s->sub, past_range_upto(all->registry, &s->sub), true);
	if (!s->sub.lines_before && !s->sub.lines_after)
		s->scans = past_range_scan(s->channels, s->sub.n_channels);
	set_searcher(s);
	admission_give_quotas(a, s->quotas);
	all->n_ever++;
	all->n_open++;
	s->begun_ns = s->said_ns = loop_now(loop_of(s));
	if (outlet_open(&s->outlet, loop_of(s), fd, r->fcgi_id, r->framing, &outlet_ops)) {
		end(s);
		return;
	}
	loop_timer_set(loop_of(s), &s->ticker, s->begun_ns + PROGRESS_NS);
	s->job = (struct helper_job){
		.work = work, .done = done, .owner = reader_owner(&s->who, READS_SEARCH)};
	search_on(s);
}

int64_t searches_moved_ns(const struct searches *all)
{
	int64_t last = 0;
	list_each (e, &all->all) {
		const struct search *s = list_entry(e, struct search, link);
		last = MAX(last, s->is_found ? s->outlet.moved_ns : loop_now(loop_of(s)));
	}
	return last;
}

void searches_say_bye(struct searches *all, const char *reason)
{
	list_each_safe (e, &all->all)
		stop(list_entry(e, struct search, link), reason, NULL);
}

void searches_end_all(struct searches *all)
{
	list_each_safe (e, &all->all)
		end(list_entry(e, struct search, link));
}

/* ---- how many -------------------------------------------------------------------------- */

const char *searches_limit(const struct searches *all, const struct identity *who)
{
	if (all->n_open + all->n_admitted >= SEARCHES_MAX)
		return "too many searches at once";
	if (quota_count(all->addresses, str_of(who->address)) >= SEARCHES_OF_ONE_MAX)
		return "too many searches at once from this address";
	if (quota_count(all->users, str_of(who->user)) >= SEARCHES_OF_ONE_MAX)
		return "too many searches at once by this user";
	return NULL;
}

void searches_init(struct searches *all, struct registry *r, const struct readers *readers,
		   const struct access *access)
{
	*all = (struct searches){.registry = r,
				 .access = access,
				 .readers = readers,
				 .addresses = quota_new(),
				 .users = quota_new()};
	list_init(&all->all);
}

void searches_fini(struct searches *all)
{
	quota_free(all->addresses);
	quota_free(all->users);
}

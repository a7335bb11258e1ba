/* SPDX-License-Identifier: MIT */
#include "stream/search_internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "channel/channel.h"
#include "channel/regexes.h"
#include "stream/past_range.h"
#include "stream/quota.h"

#define SLICE_NS    (20 * NS_PER_MS)
#define PROGRESS_NS (400 * NS_PER_MS)
#define STALL_NS    (60 * NS_PER_SEC)

enum {
	SEARCHES_MAX = 16,       /* at once */
	SEARCHES_OF_ONE_MAX = 4, /* of these by one address or user */
};

static struct loop *loop_of(const struct search *s)
{
	return s->all->registry->loop;
}

static void work(struct helper_job *job)
{
	struct search *s = container_of(job, struct search, job);
	struct filter_run *run = &s->all->readers->runs[job->thread];
	s->has_ended = s->kind->run(s, run, clock_mono_ns() + SLICE_NS);
}

static void reap(struct loop_task *t)
{
	struct search *s = container_of(t, struct search, reaper);
	if (s->is_running)
		return; /* done() comes here again */
	s->kind->fini(s);
	past_range_free(s->channels, s->sub.n_channels);
	free(s->scans);
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

void search_put_cursor(const struct search *s, struct json *j, const char *key, event_id id)
{
	char text[ID_TEXT_MAX];
	if (id)
		json_str(j, key,
			 (struct str){text, id_put(text, registry_epoch(s->all->registry), id)});
	else
		json_null(j, key);
}

void search_put_time(struct json *j, const char *key, event_id id)
{
	struct buf text = {0};
	timestamp_put(&text, (int64_t)id_ms(id) * NS_PER_MS);
	if (id)
		json_str(j, key, buf_str(&text));
	else
		json_null(j, key);
	buf_fini(&text);
}

void search_put_missing(const struct search *s, struct json *j, const struct missing *m)
{
	json_open(j, "gaps", '[');
	for (size_t i = 0; i < MIN(m->n, (uint64_t)MISSING_MAX); i++) {
		const struct missing_gap *g = &m->gaps[i];
		json_open(j, NULL, '{');
		json_str(j, "channel", g->channel);
		search_put_cursor(s, j, "from", g->from);
		search_put_cursor(s, j, "to", g->to);
		if (g->count >= 0)
			json_int(j, "count", g->count);
		else
			json_null(j, "count");
		json_cstr(j, "reason", g->reason);
		json_close(j, '}');
	}
	json_close(j, ']');
	if (m->n > MISSING_MAX)
		json_int(j, "more_gaps", (int64_t)(m->n - MISSING_MAX));
}

struct progress search_progress(const struct backwards *b, uint64_t n_matches, bool is_complete,
				struct regex *slow)
{
	return (struct progress){.read = b->read,
				 .total = b->total,
				 .skipped = b->skipped,
				 .n_matches = n_matches,
				 .reached = b->bound,
				 .is_complete = is_complete,
				 .slow = slow};
}

static const char progress[] = "progress";

static void put_progress(const struct search *s, struct json *j)
{
	const struct progress *p = &s->progress;
	json_int(j, "matches", (int64_t)p->n_matches);
	json_int(j, "scanned", (int64_t)p->read);
	json_int(j, "skipped", (int64_t)p->skipped);
	json_int(j, "total", (int64_t)p->total);
	search_put_time(j, "time", p->reached);
	if (s->kind->put)
		s->kind->put(s, j);
}

/* Says `data`, which is closed here.  An answer that is one document is only that of the end; until
 * then, white space keeps the connection alive.
 */
static void say(struct search *s, const char *type, struct json *data)
{
	struct buf out = {0};
	bool is_document = s->sub.format == FORMAT_PAGE;
	json_close(data, '}');
	if (!is_document)
		format_control(&out, s->sub.format, registry_epoch(s->all->registry), FORMAT_NO_ID,
			       type, buf_str(data->out));
	else if (type != progress)
		buf_put_str(&out, buf_str(data->out));
	if (is_document)
		buf_putc(&out, '\n');
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
	say(s, progress, &j);
	buf_fini(&data);
}

static void say_done(struct search *s)
{
	struct buf data = {0};
	struct json j = {&data, false};
	json_open(&j, NULL, '{');
	put_progress(s, &j);
	json_bool(&j, "complete", s->progress.is_complete);
	if (s->kind->put_next)
		s->kind->put_next(s, &j);
	if (s->progress.slow)
		json_cstr(&j, "trouble",
			  "a regex took too many steps on one event and is switched off");
	say(s, "done", &j);
	outlet_end(&s->outlet);
	s->is_found = true;
	buf_fini(&data);
}

/* Instead of `done`: it can go on from there, by itself for an EventSource. */
static void say_bye(struct search *s)
{
	struct buf data = {0};
	struct json j = {&data, false};
	json_open(&j, NULL, '{');
	json_cstr(&j, "reason", s->bye);
	if (s->bye_why)
		json_cstr(&j, "message", s->bye_why);
	if (s->kind->put_next) {
		s->kind->put_next(s, &j);
	} else {
		put_progress(s, &j);
		json_bool(&j, "complete", false);
	}
	say(s, "bye", &j);
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
	/* What is counted belongs to the helper while that runs; done() says it then. */
	bool may_look = !s->is_running || !s->kind->put;
	if (!s->is_found && may_look && outlet_is_clear(&s->outlet) &&
	    now - s->said_ns >= PROGRESS_NS)
		say_progress(s);
	loop_timer_set(loop_of(s), t, now + PROGRESS_NS);
}

/* ---- its course ------------------------------------------------------------------------ */

static void done(struct helper_job *job)
{
	struct search *s = container_of(job, struct search, job);
	s->is_running = false;
	if (s->is_over) {
		loop_defer(loop_of(s), &s->reaper);
		return;
	}
	s->progress = s->kind->progress_of(s);
	if (s->progress.slow)
		regexes_switch_off(s->all->registry->regexes, s->progress.slow);
	if (s->kind->send)
		s->kind->send(s);
	if (s->has_ended)
		say_done(s);
	else if (s->bye)
		say_bye(s);
	else if (loop_now(loop_of(s)) - s->said_ns >= PROGRESS_NS)
		say_progress(s);
	if (outlet_is_clear(&s->outlet))
		search_on(s);
}

void search_open(struct searches *all, const struct search_kind *kind, int fd,
		 const struct handoff_request *r, struct admission *a)
{
	struct search *s = mem_zero(sizeof(*s));
	s->all = all;
	s->kind = kind;
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
	kind->begin(s);
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

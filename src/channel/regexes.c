/* SPDX-License-Identifier: MIT */
#include "channel/regexes.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "filter/regex_set.h"
#include "loop/helper.h"

#define SETTLE_NS (100 * NS_PER_MS)
#define OFF_NS    (600 * NS_PER_SEC)
#define WARM_NS   (5 * NS_PER_SEC)

enum { OFF_MAX = 256, WARM_MAX = 64 };

struct regexes {
	struct loop *loop;
	struct regex_pool pool, of_sources;
	struct filter_run run, run_of_sources;
	struct regex_set *set; /* in use, or NULL */
	struct loop_timer settle;
	struct helper *compiler; /* started when first needed: compiling may take seconds */
	struct compilation {
		struct helper_job job;
		struct regexes *regexes;
		struct regex_set *set; /* being made, or NULL */
	} compilation;
	struct {
		struct regex *regex; /* counted */
		int64_t until_ns;
	} off[OFF_MAX];
	size_t n_off;
	struct {
		char *text; /* owned, canonical */
		int64_t until_ns;
	} filters_off[OFF_MAX]; /* a ring */
	size_t filters_at;
	struct loop_timer on_again;
	struct filter *warm[WARM_MAX]; /* counted; a ring */
	size_t warm_at;
	struct loop_timer cool;
	uint64_t n_switched_off, n_compiled;
};

static void compile(struct helper_job *job)
{
	regex_set_compile(container_of(job, struct compilation, job)->set);
}

static void use(struct regexes *r, struct regex_set *set)
{
	regex_set_free(r->set);
	r->set = set;
	if (set)
		regex_set_adopt(set);
	r->run.set = set;
}

static void on_compiled(struct helper_job *job)
{
	struct compilation *c = container_of(job, struct compilation, job);
	struct regex_set *set = c->set;
	c->set = NULL;
	use(c->regexes, set);
	c->regexes->n_compiled++;
	regexes_changed(c->regexes); /* meanwhile others may have come */
}

/* Those that somebody asks for, and how many of them no set knows. */
static size_t count(const struct regexes *r, size_t *new)
{
	size_t n = 0;
	*new = 0;
	list_each (e, &r->pool.all) {
		const struct regex *x = list_entry(e, struct regex, link);
		bool wanted = x->refs > x->set_refs && !x->is_slow;
		n += wanted;
		*new += wanted && !x->set_refs;
	}
	return n;
}

static void on_settled(struct loop_timer *t)
{
	struct regexes *r = container_of(t, struct regexes, settle);
	size_t new, n = count(r, &new);
	if (r->compilation.set)
		return; /* on_compiled() comes here again */
	if (n < REGEX_SET_MIN) {
		if (n < REGEX_SET_MIN / 2 && r->set)
			use(r, NULL);
		return;
	}
	if (!new &&regex_set_size(r->set) <= 2 * n)
		return;
	char *why = NULL;
	if (!r->compiler && helper_new(r->loop, 1, HELPER_BEHIND, &r->compiler, &why)) {
		log_warning("%s: each regex is searched for alone", why);
		free(why);
		return;
	}
	r->compilation = (struct compilation){
		.job = {.work = compile, .done = on_compiled},
		.regexes = r,
		.set = regex_set_new(&r->pool),
	};
	helper_submit(r->compiler, &r->compilation.job);
}

void regexes_changed(struct regexes *r)
{
	if (regex_set_is_there() && !r->settle.slot)
		loop_timer_set(r->loop, &r->settle, loop_now(r->loop) + SETTLE_NS);
}

void regexes_keep_warm(struct regexes *r, struct filter *f)
{
	struct filter **place = &r->warm[r->warm_at++ % WARM_MAX];
	if (!f)
		return;
	filter_unref(*place);
	*place = filter_ref(f);
	if (!r->cool.slot)
		loop_timer_set(r->loop, &r->cool, loop_now(r->loop) + WARM_NS);
}

static void on_cool(struct loop_timer *t)
{
	struct regexes *r = container_of(t, struct regexes, cool);
	for (size_t i = 0; i < WARM_MAX; i++) {
		filter_unref(r->warm[i]);
		r->warm[i] = NULL;
	}
	regexes_changed(r);
}

static void forgive_first(struct regexes *r)
{
	r->off[0].regex->is_slow = false;
	regex_unref(r->off[0].regex);
	memmove(&r->off[0], &r->off[1], --r->n_off * sizeof(r->off[0]));
}

static void on_again(struct loop_timer *t)
{
	struct regexes *r = container_of(t, struct regexes, on_again);
	while (r->n_off && r->off[0].until_ns <= loop_now(r->loop))
		forgive_first(r);
	if (r->n_off)
		loop_timer_set(r->loop, t, r->off[0].until_ns);
}

void regexes_switch_off(struct regexes *r, struct regex *slow)
{
	for (size_t i = 0; i < r->n_off; i++)
		if (r->off[i].regex == slow)
			return;
	if (slow->pool != &r->pool && slow->pool != &r->of_sources)
		return;
	if (r->n_off == OFF_MAX)
		forgive_first(r);
	slow->is_slow = true;
	slow->refs++;
	r->off[r->n_off].regex = slow;
	r->off[r->n_off++].until_ns = loop_now(r->loop) + OFF_NS;
	r->n_switched_off++;
	loop_timer_set(r->loop, &r->on_again, r->off[0].until_ns);
	log_warning("the regex /%.200s/%s is switched off for 10 minutes: it used up the steps "
		    "that one event may take (write it without nested repetition)",
		    slow->pattern, slow->flags);
}

void regexes_switch_off_filter(struct regexes *r, const struct filter *f)
{
	struct str text = filter_text(f);
	size_t i = r->filters_at++ % OFF_MAX;
	free(r->filters_off[i].text);
	r->filters_off[i].text = mem_strndup(text.data, text.len);
	r->filters_off[i].until_ns = loop_now(r->loop) + OFF_NS;
	log_warning("the filter %.200s is switched off for 10 minutes: it took too long for too "
		    "many events (fewer or simpler regexes)",
		    r->filters_off[i].text);
}

bool regexes_filter_is_off(const struct regexes *r, const struct filter *f)
{
	for (size_t i = 0; i < OFF_MAX; i++)
		if (r->filters_off[i].text && r->filters_off[i].until_ns > loop_now(r->loop) &&
		    str_is(filter_text(f), r->filters_off[i].text))
			return true;
	return false;
}

struct regexes *regexes_new(struct loop *l)
{
	struct regexes *r = mem_zero(sizeof(*r));
	r->loop = l;
	r->settle.fn = on_settled;
	r->on_again.fn = on_again;
	r->cool.fn = on_cool;
	regex_pool_init(&r->pool);
	regex_pool_init(&r->of_sources);
	filter_run_init(&r->run);
	filter_run_init(&r->run_of_sources);
	return r;
}

void regexes_free(struct regexes *r)
{
	loop_timer_cancel(r->loop, &r->settle);
	if (r->compiler)
		helper_free(r->compiler); /* finishes what it does */
	loop_timer_cancel(r->loop, &r->settle);
	loop_timer_cancel(r->loop, &r->on_again);
	while (r->n_off)
		forgive_first(r);
	loop_timer_cancel(r->loop, &r->cool);
	on_cool(&r->cool);
	loop_timer_cancel(r->loop, &r->settle);
	use(r, NULL);
	filter_run_fini(&r->run);
	filter_run_fini(&r->run_of_sources);
	regex_pool_fini(&r->pool);
	regex_pool_fini(&r->of_sources);
	for (size_t i = 0; i < OFF_MAX; i++)
		free(r->filters_off[i].text);
	free(r);
}

struct regex_pool *regexes_pool(struct regexes *r)
{
	return &r->pool;
}

struct regex_pool *regexes_pool_of_sources(struct regexes *r)
{
	return &r->of_sources;
}

struct filter_run *regexes_run(struct regexes *r)
{
	return &r->run;
}

struct filter_run *regexes_run_of_sources(struct regexes *r)
{
	return &r->run_of_sources;
}

void regexes_report(const struct regexes *r, struct json *j)
{
	size_t new;
	json_open(j, "regexes", '{');
	json_int(j, "live", (int64_t)count(r, &new));
	json_int(j, "in_set", (int64_t)regex_set_size(r->set));
	json_int(j, "sets_made", (int64_t)r->n_compiled);
	json_int(j, "off", (int64_t)r->n_off);
	json_int(j, "switched_off", (int64_t)r->n_switched_off);
	json_close(j, '}');
}

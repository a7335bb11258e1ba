/* SPDX-License-Identifier: MIT */
#include "past/facets.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "filter/value.h"
#include "wire/event_json.h"

static const char prefix[] = "fields.";
enum { PREFIX = sizeof(prefix) - 1 };

/* ---- names --------------------------------------------------------------------------------- */

static bool is_own(struct str name)
{
	return str_is(name, "severity") || str_is(name, "type") || str_is(name, "source") ||
	       str_is(name, "channel");
}

static struct facet *find(struct facets *f, struct str name)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_is(name, f->all[i].name))
			return &f->all[i];
	return NULL;
}

static struct facet *add(struct facets *f, struct str name)
{
	if (f->n == FACETS_MAX)
		return NULL;
	struct facet *a = &f->all[f->n++];
	*a = (struct facet){.name = mem_strndup(name.data, name.len)};
	return a;
}

bool facets_ask(struct facets *f, struct str name)
{
	bool is_field = name.len > PREFIX && memcmp(name.data, prefix, PREFIX) == 0;
	f->text.len = 0;
	if (!is_own(name) && !is_field)
		buf_puts(&f->text, prefix);
	buf_put_str(&f->text, name);
	return find(f, buf_str(&f->text)) || add(f, buf_str(&f->text));
}

/* ---- values -------------------------------------------------------------------------------- */

static struct facet_value *value_of(struct facets *f, struct facet *of, struct str text)
{
	uint64_t hash = table_hash(&f->values, text.data, text.len);
	table_each_of (e, &f->values, hash) {
		struct facet_value *v = container_of(e, struct facet_value, by_text);
		if (v->of == of && str_eq((struct str){v->text, v->len}, text))
			return v;
	}
	if (f->values.n == FACETS_VALUES_MAX || of->n_values == FACET_VALUES_MAX ||
	    text.len > FACETS_TEXT_MAX)
		return NULL;
	struct facet_value *v = mem_zero(sizeof(*v) + text.len + 1);
	v->of = of;
	v->len = text.len;
	memcpy(v->text, text.data, text.len);
	table_add(&f->values, &v->by_text, hash);
	if ((of->n_values & (of->n_values - 1)) == 0)
		of->values = mem_resize(of->values,
					MAX(of->n_values * 2, (size_t)1) * sizeof(of->values[0]));
	of->values[of->n_values++] = v;
	return v;
}

/* One more, whose text as JSON is in f->text. */
static void count(struct facets *f, struct facet *of)
{
	struct facet_value *v = value_of(f, of, buf_str(&f->text));
	of->n_events++;
	if (v)
		v->count++;
	else
		of->n_others++;
}

static void put_value(struct buf *out, const struct value *v)
{
	struct json j = {out, false};
	switch (v->type) {
	case VALUE_NONE:
	case VALUE_NULL: json_null(&j, NULL); break;
	case VALUE_BOOL: json_bool(&j, NULL, v->integer != 0); break;
	case VALUE_INT: json_int(&j, NULL, v->integer); break;
	case VALUE_DOUBLE: json_double(&j, NULL, v->number); break;
	case VALUE_STRING: json_str(&j, NULL, v->string); break;
	case VALUE_JSON: json_raw(&j, NULL, v->string); break;
	}
}

/* What the event has of an own name; no data if it has none. */
static struct str own_value(const struct event *ev, struct str channel, const char *name)
{
	const char *severity = severity_name(ev->severity);
	if (strcmp(name, "type") == 0)
		return ev->type;
	if (strcmp(name, "source") == 0)
		return ev->source;
	return strcmp(name, "channel") == 0 ? channel
	       : severity                   ? str_of(severity)
					    : (struct str){NULL, 0};
}

static void count_one(struct facets *f, struct facet *of, const struct event *ev,
		      struct str channel)
{
	struct value v = {.type = VALUE_STRING};
	if (strncmp(of->name, prefix, PREFIX) == 0) {
		v = filter_run_field(f->run, of->name + PREFIX);
	} else {
		v.string = own_value(ev, channel, of->name);
		if (!v.string.data)
			v.type = VALUE_NONE;
	}
	if (v.type == VALUE_NONE)
		return;
	f->text.len = 0;
	put_value(&f->text, &v);
	count(f, of);
}

/* Names that nobody has asked for, where all that occur are wanted. */
static void note_names(struct facets *f, const struct event *ev)
{
	struct str rest = ev->fields;
	struct field field;
	while (field_next(&rest, &field) == 1) {
		if (memchr(field.name.data, 0, field.name.len))
			continue; /* nobody can ask for it either */
		f->text.len = 0;
		buf_puts(&f->text, prefix);
		buf_put_str(&f->text, field.name);
		if (!find(f, buf_str(&f->text)) && !add(f, buf_str(&f->text)))
			f->n_unnamed++;
	}
}

static void count_event(struct facets *f, const struct event *ev, struct str channel)
{
	if (f->takes_all)
		note_names(f, ev);
	filter_run_event(f->run, ev, channel);
	for (size_t i = 0; i < f->n; i++)
		count_one(f, &f->all[i], ev, channel);
	f->n_matches++;
}

/* ---- newest first -------------------------------------------------------------------------- */

enum { IS_GAP = 1, IS_MATCH = 2 };

static int wants(void *ctx, const struct past *p)
{
	struct facets *f = ctx;
	if (p->gap_reason)
		return IS_GAP;
	if (p->is_milestone)
		return 0;
	int is = past_matches(p, f->run);
	return is == 1 ? IS_MATCH : is;
}

/* Of an event all but its message, and the channel before it. */
static void put(void *ctx maybe_unused, const struct past *p, int wanted, struct buf *out)
{
	buf_putc(out, (char)wanted);
	if (wanted == IS_GAP) {
		missing_put(p, out);
		return;
	}
	struct event ev = p->event;
	ev.message = (struct str){NULL, 0};
	buf_put(out, (const char *)&p->channel->name, sizeof(p->channel->name));
	record_put_event(out, &ev);
}

static bool take(void *ctx, event_id id maybe_unused, struct str text)
{
	struct facets *f = ctx;
	struct str rest = {text.data + 1, text.len - 1}, channel;
	struct record rec;
	if (text.data[0] == IS_GAP) {
		missing_take(&f->missing, rest);
		return true;
	}
	if (f->n_matches == f->limit) {
		f->is_full = true;
		return false;
	}
	memcpy(&channel, rest.data, sizeof(channel));
	rest = (struct str){rest.data + sizeof(channel), rest.len - sizeof(channel)};
	if (record_next(&rest, &rec) == 1)
		count_event(f, &rec.event, channel);
	return true;
}

void facets_init(struct facets *f)
{
	table_init(&f->values);
	f->taker = (struct back_taker){f, wants, put, take};
	backwards_init(&f->backwards, f->channels, f->n_channels, f->after, f->upto, &f->taker);
	f->backwards.is_cancelled = f->is_cancelled;
}

void facets_fini(struct facets *f)
{
	backwards_fini(&f->backwards);
	for (size_t i = 0; i < f->n; i++) {
		for (size_t k = 0; k < f->all[i].n_values; k++)
			free(f->all[i].values[k]);
		free(f->all[i].values);
		free(f->all[i].name);
	}
	table_fini(&f->values);
	buf_fini(&f->text);
}

bool facets_run(struct facets *f, int64_t deadline_ns)
{
	int r = backwards_run(&f->backwards, deadline_ns);
	f->is_complete = r == 1;
	if (r < 0)
		f->slow = f->run->slow;
	return f->is_complete || f->is_full || f->slow;
}

/* ---- the result ---------------------------------------------------------------------------- */

static bool goes_before(const struct facet_value *a, const struct facet_value *b)
{
	return a->count != b->count ? a->count > b->count : strcmp(a->text, b->text) < 0;
}

/* As n is small, much faster than sorting all. */
size_t facet_top(const struct facet *f, struct facet_value **top, size_t n)
{
	size_t k = 0;
	for (size_t i = 0; n && i < f->n_values; i++) {
		struct facet_value *v = f->values[i];
		if (k == n && !goes_before(v, top[k - 1]))
			continue;
		size_t at = k < n ? k++ : k - 1;
		for (; at && goes_before(v, top[at - 1]); at--)
			top[at] = top[at - 1];
		top[at] = v;
	}
	return k;
}

/* SPDX-License-Identifier: MIT */
#include "host/tables.h"

#include <stdlib.h>

#include "base/mem.h"

enum { ROWS_MAX = 256, CHOICES_MAX = 64 };

/* NULL and "" are told apart: a text is preceded by whether it is there. */
static void put_text(struct buf *out, const char *s)
{
	buf_put_u8(out, s != NULL);
	if (s)
		buf_put_short(out, str_of(s));
}

static char *get_text(struct reader *r)
{
	if (!get_byte(r))
		return NULL;
	struct str s = get_short_str(r);
	return mem_strndup(s.data, s.len);
}

/* Row `i` of a plugin's table, whose rows have `size` bytes, as we know it:
 * what an older plugin does not have is 0.
 */
static void get_row(const void *table, size_t i, size_t size, void *ret, size_t ret_size)
{
	memset(ret, 0, ret_size);
	memcpy(ret, (const char *)table + i * size, MIN(size, ret_size));
}

static void put_option(struct buf *out, const struct sluice_option *o)
{
	uint16_t n = 0;
	while (o->choices && o->choices[n])
		n++;
	put_text(out, o->name);
	buf_put_u8(out, (uint8_t)o->type);
	buf_put_u32(out, o->flags);
	put_text(out, o->fallback);
	buf_put_u16(out, n);
	for (uint16_t i = 0; i < n; i++)
		put_text(out, o->choices[i]);
	buf_put_u64(out, (uint64_t)o->min);
	buf_put_u64(out, (uint64_t)o->max);
	put_text(out, o->doc ? o->doc : "");
	put_text(out, o->conflicts);
	put_text(out, o->needs);
}

static void put_options(struct buf *out, const struct sluice_plugin *p)
{
	struct sluice_option o;
	uint16_t n = 0;
	size_t at = out->len;
	buf_put_u16(out, 0);
	for (; p->options && n < ROWS_MAX; n++) {
		get_row(p->options, n, p->sizes.option, &o, sizeof(o));
		if (!o.name)
			break;
		put_option(out, &o);
	}
	out->data[at] = (char)n;
	out->data[at + 1] = (char)(n >> 8);
}

static void put_event_type(struct buf *out, const struct sluice_plugin *p,
			   const struct sluice_event_type *ev)
{
	struct sluice_field_type f;
	uint16_t n = 0;
	put_text(out, ev->name);
	put_text(out, ev->doc ? ev->doc : "");
	buf_put_u32(out, ev->version);
	size_t at = out->len;
	buf_put_u16(out, 0);
	for (; ev->fields && n < ROWS_MAX; n++) {
		get_row(ev->fields, n, p->sizes.field_type, &f, sizeof(f));
		if (!f.name)
			break;
		put_text(out, f.name);
		buf_put_u8(out, (uint8_t)f.type);
		put_text(out, f.unit);
		put_text(out, f.doc ? f.doc : "");
	}
	out->data[at] = (char)n;
	out->data[at + 1] = (char)(n >> 8);
}

void tables_put(struct buf *out, const struct sluice_plugin *p)
{
	struct sluice_event_type ev;
	uint16_t n = 0;
	put_text(out, p->name);
	put_text(out, p->version ? p->version : "");
	put_text(out, p->summary ? p->summary : "");
	buf_put_u32(out, p->flags);
	put_options(out, p);
	size_t at = out->len;
	buf_put_u16(out, 0);
	for (; p->events && n < ROWS_MAX; n++) {
		get_row(p->events, n, p->sizes.event_type, &ev, sizeof(ev));
		if (!ev.name)
			break;
		put_event_type(out, p, &ev);
	}
	out->data[at] = (char)n;
	out->data[at + 1] = (char)(n >> 8);
}

/* ---- getting ---- */

static uint16_t get_count(struct reader *r, uint16_t max)
{
	uint16_t n = get_short(r);
	if (n > max)
		r->failed = true;
	return r->failed ? 0 : n;
}

static void get_option(struct reader *r, struct sluice_option *o)
{
	o->name = get_text(r);
	o->type = (enum sluice_type)get_byte(r);
	o->flags = get_word(r);
	o->fallback = get_text(r);
	uint16_t n = get_count(r, CHOICES_MAX);
	char **choices = mem_zero((n + 1u) * sizeof(choices[0]));
	for (uint16_t i = 0; i < n && !r->failed; i++) {
		choices[i] = get_text(r);
		r->failed |= !choices[i];
	}
	o->choices = (const char *const *)choices;
	o->min = (int64_t)get_long(r);
	o->max = (int64_t)get_long(r);
	o->doc = get_text(r);
	o->conflicts = get_text(r);
	o->needs = get_text(r);
	if ((o->type == SLUICE_ENUM || o->type == SLUICE_ADDRESS) && !n) {
		free(choices);
		o->choices = NULL;
		r->failed |= o->type == SLUICE_ENUM;
	}
	r->failed |= !o->name || !o->doc;
}

static void get_event_type(struct reader *r, struct sluice_event_type *ev)
{
	ev->name = get_text(r);
	ev->doc = get_text(r);
	ev->version = get_word(r);
	uint16_t n = get_count(r, ROWS_MAX);
	struct sluice_field_type *fields = mem_zero((n + 1u) * sizeof(fields[0]));
	ev->fields = fields;
	for (uint16_t i = 0; i < n && !r->failed; i++) {
		fields[i].name = get_text(r);
		fields[i].type = (enum sluice_type)get_byte(r);
		fields[i].unit = get_text(r);
		fields[i].doc = get_text(r);
		if (!fields[i].name) {
			r->failed = true;
			fields[i].name = mem_strdup(""); /* the table goes on until here */
		}
	}
	r->failed |= !ev->name;
}

int tables_get(struct str s, struct tables *ret)
{
	struct reader r = reader_of(s.data, s.len);
	*ret = (struct tables){0};
	ret->name = get_text(&r);
	ret->version = get_text(&r);
	ret->summary = get_text(&r);
	ret->flags = get_word(&r);
	uint16_t n = get_count(&r, ROWS_MAX);
	ret->options = mem_zero((n + 1u) * sizeof(ret->options[0]));
	while (ret->n_options < n && !r.failed)
		get_option(&r, &ret->options[ret->n_options++]);
	n = get_count(&r, ROWS_MAX);
	ret->events = mem_zero((n + 1u) * sizeof(ret->events[0]));
	while (ret->n_events < n && !r.failed)
		get_event_type(&r, &ret->events[ret->n_events++]);
	return r.failed || reader_left(&r) || !ret->name || !ret->version || !ret->summary
		       ? -EBADMSG
		       : 0;
}

static void drop(const void *p)
{
	free((void *)(uintptr_t)p);
}

void tables_fini(struct tables *t)
{
	for (size_t i = 0; i < t->n_options; i++) {
		struct sluice_option *o = &t->options[i];
		for (size_t k = 0; o->choices && o->choices[k]; k++)
			drop(o->choices[k]);
		drop(o->choices);
		drop(o->name);
		drop(o->fallback);
		drop(o->doc);
		drop(o->conflicts);
		drop(o->needs);
	}
	for (size_t i = 0; i < t->n_events; i++) {
		const struct sluice_event_type *ev = &t->events[i];
		for (const struct sluice_field_type *f = ev->fields; f && f->name; f++) {
			drop(f->name);
			drop(f->unit);
			drop(f->doc);
		}
		drop(ev->fields);
		drop(ev->name);
		drop(ev->doc);
	}
	free(t->options);
	free(t->events);
	free(t->name);
	free(t->version);
	free(t->summary);
	*t = (struct tables){0};
}

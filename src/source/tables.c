/* SPDX-License-Identifier: MIT */
#include "source/tables.h"

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
}

void tables_put(struct buf *out, const struct sluice_plugin *p)
{
	uint16_t n = 0;
	put_text(out, p->name);
	put_text(out, p->version ? p->version : "");
	put_text(out, p->summary ? p->summary : "");
	while (p->options && p->options[n].name)
		n++;
	buf_put_u16(out, n);
	for (uint16_t i = 0; i < n; i++)
		put_option(out, &p->options[i]);
	n = 0;
	while (p->events && p->events[n].name)
		n++;
	buf_put_u16(out, n);
	for (uint16_t i = 0; i < n; i++) {
		put_text(out, p->events[i].name);
		put_text(out, p->events[i].doc ? p->events[i].doc : "");
		buf_put_u32(out, p->events[i].version);
	}
}

static void get_option(struct reader *r, struct sluice_option *o)
{
	o->name = get_text(r);
	o->type = (enum sluice_type)get_byte(r);
	o->flags = get_word(r);
	o->fallback = get_text(r);
	uint16_t n = get_short(r);
	if (n > CHOICES_MAX) {
		r->failed = true;
		n = 0;
	}
	char **choices = mem_zero((n + 1u) * sizeof(choices[0]));
	for (uint16_t i = 0; i < n && !r->failed; i++)
		choices[i] = get_text(r);
	o->choices = (const char *const *)choices;
	o->min = (int64_t)get_long(r);
	o->max = (int64_t)get_long(r);
	o->doc = get_text(r);
}

int tables_get(struct str s, struct tables *ret)
{
	struct reader r = reader_of(s.data, s.len);
	*ret = (struct tables){0};
	ret->name = get_text(&r);
	ret->version = get_text(&r);
	ret->summary = get_text(&r);
	uint16_t n = get_short(&r);
	if (n > ROWS_MAX)
		return -EBADMSG;
	ret->options = mem_zero((n + 1u) * sizeof(ret->options[0]));
	for (; ret->n_options < n && !r.failed; ret->n_options++)
		get_option(&r, &ret->options[ret->n_options]);
	n = get_short(&r);
	if (n > ROWS_MAX)
		return -EBADMSG;
	ret->events = mem_zero((n + 1u) * sizeof(ret->events[0]));
	for (; ret->n_events < n && !r.failed; ret->n_events++) {
		ret->events[ret->n_events].name = get_text(&r);
		ret->events[ret->n_events].doc = get_text(&r);
		ret->events[ret->n_events].version = get_word(&r);
	}
	return r.failed || reader_left(&r) || !ret->name ? -EBADMSG : 0;
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
	}
	for (size_t i = 0; i < t->n_events; i++) {
		free(t->events[i].name);
		free(t->events[i].doc);
	}
	free(t->options);
	free(t->events);
	free(t->name);
	free(t->version);
	free(t->summary);
	*t = (struct tables){0};
}

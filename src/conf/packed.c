/* SPDX-License-Identifier: MIT */
#include "conf/packed.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"

enum { FORMAT = 5 };

/* ---- putting ---- */

static void put_text(struct buf *out, const char *s)
{
	buf_put_u8(out, s != NULL);
	buf_put_u32(out, (uint32_t)(s ? strlen(s) : 0));
	buf_puts(out, s ? s : "");
}

static void put_int(struct buf *out, int64_t v)
{
	buf_put_u64(out, (uint64_t)v);
}

static void put_list(struct buf *out, char *const *items, size_t n)
{
	buf_put_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_text(out, items[i]);
}

static void put_who(struct buf *out, const struct who *w)
{
	buf_put_u8(out, w != NULL);
	if (w)
		put_list(out, w->items, w->n);
}

static void put_access(struct buf *out, const struct access_settings *a)
{
	buf_put_u8(out, a->allows);
	put_who(out, a->admin);
	put_text(out, a->certificate);
	put_list(out, a->members, a->n_members);
	put_list(out, a->origins, a->n_origins);
	put_list(out, a->frame_ancestors, a->n_frame_ancestors);
	put_list(out, a->hosts, a->n_hosts);
	put_list(out, a->trusted_proxies, a->n_trusted_proxies);
	buf_put_u8(out, a->lists_proxies);
}

static void put_hub(struct buf *out, const struct hub_settings *h)
{
	put_list(out, h->listen, h->n_listen);
	put_text(out, h->state_dir);
	put_list(out, h->plugin_dirs, h->n_plugin_dirs);
	put_text(out, h->prefix);
	put_int(out, h->responders);
	put_int(out, h->max_streams);
	put_int(out, h->event_size);
	put_int(out, h->max_streams_per_address);
	put_int(out, h->max_streams_per_user);
	put_int(out, h->max_views);
	put_int(out, h->max_stall_ns);
	put_int(out, h->free_space);
	put_list(out, h->web_users, h->n_web_users);
	put_int(out, h->linger_ns);
}

static void put_channel(struct buf *out, const struct channel_settings *c)
{
	put_text(out, c->name);
	put_int(out, c->history_size);
	put_int(out, c->history_age_ns);
	buf_put_u8(out, (uint8_t)c->durability);
	put_int(out, c->heartbeat_ns);
	put_int(out, c->retry_ns);
	put_int(out, c->coalesce_ns);
	put_int(out, c->tail);
	buf_put_u8(out, c->gzips);
	buf_put_u8(out, (uint8_t)c->slow);
	put_int(out, c->max_lag_ns);
	put_who(out, c->access);
	put_who(out, c->replay);
	put_who(out, c->admin);
	put_list(out, c->from, c->n_from);
	put_text(out, c->filter);
}

static void put_types(struct buf *out, const struct source_settings *src)
{
	buf_put_u32(out, (uint32_t)src->n_types);
	for (size_t i = 0; i < src->n_types; i++) {
		const struct type_settings *t = &src->types[i];
		put_text(out, t->name);
		put_text(out, t->doc);
		buf_put_u32(out, t->version);
		buf_put_u32(out, (uint32_t)t->n_fields);
		for (size_t k = 0; k < t->n_fields; k++) {
			put_text(out, t->fields[k].name);
			put_text(out, t->fields[k].unit);
			put_text(out, t->fields[k].doc);
			buf_put_u8(out, (uint8_t)t->fields[k].type);
		}
	}
}

void packed_put_source(struct buf *out, const struct source_settings *src)
{
	put_text(out, src->name);
	put_text(out, src->type);
	put_text(out, src->channel);
	put_text(out, src->user);
	put_list(out, src->groups, src->n_groups);
	put_int(out, src->limits.memory);
	put_int(out, src->limits.open_files);
	put_int(out, src->limits.processes);
	put_int(out, src->limits.cpu_time_ns);
	put_int(out, src->limits.file_size);
	put_int(out, src->backoff_ns);
	put_int(out, src->backoff_max_ns);
	put_int(out, src->attempts);
	put_int(out, src->watchdog_ns);
	put_int(out, src->rate_limit);
	put_int(out, src->rate_burst);
	put_text(out, src->filter);
	buf_put_u32(out, (uint32_t)src->n_redact);
	for (size_t i = 0; i < src->n_redact; i++) {
		const struct redact_rule *rule = &src->redact[i];
		put_text(out, rule->name);
		put_text(out, rule->field);
		put_text(out, rule->regex);
		put_text(out, rule->with);
		buf_put_u8(out, (uint8_t)rule->how);
	}
	buf_put_u8(out, (uint8_t)src->sandbox);
	put_list(out, src->allow_read, src->n_allow_read);
	put_text(out, src->plugin);
	put_text(out, src->trouble);
	buf_put_u32(out, src->plugin_flags);
	buf_put_u32(out, (uint32_t)src->options.n);
	for (size_t i = 0; i < src->options.n; i++) {
		const struct option_value *v = &src->options.all[i];
		put_text(out, v->name);
		buf_put_u8(out, (uint8_t)v->type);
		buf_put_u32(out, v->flags);
		put_list(out, v->items, v->n);
	}
	put_types(out, src);
}

void packed_put(struct buf *out, const struct settings *s)
{
	buf_put_u32(out, FORMAT);
	put_text(out, s->file);
	put_hub(out, &s->hub);
	put_access(out, &s->access);
	buf_put_u32(out, (uint32_t)s->n_channels);
	for (size_t i = 0; i < s->n_channels; i++)
		put_channel(out, &s->channels[i]);
	buf_put_u32(out, (uint32_t)s->n_sources);
	for (size_t i = 0; i < s->n_sources; i++)
		packed_put_source(out, &s->sources[i]);
}

/* ---- getting ---- */

static char *get_text(struct reader *r)
{
	bool there = get_byte(r) != 0;
	struct str s = get_bytes(r, get_word(r));
	return there ? mem_strndup(s.data, s.len) : NULL;
}

static int64_t get_int(struct reader *r)
{
	return (int64_t)get_long(r);
}

/* How many follow, each of at least one byte. */
static size_t get_count(struct reader *r)
{
	uint32_t n = get_word(r);
	if (n > reader_left(r))
		r->failed = true;
	return r->failed ? 0 : n;
}

static char **get_list(struct reader *r, size_t *n)
{
	*n = get_count(r);
	char **items = mem_zero((*n + 1) * sizeof(items[0]));
	for (size_t i = 0; i < *n; i++) {
		items[i] = get_text(r);
		if (!items[i])
			items[i] = mem_strdup("");
	}
	return items;
}

static struct who *get_who(struct reader *r)
{
	if (!get_byte(r))
		return NULL;
	struct who *w = mem_zero(sizeof(*w));
	w->items = get_list(r, &w->n);
	return w;
}

static void get_access(struct reader *r, struct access_settings *a)
{
	a->allows = get_byte(r) != 0;
	a->admin = get_who(r);
	a->certificate = get_text(r);
	a->members = get_list(r, &a->n_members);
	a->origins = get_list(r, &a->n_origins);
	a->frame_ancestors = get_list(r, &a->n_frame_ancestors);
	a->hosts = get_list(r, &a->n_hosts);
	a->trusted_proxies = get_list(r, &a->n_trusted_proxies);
	a->lists_proxies = get_byte(r) != 0;
	r->failed |= !a->certificate;
}

static void get_hub(struct reader *r, struct hub_settings *h)
{
	h->listen = get_list(r, &h->n_listen);
	h->state_dir = get_text(r);
	h->plugin_dirs = get_list(r, &h->n_plugin_dirs);
	h->prefix = get_text(r);
	h->responders = get_int(r);
	h->max_streams = get_int(r);
	h->event_size = get_int(r);
	h->max_streams_per_address = get_int(r);
	h->max_streams_per_user = get_int(r);
	h->max_views = get_int(r);
	h->max_stall_ns = get_int(r);
	h->free_space = get_int(r);
	h->web_users = get_list(r, &h->n_web_users);
	h->linger_ns = get_int(r);
	r->failed |= !h->state_dir || !h->prefix;
}

static void get_channel(struct reader *r, struct channel_settings *c)
{
	c->name = get_text(r);
	c->history_size = get_int(r);
	c->history_age_ns = get_int(r);
	c->durability = (enum durability)get_byte(r);
	c->heartbeat_ns = get_int(r);
	c->retry_ns = get_int(r);
	c->coalesce_ns = get_int(r);
	c->tail = get_int(r);
	c->gzips = get_byte(r) != 0;
	c->slow = (enum slow)get_byte(r);
	c->max_lag_ns = get_int(r);
	c->access = get_who(r);
	c->replay = get_who(r);
	c->admin = get_who(r);
	c->from = get_list(r, &c->n_from);
	c->filter = get_text(r);
	r->failed |= !c->name;
}

static void get_types(struct reader *r, struct source_settings *src)
{
	size_t n = get_count(r);
	src->types = mem_zero((n + 1) * sizeof(src->types[0]));
	for (; src->n_types < n && !r->failed; src->n_types++) {
		struct type_settings *t = &src->types[src->n_types];
		t->name = get_text(r);
		t->doc = get_text(r);
		t->version = get_word(r);
		size_t n_fields = get_count(r);
		t->fields = mem_zero((n_fields + 1) * sizeof(t->fields[0]));
		for (; t->n_fields < n_fields && !r->failed; t->n_fields++) {
			struct field_settings *f = &t->fields[t->n_fields];
			f->name = get_text(r);
			f->unit = get_text(r);
			f->doc = get_text(r);
			f->type = (enum sluice_type)get_byte(r);
			r->failed |= !f->name;
		}
		r->failed |= !t->name;
	}
}

void packed_get_source(struct reader *r, struct source_settings *src)
{
	*src = (struct source_settings){0};
	src->name = get_text(r);
	src->type = get_text(r);
	src->channel = get_text(r);
	src->user = get_text(r);
	src->groups = get_list(r, &src->n_groups);
	src->limits.memory = get_int(r);
	src->limits.open_files = get_int(r);
	src->limits.processes = get_int(r);
	src->limits.cpu_time_ns = get_int(r);
	src->limits.file_size = get_int(r);
	src->backoff_ns = get_int(r);
	src->backoff_max_ns = get_int(r);
	src->attempts = get_int(r);
	src->watchdog_ns = get_int(r);
	src->rate_limit = get_int(r);
	src->rate_burst = get_int(r);
	src->filter = get_text(r);
	size_t n_redact = get_count(r);
	src->redact = mem_zero((n_redact + 1) * sizeof(src->redact[0]));
	for (; src->n_redact < n_redact; src->n_redact++) {
		struct redact_rule *rule = &src->redact[src->n_redact];
		rule->name = get_text(r);
		rule->field = get_text(r);
		rule->regex = get_text(r);
		rule->with = get_text(r);
		rule->how = (enum redact_how)get_byte(r);
	}
	src->sandbox = (enum sandbox)get_byte(r);
	src->allow_read = get_list(r, &src->n_allow_read);
	src->plugin = get_text(r);
	src->trouble = get_text(r);
	src->plugin_flags = get_word(r);
	size_t n = get_count(r);
	src->options.all = mem_zero((n + 1) * sizeof(src->options.all[0]));
	for (; src->options.n < n; src->options.n++) {
		struct option_value *v = &src->options.all[src->options.n];
		v->name = get_text(r);
		v->type = (enum sluice_type)get_byte(r);
		v->flags = get_word(r);
		v->items = get_list(r, &v->n);
		r->failed |= !v->name;
	}
	get_types(r, src);
	r->failed |= !src->name || !src->type || !src->plugin;
}

struct settings *packed_get(struct str packed)
{
	struct reader r = reader_of(packed.data, packed.len);
	struct settings *s = mem_zero(sizeof(*s));
	r.failed = get_word(&r) != FORMAT;
	s->file = get_text(&r);
	get_hub(&r, &s->hub);
	get_access(&r, &s->access);
	size_t n = get_count(&r);
	s->channels = mem_zero((n + 1) * sizeof(s->channels[0]));
	while (s->n_channels < n)
		get_channel(&r, &s->channels[s->n_channels++]);
	n = get_count(&r);
	s->sources = mem_zero((n + 1) * sizeof(s->sources[0]));
	while (s->n_sources < n)
		packed_get_source(&r, &s->sources[s->n_sources++]);
	for (size_t i = 0; i < n; i++)
		r.failed |= !s->sources[i].channel;
	if (!r.failed && !reader_left(&r))
		return s;
	settings_free(s);
	return NULL;
}

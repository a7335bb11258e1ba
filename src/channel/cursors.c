/* SPDX-License-Identifier: MIT */
#include "channel/cursors.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/table.h"

struct entry {
	struct table_entry by_name;
	event_id at;
	const void *owner;
	struct of_source *of;
	bool has_moved; /* from one owner to another, whose journal may still have it */
	size_t source_len, key_len, value_len;
	char *value; /* owned */
	char name[]; /* source, key */
};

/* What one source has. */
struct of_source {
	struct of_source *next;
	size_t n, bytes; /* those with a value */
	size_t name_len;
	char name[];
};

struct cursors {
	struct of_source *sources;
	struct table by_name;
	bool is_settled; /* all journals have been read */
};

static uint64_t hash_of(const struct cursors *c, const struct cursor *cur)
{
	uint64_t of[2] = {table_hash(&c->by_name, cur->source.data, cur->source.len),
			  table_hash(&c->by_name, cur->key.data, cur->key.len)};
	return table_hash(&c->by_name, of, sizeof(of));
}

static struct entry *entry_of(struct table_entry *e)
{
	return container_of(e, struct entry, by_name);
}

struct cursors *cursors_new(void)
{
	struct cursors *c = mem_zero(sizeof(*c));
	table_init(&c->by_name);
	return c;
}

static void entry_free(struct entry *e)
{
	free(e->value);
	free(e);
}

void cursors_free(struct cursors *c)
{
	table_each_safe (e, &c->by_name)
		entry_free(entry_of(e));
	for (struct of_source *s = c->sources, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	table_fini(&c->by_name);
	free(c);
}

static struct of_source *find_source(const struct cursors *c, struct str name)
{
	struct of_source *s = c->sources;
	while (s && !str_eq((struct str){s->name, s->name_len}, name))
		s = s->next;
	return s;
}

static struct of_source *get_source(struct cursors *c, struct str name)
{
	struct of_source *s = find_source(c, name);
	if (s)
		return s;
	s = mem_zero(sizeof(*s) + name.len);
	s->name_len = name.len;
	memcpy(s->name, name.data, name.len);
	s->next = c->sources;
	c->sources = s;
	return s;
}

static struct entry *find(const struct cursors *c, const struct cursor *cur)
{
	table_each_of (t, &c->by_name, hash_of(c, cur)) {
		struct entry *e = entry_of(t);
		if (e->source_len == cur->source.len && e->key_len == cur->key.len &&
		    memcmp(e->name, cur->source.data, e->source_len) == 0 &&
		    memcmp(e->name + e->source_len, cur->key.data, e->key_len) == 0)
			return e;
	}
	return NULL;
}

/* Takes an entry into the sums of its source, or out of them. */
static void count(struct entry *e, int sign)
{
	if (!e->value_len)
		return;
	e->of->n += (size_t)sign;
	e->of->bytes += (size_t)sign * (e->key_len + e->value_len);
}

bool cursors_admit(const struct cursors *c, const struct cursor *cur)
{
	const struct of_source *s = find_source(c, cur->source);
	if (!s || !cur->value.len ||
	    (s->n < CURSORS_OF_SOURCE_MAX && s->bytes < CURSOR_BYTES_OF_SOURCE_MAX))
		return true;
	const struct entry *e = find(c, cur);
	return e && e->value_len >= cur->value.len;
}

/* Whether it is forgotten, and no other journal may still have it. */
static bool is_over(const struct entry *e)
{
	return !e->value_len && !e->has_moved;
}

static void remove_entry(struct cursors *c, struct entry *e)
{
	table_remove(&c->by_name, &e->by_name);
	entry_free(e);
}

static struct entry *add(struct cursors *c, const struct cursor *cur, const void *owner)
{
	struct entry *e = mem_zero(sizeof(*e) + cur->source.len + cur->key.len);
	e->source_len = cur->source.len;
	e->key_len = cur->key.len;
	memcpy(e->name, cur->source.data, e->source_len);
	memcpy(e->name + e->source_len, cur->key.data, e->key_len);
	e->of = get_source(c, cur->source);
	e->owner = owner;
	table_add(&c->by_name, &e->by_name, hash_of(c, cur));
	return e;
}

void cursors_set(struct cursors *c, const struct cursor *cur, event_id at, const void *owner)
{
	struct entry *e = find(c, cur);
	if (e && e->at > at) {
		e->has_moved |= e->owner != owner;
		return;
	}
	/* While the journals are read, a forgotten one is kept as an empty entry: an older
	 * journal, which may be read later, must not bring it back.
	 */
	if (!e && !cur->value.len && c->is_settled)
		return;
	if (!e)
		e = add(c, cur, owner);
	count(e, -1);
	e->has_moved |= e->owner != owner;
	if (e->value_len != cur->value.len || !e->value)
		e->value = mem_resize(e->value, cur->value.len + 1);
	if (cur->value.len)
		memcpy(e->value, cur->value.data, cur->value.len);
	e->value_len = cur->value.len;
	e->at = at;
	e->owner = owner;
	count(e, 1);
	if (c->is_settled && is_over(e))
		remove_entry(c, e);
}

void cursors_settle(struct cursors *c)
{
	c->is_settled = true;
	table_each_safe (t, &c->by_name)
		if (is_over(entry_of(t)))
			remove_entry(c, entry_of(t));
}

struct str cursors_get(const struct cursors *c, struct str source, struct str key)
{
	struct cursor cur = {.source = source, .key = key};
	const struct entry *e = find(c, &cur);
	return e ? (struct str){e->value, e->value_len} : (struct str){0};
}

static struct cursor cursor_of(const struct entry *e)
{
	return (struct cursor){
		.source = {e->name, e->source_len},
		.key = {e->name + e->source_len, e->key_len},
		.value = {e->value, e->value_len},
	};
}

void cursors_put_of_source(const struct cursors *c, const char *source, struct buf *out)
{
	table_each_safe (t, &c->by_name) {
		const struct entry *e = entry_of(t);
		struct cursor cur = cursor_of(e);
		if (e->value_len && str_is(cur.source, source))
			record_put_cursor(out, &cur);
	}
}

void cursors_put_of_owner(struct cursors *c, const void *owner, struct buf *out)
{
	table_each_safe (t, &c->by_name) {
		struct entry *e = entry_of(t);
		struct cursor cur = cursor_of(e);
		if (e->owner != owner)
			continue;
		if (is_over(e))
			remove_entry(c, e);
		else
			checkpoint_put(out, e->at, &cur);
	}
}

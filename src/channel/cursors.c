/* SPDX-License-Identifier: MIT */
#include "channel/cursors.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/siphash.h"

struct entry {
	struct entry *next;
	event_id at;
	const void *owner;
	uint64_t hash;
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
	struct siphash_key key;
	struct of_source *sources;
	struct entry **slots;
	size_t n_slots; /* a power of two */
	size_t n;
	bool is_settled; /* all journals have been read */
};

/* The keys are a plugin's: it must not find many that share a slot. */
static uint64_t hash_of(const struct cursors *c, const struct cursor *cur)
{
	struct siphash_key key = c->key;
	key.k[0] ^= siphash(&c->key, cur->source.data, cur->source.len);
	return siphash(&key, cur->key.data, cur->key.len);
}

struct cursors *cursors_new(void)
{
	struct cursors *c = mem_zero(sizeof(*c));
	c->key = siphash_new_key();
	c->n_slots = 64;
	c->slots = mem_zero(c->n_slots * sizeof(c->slots[0]));
	return c;
}

static void entry_free(struct entry *e)
{
	free(e->value);
	free(e);
}

void cursors_free(struct cursors *c)
{
	for (size_t i = 0; i < c->n_slots; i++) {
		for (struct entry *e = c->slots[i], *next; e; e = next) {
			next = e->next;
			entry_free(e);
		}
	}
	for (struct of_source *s = c->sources, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	free(c->slots);
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

static void grow(struct cursors *c)
{
	size_t n = c->n_slots * 2;
	struct entry **slots = mem_zero(n * sizeof(slots[0]));
	for (size_t i = 0; i < c->n_slots; i++) {
		for (struct entry *e = c->slots[i], *next; e; e = next) {
			next = e->next;
			e->next = slots[e->hash & (n - 1)];
			slots[e->hash & (n - 1)] = e;
		}
	}
	free(c->slots);
	c->slots = slots;
	c->n_slots = n;
}

/* Where the entry is, or would be. */
static struct entry **find(const struct cursors *c, const struct cursor *cur, uint64_t h)
{
	struct entry **p = &c->slots[h & (c->n_slots - 1)];
	for (; *p; p = &(*p)->next) {
		struct entry *e = *p;
		if (e->hash == h && e->source_len == cur->source.len &&
		    e->key_len == cur->key.len &&
		    memcmp(e->name, cur->source.data, e->source_len) == 0 &&
		    memcmp(e->name + e->source_len, cur->key.data, e->key_len) == 0)
			break;
	}
	return p;
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
	const struct entry *e = *find(c, cur, hash_of(c, cur));
	return e && e->value_len >= cur->value.len;
}

/* Whether it is forgotten, and no other journal may still have it. */
static bool is_over(const struct entry *e)
{
	return !e->value_len && !e->has_moved;
}

static void remove_entry(struct cursors *c, struct entry **p)
{
	struct entry *e = *p;
	*p = e->next;
	entry_free(e);
	c->n--;
}

void cursors_set(struct cursors *c, const struct cursor *cur, event_id at, const void *owner)
{
	uint64_t h = hash_of(c, cur);
	struct entry **p = find(c, cur, h);
	if (*p && (*p)->at > at) {
		(*p)->has_moved |= (*p)->owner != owner;
		return;
	}
	/* While the journals are read, a forgotten one is kept as an empty entry: an older
	 * journal, which may be read later, must not bring it back.
	 */
	if (!*p && !cur->value.len && c->is_settled)
		return;
	if (!*p) {
		if (c->n >= c->n_slots) {
			grow(c);
			p = &c->slots[h & (c->n_slots - 1)];
		}
		struct entry *e = mem_zero(sizeof(*e) + cur->source.len + cur->key.len);
		e->hash = h;
		e->source_len = cur->source.len;
		e->key_len = cur->key.len;
		memcpy(e->name, cur->source.data, e->source_len);
		memcpy(e->name + e->source_len, cur->key.data, e->key_len);
		e->of = get_source(c, cur->source);
		e->owner = owner;
		e->next = c->slots[h & (c->n_slots - 1)];
		c->slots[h & (c->n_slots - 1)] = e;
		c->n++;
		p = &c->slots[h & (c->n_slots - 1)];
	}
	struct entry *e = *p;
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
		remove_entry(c, p);
}

void cursors_settle(struct cursors *c)
{
	c->is_settled = true;
	for (size_t i = 0; i < c->n_slots; i++)
		for (struct entry **p = &c->slots[i]; *p;)
			if (is_over(*p))
				remove_entry(c, p);
			else
				p = &(*p)->next;
}

struct str cursors_get(const struct cursors *c, struct str source, struct str key)
{
	struct cursor cur = {.source = source, .key = key};
	const struct entry *e = *find(c, &cur, hash_of(c, &cur));
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
	for (size_t i = 0; i < c->n_slots; i++) {
		for (const struct entry *e = c->slots[i]; e; e = e->next) {
			struct cursor cur = cursor_of(e);
			if (e->value_len && str_is(cur.source, source))
				record_put_cursor(out, &cur);
		}
	}
}

void cursors_put_of_owner(struct cursors *c, const void *owner, struct buf *out)
{
	for (size_t i = 0; i < c->n_slots; i++) {
		for (struct entry **p = &c->slots[i]; *p;) {
			struct entry *e = *p;
			struct cursor cur = cursor_of(e);
			if (e->owner == owner && is_over(e)) {
				remove_entry(c, p);
				continue;
			}
			if (e->owner == owner)
				checkpoint_put(out, e->at, &cur);
			p = &e->next;
		}
	}
}

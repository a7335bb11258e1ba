/* SPDX-License-Identifier: MIT */
#include "hub/cursors.h"

#include <stdlib.h>

#include "base/mem.h"

struct entry {
	struct entry *next;
	event_id at;
	const void *owner;
	uint64_t hash;
	size_t source_len, key_len, value_len;
	char *value; /* owned */
	char name[]; /* source, key */
};

struct cursors {
	struct entry **slots;
	size_t n_slots; /* a power of two */
	size_t n;
};

/* FNV-1a, 64 bits: the keys are ours, not a stranger's. */
static uint64_t hash_of(const struct cursor *cur)
{
	uint64_t h = 14695981039346656037ULL;
	for (size_t i = 0; i < cur->source.len; i++)
		h = (h ^ (unsigned char)cur->source.data[i]) * 1099511628211ULL;
	h = (h ^ 0xff) * 1099511628211ULL;
	for (size_t i = 0; i < cur->key.len; i++)
		h = (h ^ (unsigned char)cur->key.data[i]) * 1099511628211ULL;
	return h;
}

struct cursors *cursors_new(void)
{
	struct cursors *c = mem_zero(sizeof(*c));
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
	free(c->slots);
	free(c);
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

void cursors_set(struct cursors *c, const struct cursor *cur, event_id at, const void *owner)
{
	uint64_t h = hash_of(cur);
	struct entry **p = find(c, cur, h);
	if (*p && (*p)->at > at)
		return;
	/* One that is forgotten is kept as an empty entry: an older journal, be it read later,
	 * must not bring it back.
	 */
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
		e->next = c->slots[h & (c->n_slots - 1)];
		c->slots[h & (c->n_slots - 1)] = e;
		c->n++;
		p = &c->slots[h & (c->n_slots - 1)];
	}
	struct entry *e = *p;
	if (e->value_len != cur->value.len || !e->value)
		e->value = mem_resize(e->value, cur->value.len + 1);
	if (cur->value.len)
		memcpy(e->value, cur->value.data, cur->value.len);
	e->value_len = cur->value.len;
	e->at = at;
	e->owner = owner;
}

struct str cursors_get(const struct cursors *c, struct str source, struct str key)
{
	struct cursor cur = {.source = source, .key = key};
	const struct entry *e = *find(c, &cur, hash_of(&cur));
	return e ? (struct str){e->value, e->value_len} : (struct str){0};
}

static void put(const struct entry *e, struct buf *out)
{
	record_put_cursor(out, &(struct cursor){
				       .source = {e->name, e->source_len},
				       .key = {e->name + e->source_len, e->key_len},
				       .value = {e->value, e->value_len},
			       });
}

void cursors_put_of_source(const struct cursors *c, const char *source, struct buf *out)
{
	for (size_t i = 0; i < c->n_slots; i++)
		for (const struct entry *e = c->slots[i]; e; e = e->next)
			if (e->value_len && str_is((struct str){e->name, e->source_len}, source))
				put(e, out);
}

void cursors_put_of_owner(const struct cursors *c, const void *owner, struct buf *out)
{
	for (size_t i = 0; i < c->n_slots; i++)
		for (const struct entry *e = c->slots[i]; e; e = e->next)
			if (e->value_len && e->owner == owner)
				put(e, out);
}

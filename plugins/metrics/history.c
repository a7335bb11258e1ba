/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

enum { SLOTS = 1024 };

struct entry {
	struct entry *next;
	char *key; /* owned */
	uint64_t value;
	int64_t at_ns;
	uint64_t tick;
};

struct history {
	struct entry *slots[SLOTS];
	uint64_t tick;
};

struct history *history_new(void)
{
	return must(calloc(1, sizeof(struct history)));
}

void history_expire(struct history *h, uint64_t tick)
{
	h->tick = tick;
	for (size_t i = 0; i < SLOTS; i++) {
		for (struct entry **p = &h->slots[i]; *p;) {
			struct entry *e = *p;
			if (e->tick + 2 >= tick) {
				p = &e->next;
				continue;
			}
			*p = e->next;
			free(e->key);
			free(e);
		}
	}
}

void history_free(struct history *h)
{
	if (!h)
		return;
	history_expire(h, UINT64_MAX);
	free(h);
}

/* The entry, and whether it has been there. */
static struct entry *recall(struct history *h, const char *key, bool *is_new)
{
	uint32_t hash = 2166136261u;
	for (const char *p = key; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	struct entry **slot = &h->slots[hash % SLOTS];
	struct entry *e = *slot;
	while (e && strcmp(e->key, key) != 0)
		e = e->next;
	*is_new = !e;
	if (!e) {
		e = must(calloc(1, sizeof(*e)));
		e->key = must(strdup(key));
		e->next = *slot;
		*slot = e;
	}
	e->tick = h->tick;
	return e;
}

struct growth history_put(struct history *h, const char *key, uint64_t v, int64_t now_ns,
			  int64_t soonest_ns)
{
	bool is_new;
	struct entry *e = recall(h, key, &is_new);
	int64_t span_ns = now_ns - e->at_ns;
	bool went_back = !is_new && v < e->value;
	bool is_too_soon = !is_new && !went_back && span_ns < soonest_ns;
	struct growth ret = {.went_back = went_back, .span_ns = span_ns};
	if (is_too_soon)
		return ret;
	ret.is_known = !is_new && !went_back && span_ns > 0;
	ret.by = !is_new && !went_back ? v - e->value : 0;
	e->value = v;
	e->at_ns = now_ns;
	return ret;
}

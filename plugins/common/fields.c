/* SPDX-License-Identifier: MIT */
#include "common/fields.h"

#include <stdlib.h>
#include <string.h>

#include "common/basics.h"

enum { BLOCK_SIZE = 16 * 1024 };

struct block {
	struct block *next;
	size_t used, size;
	char bytes[];
};

static struct block *new_block(size_t n)
{
	size_t size = n > BLOCK_SIZE ? n : BLOCK_SIZE;
	struct block *b = malloc(sizeof(*b) + size);
	if (b)
		*b = (struct block){.size = size};
	return b;
}

void fields_reset(struct fields *f)
{
	f->n = f->n_dropped = 0;
	/* One block is kept, unless it is a huge one. */
	while (f->blocks && (f->blocks->next || f->blocks->size > 4 * BLOCK_SIZE)) {
		struct block *b = f->blocks;
		f->blocks = b->next;
		free(b);
	}
	if (f->blocks)
		f->blocks->used = 0;
}

void fields_free(struct fields *f)
{
	while (f->blocks) {
		struct block *b = f->blocks;
		f->blocks = b->next;
		free(b);
	}
	f->n = 0;
}

char *fields_alloc(struct fields *f, size_t n)
{
	if (!f->blocks || f->blocks->size - f->blocks->used < n) {
		struct block *b = new_block(n);
		if (!b)
			return NULL;
		b->next = f->blocks;
		f->blocks = b;
	}
	char *p = f->blocks->bytes + f->blocks->used;
	f->blocks->used += n;
	return p;
}

const char *fields_copy(struct fields *f, const char *s, size_t n)
{
	char *p = must(fields_alloc(f, n + 1));
	memcpy(p, s, n);
	p[n] = 0;
	return p;
}

static struct sluice_value *add(struct fields *f, const char *name, enum sluice_type type)
{
	static struct sluice_value nowhere;
	if (!name || !*name || f->n == SLUICE_FIELDS_MAX) {
		f->n_dropped += name && *name;
		return &nowhere;
	}
	struct sluice_value *v = &f->all[f->n++];
	*v = (struct sluice_value){.name = name, .type = type};
	return v;
}

void fields_str(struct fields *f, const char *name, const char *s, size_t n)
{
	struct sluice_value *v = add(f, name, SLUICE_STRING);
	v->string = s;
	v->string_len = n;
}

void fields_cstr(struct fields *f, const char *name, const char *s)
{
	fields_str(f, name, s, strlen(s));
}

void fields_json(struct fields *f, const char *name, const char *s, size_t n)
{
	struct sluice_value *v = add(f, name, SLUICE_JSON);
	v->string = s;
	v->string_len = n;
}

void fields_int(struct fields *f, const char *name, int64_t v)
{
	add(f, name, SLUICE_INT)->integer = v;
}

void fields_double(struct fields *f, const char *name, double v)
{
	add(f, name, SLUICE_DOUBLE)->number = v;
}

void fields_bool(struct fields *f, const char *name, bool v)
{
	add(f, name, SLUICE_BOOL)->integer = v;
}

void fields_null(struct fields *f, const char *name)
{
	add(f, name, (enum sluice_type)0);
}

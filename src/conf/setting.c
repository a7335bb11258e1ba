/* SPDX-License-Identifier: MIT */
#include "conf/setting.h"

#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "base/unit.h"
#include "conf/subject.h"
#include "conf/values.h"
#include "filter/filter.h"

/* ---- members -------------------------------------------------------------------------- */

static void *at(void *of, size_t offset)
{
	return (char *)of + offset;
}

static const void *at_const(const void *of, size_t offset)
{
	return (const char *)of + offset;
}

static char *text_in(const struct setting *s, const void *of)
{
	return *(char *const *)at_const(of, s->at);
}

static size_t count_in(const struct setting *s, const void *of)
{
	return *(const size_t *)at_const(of, s->also_at);
}

static char **list_in(const struct setting *s, const void *of)
{
	return *(char **const *)at_const(of, s->at);
}

static struct acl *acl_in(const struct setting *s, const void *of)
{
	return *(struct acl *const *)at_const(of, s->at);
}

/* The i-th struct of an array, or the embedded one. */
static void *struct_in(const struct setting *s, const void *of, size_t i)
{
	char *first = s->kind == MEMBER_STRUCT ? at((void *)(uintptr_t)of, s->at)
					       : *(char *const *)at_const(of, s->at);
	return first + i * s->size;
}

static size_t n_structs(const struct setting *s, const void *of)
{
	return s->kind == MEMBER_STRUCT ? 1 : count_in(s, of);
}

const struct setting *settings_find(const struct setting *rows, const char *key)
{
	for (; rows->kind; rows++)
		if (rows->option.name && strcmp(rows->option.name, key) == 0)
			return rows;
	return NULL;
}

/* ---- reading -------------------------------------------------------------------------- */

struct sluice_option *settings_options(const struct setting *rows)
{
	size_t n = 0;
	for (const struct setting *s = rows; s->kind; s++)
		n += s->option.name != NULL;
	struct sluice_option *all = mem_zero((n + 1) * sizeof(all[0]));
	n = 0;
	for (const struct setting *s = rows; s->kind; s++)
		if (s->option.name)
			all[n++] = s->option;
	return all;
}

static struct acl *acl_of(const struct option_value *v, const char *where, struct errors *e)
{
	if (!v)
		return NULL;
	struct acl *w = mem_zero(sizeof(*w));
	w->items = mem_zero((v->n + 1) * sizeof(w->items[0]));
	for (; w->n < v->n; w->n++) {
		struct subject subject;
		char *why = NULL;
		w->items[w->n] = mem_strdup(v->items[w->n]);
		if (subject_parse(v->items[w->n], &subject, &why))
			errors_add(e, v->at, where, "%s", why);
		free(why);
	}
	return w;
}

static void set(const struct setting *s, const struct option_value *v, const char *where,
		void *into, struct errors *e)
{
	void *to = at(into, s->at), *also = at(into, s->also_at);
	const char *text = values_text(&s->option, v);
	switch (s->kind) {
	case MEMBER_NUMBER: *(int64_t *)to = values_number(&s->option, v); break;
	case MEMBER_BOOL: *(bool *)to = values_number(&s->option, v) != 0; break;
	case MEMBER_CHOICE: *(unsigned *)to = (unsigned)values_number(&s->option, v); break;
	case MEMBER_RANGE:
		if (!text || unit_parse_range(text, to, also))
			*(int64_t *)to = *(int64_t *)also = 0;
		break;
	case MEMBER_TEXT: *(char **)to = text ? mem_strdup(text) : NULL; break;
	case MEMBER_LIST: *(char ***)to = values_list(&s->option, v, also); break;
	case MEMBER_ACL: *(struct acl **)to = acl_of(v, where, e); break;
	case MEMBER_NONE:
	case MEMBER_WORD:
	case MEMBER_STRUCT:
	case MEMBER_STRUCTS:
	case MEMBER_OPAQUE: break; /* without a key, or read by hand */
	}
}

void settings_set(const struct setting *rows, const struct option_values *v, const char *where,
		  void *into, struct errors *e)
{
	for (const struct setting *s = rows; s->kind; s++) {
		if (!s->option.name)
			continue;
		const struct option_value *value = option_find(v, s->option.name);
		char *path = mem_printf("%s.%s", where, s->option.name);
		if (!(s->flags & SETTING_BY_HAND))
			set(s, value, path, into, e);
		if (s->check && value)
			s->check(value, path, e);
		free(path);
	}
}

void settings_read(const struct setting *rows, const struct tree *map, const char *where,
		   struct option_values *v, void *into, struct errors *e)
{
	static const struct tree nothing = {.kind = TREE_MAP};
	struct sluice_option *options = settings_options(rows);
	option_read(map ? map : &nothing, where, options, NULL, v, e);
	settings_set(rows, v, where, into, e);
	free(options);
}

void setting_check_filter(const struct option_value *v, const char *where, struct errors *e)
{
	struct buf why = {0};
	struct filter *f = v->n ? filter_parse(NULL, str_of(v->items[0]), &why) : NULL;
	if (v->n && !f)
		errors_add(e, v->at, where, "%s", buf_text(&why));
	filter_unref(f);
	buf_fini(&why);
}

/* ---- packing -------------------------------------------------------------------------- */

static void put_number(struct buf *out, const void *from)
{
	buf_put_u64(out, (uint64_t)(*(const int64_t *)from));
}

static void put_text(struct buf *out, const char *s)
{
	buf_put_u8(out, s != NULL);
	buf_put_u32(out, (uint32_t)(s ? strlen(s) : 0));
	buf_puts(out, s ? s : "");
}

static void put_list(struct buf *out, char *const *items, size_t n)
{
	buf_put_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		put_text(out, items[i]);
}

static void put_acl(struct buf *out, const struct acl *w)
{
	buf_put_u8(out, w != NULL);
	if (w)
		put_list(out, w->items, w->n);
}

static void put_structs(const struct setting *s, const void *of, struct buf *out)
{
	size_t n = n_structs(s, of);
	if (s->kind == MEMBER_STRUCTS)
		buf_put_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		settings_put(s->rows, struct_in(s, of, i), out);
}

static void put(const struct setting *s, const void *of, struct buf *out)
{
	const void *from = at_const(of, s->at);
	switch (s->kind) {
	case MEMBER_NUMBER: put_number(out, from); break;
	case MEMBER_RANGE:
		put_number(out, from);
		put_number(out, at_const(of, s->also_at));
		break;
	case MEMBER_BOOL: buf_put_u8(out, *(const bool *)from); break;
	case MEMBER_CHOICE:
	case MEMBER_WORD: buf_put_u32(out, *(const unsigned *)from); break;
	case MEMBER_TEXT: put_text(out, text_in(s, of)); break;
	case MEMBER_LIST: put_list(out, list_in(s, of), count_in(s, of)); break;
	case MEMBER_ACL: put_acl(out, acl_in(s, of)); break;
	case MEMBER_STRUCT:
	case MEMBER_STRUCTS: put_structs(s, of, out); break;
	case MEMBER_NONE:
	case MEMBER_OPAQUE: break;
	}
}

void settings_put(const struct setting *rows, const void *of, struct buf *out)
{
	for (; rows->kind; rows++)
		if (!(rows->flags & SETTING_LOCAL))
			put(rows, of, out);
}

/* ---- unpacking ------------------------------------------------------------------------ */

static char *get_text(struct reader *r)
{
	bool there = get_byte(r) != 0;
	struct str s = get_bytes(r, get_word(r));
	return there ? mem_strndup(s.data, s.len) : NULL;
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

static struct acl *get_acl(struct reader *r)
{
	if (!get_byte(r))
		return NULL;
	struct acl *w = mem_zero(sizeof(*w));
	w->items = get_list(r, &w->n);
	return w;
}

static unsigned get_choice(const struct setting *s, struct reader *r)
{
	unsigned choice = get_word(r), n = 0;
	while (s->option.choices[n])
		n++;
	r->failed |= choice >= n;
	return r->failed ? 0 : choice;
}

static void get_structs(const struct setting *s, struct reader *r, void *into)
{
	size_t *n = at(into, s->also_at), count = get_count(r);
	*(void **)at(into, s->at) = mem_zero((count + 1) * s->size);
	for (*n = 0; *n < count && !r->failed; ++*n)
		settings_get(s->rows, r, struct_in(s, into, *n));
}

static void get(const struct setting *s, struct reader *r, void *into)
{
	void *to = at(into, s->at), *also = at(into, s->also_at);
	switch (s->kind) {
	case MEMBER_NUMBER: *(int64_t *)to = (int64_t)get_long(r); break;
	case MEMBER_RANGE:
		*(int64_t *)to = (int64_t)get_long(r);
		*(int64_t *)also = (int64_t)get_long(r);
		break;
	case MEMBER_BOOL: *(bool *)to = get_byte(r) != 0; break;
	case MEMBER_CHOICE: *(unsigned *)to = get_choice(s, r); break;
	case MEMBER_WORD: *(unsigned *)to = get_word(r); break;
	case MEMBER_TEXT:
		*(char **)to = get_text(r);
		r->failed |= (s->flags & SETTING_REQUIRED) && !*(char **)to;
		break;
	case MEMBER_LIST: *(char ***)to = get_list(r, also); break;
	case MEMBER_ACL: *(struct acl **)to = get_acl(r); break;
	case MEMBER_STRUCT: settings_get(s->rows, r, to); break;
	case MEMBER_STRUCTS: get_structs(s, r, into); break;
	case MEMBER_NONE:
	case MEMBER_OPAQUE: break;
	}
}

void settings_get(const struct setting *rows, struct reader *r, void *into)
{
	for (; rows->kind; rows++)
		if (!(rows->flags & SETTING_LOCAL))
			get(rows, r, into);
}

static uint32_t add_layout(const struct setting *rows, uint32_t crc)
{
	for (; rows->kind; rows++) {
		const uint32_t row[] = {(uint32_t)rows->kind, rows->at, rows->also_at, rows->flags};
		const char *key = rows->option.name ? rows->option.name : "";
		crc = crc32c(crc, row, sizeof(row));
		crc = crc32c(crc, key, strlen(key));
		for (size_t i = 0; rows->option.choices && rows->option.choices[i]; i++)
			crc = crc32c(crc, rows->option.choices[i], strlen(rows->option.choices[i]));
		if (rows->rows)
			crc = add_layout(rows->rows, crc);
	}
	return crc;
}

uint32_t settings_layout(const struct setting *rows)
{
	return add_layout(rows, 0);
}

/* ---- freeing -------------------------------------------------------------------------- */

static void release_structs(const struct setting *s, void *of)
{
	size_t n = n_structs(s, of);
	for (size_t i = 0; i < n; i++)
		settings_release(s->rows, struct_in(s, of, i));
	if (s->kind == MEMBER_STRUCTS) {
		free(*(void **)at(of, s->at));
		*(void **)at(of, s->at) = NULL;
		*(size_t *)at(of, s->also_at) = 0;
	}
}

static void release(const struct setting *s, void *of)
{
	void *to = at(of, s->at), *also = at(of, s->also_at);
	switch (s->kind) {
	case MEMBER_NUMBER: *(int64_t *)to = 0; break;
	case MEMBER_RANGE: *(int64_t *)to = *(int64_t *)also = 0; break;
	case MEMBER_BOOL: *(bool *)to = false; break;
	case MEMBER_CHOICE:
	case MEMBER_WORD: *(unsigned *)to = 0; break;
	case MEMBER_TEXT:
		free(text_in(s, of));
		*(char **)to = NULL;
		break;
	case MEMBER_LIST:
		list_free(list_in(s, of), count_in(s, of));
		*(char ***)to = NULL;
		*(size_t *)also = 0;
		break;
	case MEMBER_ACL:
		if (acl_in(s, of))
			list_free(acl_in(s, of)->items, acl_in(s, of)->n);
		free(acl_in(s, of));
		*(struct acl **)to = NULL;
		break;
	case MEMBER_STRUCT:
	case MEMBER_STRUCTS: release_structs(s, of); break;
	case MEMBER_NONE:
	case MEMBER_OPAQUE: break;
	}
}

void settings_release(const struct setting *rows, void *of)
{
	for (; rows->kind; rows++)
		release(rows, of);
}

/* ---- comparing ------------------------------------------------------------------------ */

bool setting_equals(const struct setting *row, const void *a, const void *b)
{
	struct buf x = {0}, y = {0};
	put(row, a, &x);
	put(row, b, &y);
	bool same = str_eq(buf_str(&x), buf_str(&y));
	buf_fini(&x);
	buf_fini(&y);
	return same;
}

bool settings_equal(const struct setting *rows, const void *a, const void *b)
{
	for (; rows->kind; rows++)
		if (!(rows->flags & SETTING_LOCAL) && !setting_equals(rows, a, b))
			return false;
	return true;
}

bool settings_restart_responders(const struct setting *rows, const void *a, const void *b)
{
	for (; rows->kind; rows++)
		if ((rows->flags & SETTING_RESTARTS_RESPONDERS) && !setting_equals(rows, a, b))
			return true;
	return false;
}

/* SPDX-License-Identifier: MIT */
#include "conf/option.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/unit.h"

void option_values_fini(struct option_values *v)
{
	for (size_t i = 0; i < v->n; i++) {
		for (size_t k = 0; k < v->all[i].n; k++)
			free(v->all[i].items[k]);
		free(v->all[i].items);
		free(v->all[i].name);
	}
	free(v->all);
	*v = (struct option_values){0};
}

const struct option_value *option_find(const struct option_values *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->all[i].name, name) == 0)
			return &v->all[i];
	return NULL;
}

const struct sluice_option *option_lookup(const struct sluice_option *table, const char *name)
{
	for (; table && table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

const char *option_type_name(enum sluice_type type)
{
	switch (type) {
	case SLUICE_BOOL: return "true or false";
	case SLUICE_INT: return "a whole number";
	case SLUICE_STRING: return "text";
	case SLUICE_ENUM: return "one of";
	case SLUICE_SIZE: return "a size such as 64KiB";
	case SLUICE_DURATION: return "a duration such as 250ms or 15s";
	case SLUICE_PATH: return "an absolute path";
	case SLUICE_GLOB: return "an absolute path or pattern such as /var/log/*.log";
	case SLUICE_DOUBLE: return "a number";
	}
	return "a value";
}

static int enum_index(const struct sluice_option *o, const char *text, int64_t *ret, char **why)
{
	struct buf all = {0};
	for (size_t i = 0; o->choices[i]; i++) {
		if (strcmp(o->choices[i], text) == 0) {
			*ret = (int64_t)i;
			buf_fini(&all);
			return 0;
		}
		buf_printf(&all, "%s%s", i ? ", " : "", o->choices[i]);
	}
	const char *near = unit_nearest(text, o->choices);
	*why = near ? mem_printf("\"%s\" is none of %s (did you mean \"%s\"?)", text,
				 buf_text(&all), near)
		    : mem_printf("\"%s\" is none of %s", text, buf_text(&all));
	buf_fini(&all);
	return -EINVAL;
}

int option_number(const struct sluice_option *o, const char *text, int64_t *ret, char **why)
{
	int r = 0;
	*ret = 0;
	switch (o->type) {
	case SLUICE_BOOL:
		*ret = strcmp(text, "true") == 0;
		r = *ret || strcmp(text, "false") == 0 ? 0 : -EINVAL;
		break;
	case SLUICE_INT: r = unit_parse_int(text, ret); break;
	case SLUICE_SIZE: r = unit_parse_size(text, ret); break;
	case SLUICE_DURATION: r = unit_parse_duration(text, ret); break;
	case SLUICE_ENUM: return enum_index(o, text, ret, why);
	case SLUICE_DOUBLE:
	case SLUICE_STRING:
	case SLUICE_PATH:
	case SLUICE_GLOB: return 0;
	}
	if (r) {
		*why = mem_printf("\"%s\" is not %s", text, option_type_name(o->type));
		return -EINVAL;
	}
	if ((o->min || o->max) && (*ret < o->min || *ret > o->max)) {
		const char *unit = o->type == SLUICE_SIZE ? " bytes" : "";
		int64_t scale = 1;
		if (o->type == SLUICE_DURATION) {
			unit = " ms";
			scale = 1000000;
		}
		*why = mem_printf("%s is out of range (allowed: %lld to %lld%s)", text,
				  (long long)(o->min / scale), (long long)(o->max / scale), unit);
		return -EINVAL;
	}
	return 0;
}

char *option_check(const struct sluice_option *o, const char *text)
{
	char *why = NULL;
	int64_t ignored;
	double number;
	if (option_number(o, text, &ignored, &why))
		return why;
	if ((o->type == SLUICE_PATH || o->type == SLUICE_GLOB) && text[0] != '/')
		return mem_printf("\"%s\" is not %s", text, option_type_name(o->type));
	if (o->type == SLUICE_DOUBLE && unit_parse_double(text, &number))
		return mem_printf("\"%s\" is not a number", text);
	return NULL;
}

static void read_one(const struct tree *t, const char *where, const struct sluice_option *o,
		     struct option_value *v, struct errors *e)
{
	if (t->kind != TREE_SCALAR) {
		errors_add(e, t->at, where, "%s where %s is expected", tree_kind_name(t),
			   option_type_name(o->type));
		return;
	}
	if (!t->is_quoted && (strcmp(t->text, "") == 0 || strcmp(t->text, "~") == 0 ||
			      strcmp(t->text, "null") == 0)) {
		errors_add(e, t->at, where, "no value (write %s, or remove the key)",
			   option_type_name(o->type));
		return;
	}
	char *why = option_check(o, t->text);
	if (why) {
		errors_add(e, t->at, where, "%s", why);
		free(why);
		return;
	}
	v->items = mem_resize(v->items, (v->n + 1) * sizeof(v->items[0]));
	v->items[v->n++] = mem_strdup(t->text);
}

static void unknown_key(const struct tree *key, const char *where,
			const struct sluice_option *table, const struct sluice_option *also,
			struct errors *e)
{
	const char *names[128];
	size_t n = 0;
	for (const struct sluice_option *o = table; o && o->name && n < 127; o++)
		names[n++] = o->name;
	for (const struct sluice_option *o = also; o && o->name && n < 127; o++)
		names[n++] = o->name;
	names[n] = NULL;
	const char *near = unit_nearest(key->text, names);
	if (near) {
		errors_add(e, key->at, where, "unknown option (did you mean \"%s\"?)", near);
		return;
	}
	struct buf all = {0};
	for (size_t i = 0; i < n; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
	errors_add(e, key->at, where, "unknown option (known here: %s)", buf_text(&all));
	buf_fini(&all);
}

void option_read(const struct tree *map, const char *where, const struct sluice_option *table,
		 const struct sluice_option *also, struct option_values *ret, struct errors *e)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct tree *key = map->keys[i], *value = map->values[i];
		if (option_lookup(also, key->text))
			continue;
		char *path = mem_printf("%s.%s", where, key->text);
		const struct sluice_option *o = option_lookup(table, key->text);
		if (!o) {
			unknown_key(key, path, table, also, e);
			free(path);
			continue;
		}
		struct option_value v = {.name = mem_strdup(o->name), .at = value->at};
		if ((o->flags & SLUICE_LIST) && value->kind == TREE_LIST) {
			for (size_t k = 0; k < value->n; k++)
				read_one(value->values[k], path, o, &v, e);
		} else {
			read_one(value, path, o, &v, e);
		}
		ret->all = mem_resize(ret->all, (ret->n + 1) * sizeof(ret->all[0]));
		ret->all[ret->n++] = v;
		free(path);
	}
	for (const struct sluice_option *o = table; o && o->name; o++) {
		if (!(o->flags & SLUICE_REQUIRED))
			continue;
		const struct tree *t = tree_get(map, o->name);
		if (!t)
			errors_add(e, map->at, where, "\"%s\" is missing (%s)", o->name, o->doc);
		else if (t->kind == TREE_LIST && !t->n)
			errors_add(e, t->at, where, "\"%s\" is an empty list (%s)", o->name,
				   o->doc);
	}
}

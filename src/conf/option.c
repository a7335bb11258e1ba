/* SPDX-License-Identifier: MIT */
#include "conf/option.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/address.h"
#include "base/mem.h"
#include "base/unit.h"

enum { NAMES_MAX = 128 };

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

bool option_value_equals(const struct option_value *a, const struct option_value *b)
{
	if (a->n != b->n || strcmp(a->name, b->name) != 0)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
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
	case SLUICE_ADDRESS: return "an address such as udp:127.0.0.1:514";
	case SLUICE_REGEX: return "a regular expression";
	case SLUICE_SECRET: return "a secret";
	case SLUICE_MAP: return "a map of names and values";
	case SLUICE_JSON: return "JSON";
	case SLUICE_RANGE: return "a range of durations such as 1s..60s";
	}
	return "a value";
}

/* That, with all the words of a choice; owned. */
static char *expected_by(const struct sluice_option *o)
{
	struct buf all = {0};
	buf_puts(&all, option_type_name(o->type));
	for (size_t i = 0; o->type == SLUICE_ENUM && o->choices[i]; i++)
		buf_printf(&all, "%s %s", i ? "," : "", o->choices[i]);
	char *ret = mem_strdup(buf_text(&all));
	buf_fini(&all);
	return ret;
}

/* ---- one value ---------------------------------------------------------------------- */

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
	*why = near ? mem_printf("\"%s\" is not one of %s (did you mean \"%s\"?)", text,
				 buf_text(&all), near)
		    : mem_printf("\"%s\" is not one of %s", text, buf_text(&all));
	buf_fini(&all);
	return -EINVAL;
}

void option_put_number(struct buf *out, enum sluice_type type, int64_t v)
{
	if (type == SLUICE_DURATION || type == SLUICE_RANGE)
		unit_put_duration(out, v);
	else if (type == SLUICE_SIZE)
		unit_put_size(out, v);
	else
		buf_printf(out, "%lld", (long long)v);
}

static int check_range(const struct sluice_option *o, const char *text, int64_t value, char **why)
{
	struct buf out = {0};
	if ((!o->min && !o->max) || (value >= o->min && value <= o->max))
		return 0;
	buf_printf(&out, "%s is out of range (allowed: ", text);
	option_put_number(&out, o->type, o->min);
	buf_puts(&out, " to ");
	option_put_number(&out, o->type, o->max);
	buf_putc(&out, ')');
	*why = mem_strdup(buf_text(&out));
	buf_fini(&out);
	return -EINVAL;
}

/* What was most likely meant, owned, or NULL. */
static char *meant_by(enum sluice_type type, const char *text)
{
	static const char *const yes[] = {"yes", "on", "1", "True", "TRUE", "enabled", NULL};
	static const char *const no[] = {"no", "off", "0", "False", "FALSE", "disabled", NULL};
	int64_t ignored;
	for (size_t i = 0; type == SLUICE_BOOL && (yes[i] || no[i]); i++)
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0)
			return mem_strdup(strcasecmp(text, yes[i]) == 0 ? "true" : "false");
	size_t n = strspn(text, "0123456789.");
	const char *unit = text + n + strspn(text + n, " ");
	char *ret = NULL;
	if (type == SLUICE_SIZE && n && strchr("kKmMgGtT", *unit))
		ret = mem_printf("%.*s%ciB", (int)n, text, toupper((unsigned char)*unit));
	else if (type == SLUICE_DURATION && n && (!*unit || strncasecmp(unit, "sec", 3) == 0))
		ret = mem_printf("%.*ss", (int)n, text);
	else if (type == SLUICE_DURATION && n && strchr("mhdwMHDW", *unit))
		ret = mem_printf("%.*s%c", (int)n, text, tolower((unsigned char)*unit));
	if (ret && (type == SLUICE_SIZE ? unit_parse_size(ret, &ignored)
					: unit_parse_duration(ret, &ignored))) {
		free(ret);
		ret = NULL;
	}
	return ret;
}

static char *explain_form(enum sluice_type type, const char *text)
{
	static const char *const units[] = {
		[SLUICE_SIZE] = "units: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB",
		[SLUICE_DURATION] = "units: ns, us, ms, s, m, h, d, w",
		[SLUICE_RANGE] = "two durations, the shorter one first",
	};
	const char *known = type < array_size(units) ? units[type] : NULL;
	char *meant = meant_by(type, text);
	char *ret =
		meant   ? mem_printf("\"%s\" is not %s (did you mean \"%s\"?)", text,
				     option_type_name(type), meant)
		: known ? mem_printf("\"%s\" is not %s (%s)", text, option_type_name(type), known)
			: mem_printf("\"%s\" is not %s", text, option_type_name(type));
	free(meant);
	return ret;
}

int option_number(const struct sluice_option *o, const char *text, int64_t *ret, char **why)
{
	int r = 0;
	int64_t high = 0;
	*ret = 0;
	switch (o->type) {
	case SLUICE_BOOL:
		*ret = strcmp(text, "true") == 0;
		r = *ret || strcmp(text, "false") == 0 ? 0 : -EINVAL;
		break;
	case SLUICE_INT: r = unit_parse_int(text, ret); break;
	case SLUICE_SIZE: r = unit_parse_size(text, ret); break;
	case SLUICE_DURATION: r = unit_parse_duration(text, ret); break;
	case SLUICE_RANGE:
		r = unit_parse_range(text, ret, &high);
		if (!r && check_range(o, text, high, why))
			return -EINVAL;
		break;
	case SLUICE_ENUM: return enum_index(o, text, ret, why);
	case SLUICE_DOUBLE:
	case SLUICE_STRING:
	case SLUICE_PATH:
	case SLUICE_GLOB:
	case SLUICE_ADDRESS:
	case SLUICE_REGEX:
	case SLUICE_SECRET:
	case SLUICE_MAP:
	case SLUICE_JSON: return 0;
	}
	if (r) {
		*why = explain_form(o->type, text);
		return -EINVAL;
	}
	return check_range(o, text, *ret, why);
}

static char *check_address(const struct sluice_option *o, const char *text)
{
	struct address a;
	char *why = NULL;
	size_t n = strcspn(text, ":");
	const char *const *words = o->choices ? o->choices : address_words;
	for (size_t i = 0; words[i]; i++)
		if (text[n] && strlen(words[i]) == n && strncmp(words[i], text, n) == 0)
			return address_parse(text, &a, &why) ? why : NULL;
	return address_explain(text, words);
}

static char *check_regex(const char *text)
{
	int code;
	PCRE2_SIZE at;
	pcre2_code *re =
		pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
	if (re) {
		pcre2_code_free(re);
		return NULL;
	}
	PCRE2_UCHAR message[160];
	pcre2_get_error_message(code, message, sizeof(message));
	return mem_printf("not a regular expression: %s at character %zu of \"%s\"",
			  (const char *)message, (size_t)at + 1, text);
}

static char *check_double(const struct sluice_option *o, const char *text)
{
	double number;
	if (unit_parse_double(text, &number))
		return mem_printf("\"%s\" is not a number", text);
	if ((o->min || o->max) && (number < (double)o->min || number > (double)o->max))
		return mem_printf("%s is out of range (allowed: %lld to %lld)", text,
				  (long long)o->min, (long long)o->max);
	return NULL;
}

char *option_check(const struct sluice_option *o, const char *text)
{
	char *why = NULL;
	int64_t ignored;
	if (option_number(o, text, &ignored, &why))
		return why;
	if ((o->type == SLUICE_PATH || o->type == SLUICE_GLOB) && text[0] != '/')
		return mem_printf("\"%s\" is not %s", text, option_type_name(o->type));
	if (o->type == SLUICE_DOUBLE)
		return check_double(o, text);
	if (o->type == SLUICE_ADDRESS)
		return check_address(o, text);
	if (o->type == SLUICE_REGEX)
		return check_regex(text);
	if (o->type == SLUICE_MAP && (!strchr(text, '=') || text[0] == '='))
		return mem_printf("\"%s\" is not name=value", text);
	return NULL;
}

/* ---- maps ------------------------------------------------------------------------------- */

void option_add(struct option_values *v, const struct sluice_option *o, const char *text,
		struct place at)
{
	struct option_value *value = (struct option_value *)(uintptr_t)option_find(v, o->name);
	if (!value) {
		v->all = mem_resize(v->all, (v->n + 1) * sizeof(v->all[0]));
		value = &v->all[v->n++];
		*value = (struct option_value){
			.name = mem_strdup(o->name), .type = o->type, .flags = o->flags, .at = at};
	}
	if (!text)
		return;
	value->items = mem_resize(value->items, (value->n + 1) * sizeof(value->items[0]));
	value->items[value->n++] = mem_strdup(text);
}

void option_add_fallbacks(struct option_values *v, const struct sluice_option *table,
			  struct place at)
{
	for (const struct sluice_option *o = table; o && o->name; o++) {
		if (!o->fallback || option_find(v, o->name) ||
		    (o->type != SLUICE_ADDRESS && !(o->flags & (SLUICE_READ | SLUICE_WRITE))))
			continue;
		option_add(v, o, o->fallback, at);
		v->all[v->n - 1].flags |= OPTION_FALLBACK;
	}
}

bool option_is_set(const struct option_values *v, const char *name)
{
	const struct option_value *set = option_find(v, name);
	return set && !(set->flags & OPTION_FALLBACK);
}

struct reading {
	const struct sluice_option *table, *also;
	bool only_known;
	struct option_values *ret;
	struct errors *e;
};

/* Whether some name of the table lies below `name`: "tls" of "tls.cert". */
static bool is_map(const struct sluice_option *table, const char *name)
{
	size_t n = strlen(name);
	for (; table && table->name; table++)
		if (strncmp(table->name, name, n) == 0 && table->name[n] == '.')
			return true;
	return false;
}

/* A map's option "preset" may be written in place of the map: `multiline: java`. */
static const struct sluice_option *preset_of(const struct sluice_option *table, const char *name)
{
	char *full = mem_printf("%s.preset", name);
	const struct sluice_option *ret = option_lookup(table, full);
	free(full);
	return ret;
}

static void read_one(struct reading *r, const struct tree *t, const char *where,
		     const struct sluice_option *o)
{
	char *expected = expected_by(o), *why = NULL;
	bool is_empty = t->kind == TREE_SCALAR && !t->is_quoted &&
			(strcmp(t->text, "") == 0 || strcmp(t->text, "~") == 0 ||
			 strcmp(t->text, "null") == 0);
	if (t->kind != TREE_SCALAR)
		why = mem_printf("%s where %s is expected", tree_kind_name(t), expected);
	else if (is_empty)
		why = mem_printf("no value (write %s, or remove the key)", expected);
	else
		why = option_check(o, t->text);
	if (why)
		errors_add(r->e, t->at, where, "%s", why);
	else
		option_add(r->ret, o, t->text, t->at);
	free(expected);
	free(why);
}

static void read_free_map(struct reading *r, const struct tree *map, const char *where,
			  const struct sluice_option *o)
{
	if (map->kind != TREE_MAP) {
		errors_add(r->e, map->at, where, "%s where %s is expected", tree_kind_name(map),
			   option_type_name(o->type));
		return;
	}
	for (size_t i = 0; i < map->n; i++) {
		const struct tree *value = map->values[i];
		if (value->kind != TREE_SCALAR) {
			errors_add(r->e, value->at, where, "%s where a value is expected",
				   tree_kind_name(value));
			continue;
		}
		char *item = mem_printf("%s=%s", map->keys[i]->text, value->text);
		option_add(r->ret, o, item, value->at);
		free(item);
	}
}

static void unknown_key(struct reading *r, const struct tree *key, const char *prefix,
			const char *where)
{
	const char *names[NAMES_MAX + 1];
	char *owned[NAMES_MAX];
	size_t n = 0, skip = strlen(prefix);
	const struct sluice_option *tables[] = {r->table, r->also};
	for (size_t t = 0; t < 2; t++)
		for (const struct sluice_option *o = tables[t]; o && o->name && n < NAMES_MAX;
		     o++) {
			if (strncmp(o->name, prefix, skip) != 0)
				continue;
			char *name = mem_strndup(o->name + skip, strcspn(o->name + skip, "."));
			if (n && strcmp(owned[n - 1], name) == 0)
				free(name); /* of one map */
			else
				names[n] = owned[n] = name, n++;
		}
	names[n] = NULL;
	const char *near = unit_nearest(key->text, names);
	struct buf all = {0};
	for (size_t i = 0; i < n; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
	if (near)
		errors_add(r->e, key->at, where, "unknown option (did you mean \"%s\"?)", near);
	else
		errors_add(r->e, key->at, where, "unknown option (known here: %s)", buf_text(&all));
	buf_fini(&all);
	for (size_t i = 0; i < n; i++)
		free(owned[i]);
}

static void read_value(struct reading *r, const struct tree *value, const char *where,
		       const struct sluice_option *o)
{
	if (o->flags & OPTION_TREE)
		return;
	option_add(r->ret, o, NULL, value->at); /* also an empty list is set */
	if (o->type == SLUICE_MAP) {
		read_free_map(r, value, where, o);
	} else if ((o->flags & SLUICE_LIST) && value->kind == TREE_LIST) {
		for (size_t k = 0; k < value->n; k++)
			read_one(r, value->values[k], where, o);
	} else {
		read_one(r, value, where, o);
	}
}

/* `prefix` is "" or the names of the maps around, each with a dot behind it. */
static void read_map(struct reading *r, const struct tree *map, const char *prefix,
		     const char *where)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct tree *key = map->keys[i], *value = map->values[i];
		char *name = mem_printf("%s%s", prefix, key->text);
		char *path = mem_printf("%s.%s", where, key->text);
		const struct sluice_option *o = option_lookup(r->table, name);
		if (o) {
			read_value(r, value, path, o);
		} else if (is_map(r->table, name) && value->kind == TREE_MAP) {
			char *below = mem_printf("%s.", name);
			read_map(r, value, below, path);
			free(below);
		} else if ((o = preset_of(r->table, name))) {
			read_value(r, value, path, o);
		} else if (is_map(r->table, name)) {
			errors_add(r->e, value->at, path,
				   "%s where a map is expected (write \"%s:\" and indent "
				   "\"name: value\" lines below it)",
				   tree_kind_name(value), key->text);
		} else if (!(r->only_known && !*prefix) && !option_lookup(r->also, name) &&
			   !is_map(r->also, name)) {
			unknown_key(r, key, prefix, path);
		}
		free(path);
		free(name);
	}
}

static const struct tree *find_tree(const struct tree *map, const char *name)
{
	while (map) {
		const char *dot = strchr(name, '.');
		if (!dot)
			return tree_get(map, name);
		char *first = mem_strndup(name, (size_t)(dot - name));
		map = tree_get(map, first);
		free(first);
		name = dot + 1;
	}
	return NULL;
}

/* One of a map is missing only when the map is there. */
static bool is_wanted(const struct tree *map, const struct sluice_option *o)
{
	if (!(o->flags & SLUICE_REQUIRED))
		return false;
	const char *dot = strrchr(o->name, '.');
	if (!dot)
		return true;
	char *around = mem_strndup(o->name, (size_t)(dot - o->name));
	bool wanted = find_tree(map, around) != NULL;
	free(around);
	return wanted;
}

/* The key that looks like a typing mistake of `name`, owned, or NULL. */
static char *key_near(const struct tree *map, const char *name)
{
	const char **keys = mem_zero((map->n + 1) * sizeof(keys[0]));
	for (size_t i = 0; i < map->n; i++)
		keys[i] = map->keys[i]->text;
	const char *near = unit_nearest(name, keys);
	char *ret = near ? mem_strdup(near) : NULL;
	free(keys);
	return ret;
}

static void tell_missing(struct reading *r, const struct tree *map, const char *where)
{
	for (const struct sluice_option *o = r->table; o && o->name; o++) {
		if (map->is_cut_off || !is_wanted(map, o))
			continue;
		const struct tree *t = find_tree(map, o->name);
		char *near = t ? NULL : key_near(map, o->name);
		if (near)
			errors_add(r->e, map->at, where,
				   "\"%s\" is missing (did you mean it by \"%s\"?)", o->name, near);
		else if (!t)
			errors_add(r->e, map->at, where, "\"%s\" is missing (%s)", o->name, o->doc);
		else if (t->kind == TREE_LIST && !t->n)
			errors_add(r->e, t->at, where, "\"%s\" is an empty list (%s)", o->name,
				   o->doc);
		free(near);
	}
}

/* The first name in `conflicts` that is set, owned, or NULL. */
static char *conflicting(const struct option_values *v, const char *conflicts)
{
	while (conflicts && *conflicts) {
		size_t n = strcspn(conflicts, " ");
		char *name = mem_strndup(conflicts, n);
		if (n && option_find(v, name))
			return name;
		free(name);
		conflicts += n + (conflicts[n] == ' ');
	}
	return NULL;
}

static void tell_conflicts(struct reading *r, const char *where)
{
	for (const struct sluice_option *o = r->table; o && o->name; o++) {
		const struct option_value *v = option_find(r->ret, o->name);
		char *other = v ? conflicting(r->ret, o->conflicts) : NULL;
		if (other)
			errors_add(r->e, v->at, where,
				   "\"%s\" and \"%s\" exclude each other (remove one)", o->name,
				   other);
		free(other);
	}
}

void option_read(const struct tree *map, const char *where, const struct sluice_option *table,
		 const struct sluice_option *also, struct option_values *ret, struct errors *e)
{
	struct reading r = {.table = table, .also = also, .ret = ret, .e = e};
	read_map(&r, map, "", where);
	tell_missing(&r, map, where);
	tell_conflicts(&r, where);
}

void option_read_known(const struct tree *map, const char *where, const struct sluice_option *table,
		       struct option_values *ret, struct errors *e)
{
	struct reading r = {.table = table, .only_known = true, .ret = ret, .e = e};
	read_map(&r, map, "", where);
	tell_missing(&r, map, where);
	tell_conflicts(&r, where);
}

char *option_check_all(const struct option_values *v, const struct sluice_option *table)
{
	for (const struct sluice_option *o = table; o && o->name; o++) {
		const struct option_value *set = option_find(v, o->name);
		char *other = set ? conflicting(v, o->conflicts) : NULL;
		char *why = NULL;
		if (other)
			why = mem_printf("\"%s\" and \"%s\" exclude each other (remove one)",
					 o->name, other);
		else if ((o->flags & SLUICE_REQUIRED) && !strchr(o->name, '.') && (!set || !set->n))
			why = mem_printf("\"%s\" is missing (%s)", o->name, o->doc);
		free(other);
		if (why)
			return why;
	}
	return NULL;
}

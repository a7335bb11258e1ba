/* SPDX-License-Identifier: MIT
 *
 * The tables of settings: each member has its row, each row does what it says, and the
 * sample configuration documents all keys with their defaults.
 */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/packed.h"
#include "conf/redaction.h"
#include "conf/values.h"

static const struct {
	const char *name;
	const struct setting *rows;
	size_t size;
} tables[] = {
	{"settings", settings_rows, sizeof(struct settings)},
	{"hub", hub_rows, sizeof(struct hub_settings)},
	{"access", access_rows, sizeof(struct access_settings)},
	{"channels", channel_rows, sizeof(struct channel_settings)},
	{"sources", source_rows, sizeof(struct source_settings)},
	{"redact", redact_rows, sizeof(struct redact_rule)},
};

/* ---- members -------------------------------------------------------------------------- */

static void cover(char *covered, size_t at, size_t n, const char *table)
{
	for (size_t i = at; i < at + n; i++) {
		ck_assert_msg(!covered[i], "%s: two rows have the byte %zu", table, i);
		covered[i] = 1;
	}
}

static void cover_member(char *covered, const struct setting *s, const char *table)
{
	switch (s->kind) {
	case MEMBER_NUMBER: cover(covered, s->at, sizeof(int64_t), table); break;
	case MEMBER_BOOL: cover(covered, s->at, sizeof(bool), table); break;
	case MEMBER_CHOICE:
	case MEMBER_WORD: cover(covered, s->at, sizeof(unsigned), table); break;
	case MEMBER_RANGE:
		cover(covered, s->at, sizeof(int64_t), table);
		cover(covered, s->also_at, sizeof(int64_t), table);
		break;
	case MEMBER_TEXT:
	case MEMBER_ACL: cover(covered, s->at, sizeof(void *), table); break;
	case MEMBER_LIST:
	case MEMBER_STRUCTS:
		cover(covered, s->at, sizeof(void *), table);
		cover(covered, s->also_at, sizeof(size_t), table);
		break;
	case MEMBER_STRUCT:
	case MEMBER_OPAQUE: cover(covered, s->at, s->size, table); break;
	case MEMBER_NONE: break;
	}
}

static void each_member_has_a_row_in(const struct setting *rows, size_t size, const char *table)
{
	char *covered = calloc(1, size);
	for (const struct setting *s = rows; s->kind; s++) {
		cover_member(covered, s, table);
		if (s->rows)
			each_member_has_a_row_in(s->rows, s->size, table);
	}
	for (size_t i = 0, end; i < size; i = end + 1) {
		for (end = i; end < size && !covered[end]; end++)
			continue;
		/* What the compiler has left out ends where the next member has to begin. */
		ck_assert_msg(end - i < sizeof(void *) && (end == i || end % sizeof(unsigned) == 0),
			      "%s: no row has the bytes %zu to %zu", table, i, end);
	}
	free(covered);
}

START_TEST(each_member_has_a_row)
{
	for (size_t i = 0; i < array_size(tables); i++)
		each_member_has_a_row_in(tables[i].rows, tables[i].size, tables[i].name);
}
END_TEST

START_TEST(each_key_has_a_default_that_it_takes_and_a_sentence)
{
	for (size_t i = 0; i < array_size(tables); i++) {
		for (const struct setting *s = tables[i].rows; s->kind; s++) {
			const struct sluice_option *o = &s->option;
			if (!o->name)
				continue;
			char *why = o->fallback ? option_check(o, o->fallback) : NULL;
			ck_assert_msg(!why, "%s.%s: %s", tables[i].name, o->name, why);
			ck_assert_msg(o->doc && *o->doc, "%s.%s", tables[i].name, o->name);
			ck_assert_msg(settings_find(tables[i].rows, o->name) == s, "%s.%s twice",
				      tables[i].name, o->name);
			ck_assert_msg(s->kind != MEMBER_CHOICE || o->choices, "%s.%s",
				      tables[i].name, o->name);
		}
	}
}
END_TEST

/* ---- packing -------------------------------------------------------------------------- */

static void fill(const struct setting *rows, void *of, unsigned *n);

static char *some_text(unsigned *n)
{
	return mem_printf("text %u", ++*n);
}

static char **some_list(size_t *length, unsigned *n)
{
	char **items = mem_zero(3 * sizeof(items[0]));
	*length = 2;
	items[0] = some_text(n);
	items[1] = some_text(n);
	return items;
}

static struct acl *some_who(unsigned *n)
{
	struct acl *w = mem_zero(sizeof(*w));
	w->items = some_list(&w->n, n);
	return w;
}

static void fill_structs(const struct setting *s, void *at, size_t *length, unsigned *n)
{
	char *all = s->kind == MEMBER_STRUCT ? at : mem_zero(3 * s->size);
	size_t count = s->kind == MEMBER_STRUCT ? 1 : 2;
	for (size_t i = 0; i < count; i++)
		fill(s->rows, all + i * s->size, n);
	if (s->kind == MEMBER_STRUCT)
		return;
	*(void **)at = all;
	*length = count;
}

/* No two members alike, and none as a struct of zeros has it. */
static void fill(const struct setting *rows, void *of, unsigned *n)
{
	for (const struct setting *s = rows; s->kind; s++) {
		void *at = (char *)of + s->at, *also = (char *)of + s->also_at;
		switch (s->kind) {
		case MEMBER_RANGE:
			*(int64_t *)also = ++*n;
			*(int64_t *)at = ++*n;
			break;
		case MEMBER_NUMBER: *(int64_t *)at = ++*n; break;
		case MEMBER_BOOL: *(bool *)at = true; break;
		case MEMBER_CHOICE: *(unsigned *)at = 1; break;
		case MEMBER_WORD: *(unsigned *)at = ++*n; break;
		case MEMBER_TEXT: *(char **)at = some_text(n); break;
		case MEMBER_LIST: *(char ***)at = some_list(also, n); break;
		case MEMBER_ACL: *(struct acl **)at = some_who(n); break;
		case MEMBER_STRUCT:
		case MEMBER_STRUCTS: fill_structs(s, at, also, n); break;
		case MEMBER_NONE:
		case MEMBER_OPAQUE: break;
		}
	}
}

static struct settings *full_settings(void)
{
	struct settings *s = mem_zero(sizeof(*s));
	unsigned n = 0;
	fill(settings_rows, s, &n);
	return s;
}

START_TEST(what_is_packed_is_unpacked_alike)
{
	struct settings *s = full_settings();
	struct buf packed = {0};
	packed_put(&packed, s);
	struct settings *back = packed_get(buf_str(&packed));
	ck_assert_ptr_nonnull(back);
	ck_assert(settings_equal(settings_rows, s, back));
	ck_assert_str_eq(back->sources[1].types[1].fields[1].doc,
			 s->sources[1].types[1].fields[1].doc);
	ck_assert_ptr_null(back->sources[0].warnings); /* for the process that has asked */
	settings_free(back);
	for (size_t cut = 0; cut < packed.len; cut++)
		ck_assert_ptr_null(packed_get((struct str){packed.data, cut}));
	for (size_t i = 0; i < packed.len; i++) {
		char was = packed.data[i];
		packed.data[i] = (char)~was;
		settings_free(packed_get(buf_str(&packed))); /* whatever it is, nothing breaks */
		packed.data[i] = was;
	}
	buf_fini(&packed);
	settings_free(s);
}
END_TEST

START_TEST(a_change_of_any_member_is_seen)
{
	for (size_t i = 0; i < array_size(tables); i++) {
		for (const struct setting *s = tables[i].rows; s->kind; s++) {
			void *a = mem_zero(tables[i].size), *b = mem_zero(tables[i].size);
			const struct setting only[] = {*s, {.kind = MEMBER_NONE}};
			unsigned n = 0, m = 0;
			fill(tables[i].rows, a, &n);
			fill(tables[i].rows, b, &m);
			ck_assert(settings_equal(tables[i].rows, a, b));
			settings_release(only, b);
			bool is_seen = s->kind != MEMBER_OPAQUE && !(s->flags & SETTING_LOCAL);
			ck_assert_msg(settings_equal(tables[i].rows, a, b) != is_seen,
				      "%s: row %zu", tables[i].name, (size_t)(s - tables[i].rows));
			ck_assert_int_eq(settings_restart_responders(tables[i].rows, a, b),
					 (s->flags & SETTING_RESTARTS_RESPONDERS) != 0);
			settings_release(tables[i].rows, a);
			settings_release(tables[i].rows, b);
			free(a);
			free(b);
		}
	}
}
END_TEST

START_TEST(other_rows_make_another_layout)
{
	struct setting rows[] = {hub_rows[0], hub_rows[1], {.kind = MEMBER_NONE}};
	uint32_t layout = settings_layout(rows);
	rows[0] = hub_rows[1];
	rows[1] = hub_rows[0];
	ck_assert_uint_ne(settings_layout(rows), layout);
	rows[1] = (struct setting){.kind = MEMBER_NONE};
	ck_assert_uint_ne(settings_layout(rows), layout);
}
END_TEST

/* ---- the sample ----------------------------------------------------------------------- */

/* A line of it that is a key in a comment: "#hub:", "#  listen: x".  Words begin with a
 * single space.
 */
static bool is_key_in_comment(const char *line)
{
	return line[0] == '#' && line[1] && line[1] != '\n' && (line[1] != ' ' || line[2] == ' ');
}

/* Writes to `path` the keys in comments alone, or the others alone. */
static void write_half(const char *sample, bool in_comments, const char *path)
{
	char line[512];
	FILE *in = fopen(sample, "r"), *out = fopen(path, "w");
	ck_assert_msg(in && out, "%s", sample);
	while (fgets(line, sizeof(line), in))
		if (is_key_in_comment(line) == in_comments)
			fputs(in_comments ? line + 1 : line, out);
	fclose(in);
	fclose(out);
}

static char *sample_path(void)
{
	const char *top = getenv("abs_top_srcdir");
	return mem_printf("%s/etc/sluice.yaml", top ? top : ".");
}

static char *written(const struct tree *t)
{
	struct buf all = {0};
	if (t->kind == TREE_SCALAR)
		buf_puts(&all, t->text);
	for (size_t i = 0; t->kind == TREE_LIST && i < t->n; i++)
		buf_printf(&all, "%s%s", i ? " " : "", t->values[i]->text);
	char *ret = mem_strdup(buf_text(&all));
	buf_fini(&all);
	return ret;
}

static const struct tree *find_key(const struct tree *map, const char *key)
{
	const char *dot = strchr(key, '.');
	char *first = mem_strndup(key, dot ? (size_t)(dot - key) : strlen(key));
	const struct tree *t = tree_get(map, first);
	free(first);
	return dot && t ? find_key(t, dot + 1) : t;
}

static bool depends_on_the_installation(const char *value)
{
	return strstr(value, SLUICE_RUN_DIR) || strstr(value, SLUICE_STATE_DIR);
}

/* Each row is documented, in one of two maps, and what has a default shows it. */
static void is_documented(const struct setting *rows, const struct tree *map,
			  const struct tree *more, const char *where)
{
	for (const struct setting *s = rows; s->kind; s++) {
		if (!s->option.name)
			continue;
		const struct tree *t = find_key(map, s->option.name);
		if (!t)
			t = find_key(more, s->option.name);
		ck_assert_msg(t, "the sample lacks %s.%s", where, s->option.name);
		const char *fallback = s->option.fallback;
		if (!fallback || !*fallback || depends_on_the_installation(fallback))
			continue;
		char *text = written(t);
		ck_assert_msg(strcmp(text, fallback) == 0, "%s.%s is %s by default, not %s", where,
			      s->option.name, fallback, text);
		free(text);
	}
}

static void has_no_mistake(struct errors *e)
{
	struct buf text = {0};
	errors_put(e, &text);
	ck_assert_msg(!e->count, "%s", buf_text(&text));
	buf_fini(&text);
}

static void takes(const struct setting *rows, const struct tree *map, const char *where)
{
	struct errors e = {0};
	struct option_values v = {0};
	struct sluice_option *options = settings_options(rows);
	option_read(map, where, options, NULL, &v, &e);
	has_no_mistake(&e);
	free(options);
	option_values_fini(&v);
	errors_fini(&e);
}

START_TEST(the_sample_documents_each_key_with_its_default)
{
	char half[] = "/tmp/test_settings.XXXXXX", *sample = sample_path();
	struct errors e = {0};
	fclose(fdopen(mkstemp(half), "w"));
	write_half(sample, true, half);
	struct tree *root = tree_load(half, &e);
	has_no_mistake(&e);
	const struct tree *hub = tree_get(root, "hub"), *access = tree_get(root, "access");
	const struct tree *channels = tree_get(root, "channels");
	const struct tree *source = tree_get(tree_get(root, "sources"), "name");
	const struct tree *plain = tree_get(channels, "logs"),
			  *derived = tree_get(channels, "trouble");
	is_documented(hub_rows, hub, NULL, "hub");
	is_documented(access_rows, access, NULL, "access");
	is_documented(channel_rows, plain, derived, "channels");
	is_documented(source_rows, source, NULL, "sources");
	/* And no key that there is not. */
	takes(hub_rows, hub, "hub");
	takes(access_rows, access, "access");
	takes(channel_rows, plain, "channels");
	takes(channel_rows, derived, "channels");
	takes(source_rows, source, "sources");
	tree_free(root);
	errors_fini(&e);
	unlink(half);
	free(sample);
}
END_TEST

START_TEST(the_sample_itself_is_good)
{
	struct errors e = {0};
	char *sample = sample_path();
	struct settings *s = settings_load(sample, &e);
	has_no_mistake(&e);
	ck_assert_uint_eq(s->n_sources, 1);
	settings_free(s);
	errors_fini(&e);
	free(sample);
}
END_TEST

UNIT_MAIN("settings", each_member_has_a_row, each_key_has_a_default_that_it_takes_and_a_sentence,
	  what_is_packed_is_unpacked_alike, a_change_of_any_member_is_seen,
	  other_rows_make_another_layout, the_sample_documents_each_key_with_its_default,
	  the_sample_itself_is_good)

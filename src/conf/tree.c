/* SPDX-License-Identifier: MIT */
#include "conf/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

#include "base/fd.h"
#include "base/mem.h"

enum { FILE_MAX = 4 * 1024 * 1024, DEPTH_MAX = 32 };

struct loader {
	yaml_parser_t parser;
	struct errors *errors;
	const char *file;
	struct buf text; /* the file's content */
	bool failed;
};

void tree_free(struct tree *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++) {
		if (t->keys)
			tree_free(t->keys[i]);
		tree_free(t->values[i]);
	}
	free(t->keys);
	free(t->values);
	free(t->text);
	free(t);
}

struct tree *tree_get(const struct tree *map, const char *key)
{
	for (size_t i = 0; map && map->kind == TREE_MAP && i < map->n; i++)
		if (strcmp(map->keys[i]->text, key) == 0)
			return map->values[i];
	return NULL;
}

const char *tree_kind_name(const struct tree *t)
{
	switch (t->kind) {
	case TREE_MAP: return "a map";
	case TREE_LIST: return "a list";
	case TREE_SCALAR: break;
	}
	return "a single value";
}

static struct place place_of(struct loader *l, yaml_mark_t mark)
{
	return (struct place){l->file, (int)mark.line + 1, (int)mark.column + 1};
}

/* Whether a tab stands in the indentation at or just before `mark`. */
static bool tab_at(struct loader *l, yaml_mark_t mark)
{
	size_t i = MIN(mark.index, l->text.len);
	if (i < l->text.len && l->text.data[i] == '\t')
		return true;
	while (i > 0 && (l->text.data[i - 1] == ' ' || l->text.data[i - 1] == '\t'))
		if (l->text.data[--i] == '\t')
			return true;
	return false;
}

static void syntax_error(struct loader *l)
{
	yaml_parser_t *p = &l->parser;
	l->failed = true;
	if (p->error == YAML_READER_ERROR) {
		errors_add(l->errors, (struct place){l->file, 0, 0}, NULL,
			   "not text that YAML allows at byte %zu: %s (save the file as UTF-8)",
			   p->problem_offset, p->problem);
		return;
	}
	if (tab_at(l, p->problem_mark)) {
		errors_add(l->errors, place_of(l, p->problem_mark), NULL,
			   "a tab is used for indentation (YAML allows only spaces: replace it)");
		return;
	}
	errors_add(l->errors, place_of(l, p->problem_mark), NULL,
		   "not YAML: %s%s%s (check the "
		   "indentation, colons and quotes here and in the line above)",
		   p->problem ? p->problem : "broken off", p->context ? " " : "",
		   p->context ? p->context : "");
}

static bool next_event(struct loader *l, yaml_event_t *ev)
{
	if (l->failed)
		return false;
	if (!yaml_parser_parse(&l->parser, ev)) {
		syntax_error(l);
		return false;
	}
	return true;
}

/* Replaces ${env:NAME} and ${file:PATH}; takes and returns owned text. */
static char *substitute(struct loader *l, struct place at, char *text)
{
	if (!strstr(text, "${"))
		return text;
	struct buf out = {0};
	const char *p = text;
	for (const char *open; (open = strstr(p, "${"));) {
		const char *end = strchr(open, '}');
		buf_put(&out, p, (size_t)(open - p));
		p = end ? end + 1 : open + strlen(open);
		char *name = end ? mem_strndup(open + 2, (size_t)(end - open - 2)) : mem_strdup("");
		if (strncmp(name, "env:", 4) == 0 && getenv(name + 4)) {
			buf_puts(&out, getenv(name + 4));
		} else if (strncmp(name, "env:", 4) == 0) {
			errors_add(l->errors, at, NULL, "the environment variable %s is not set",
				   name + 4);
		} else if (strncmp(name, "file:", 5) == 0) {
			size_t before = out.len;
			int r = fd_read_file(name + 5, 65536, &out);
			if (r)
				errors_add(l->errors, at, NULL, "cannot read %s: %s", name + 5,
					   strerror(-r));
			while (out.len > before && out.data[out.len - 1] == '\n')
				out.len--;
		} else {
			errors_add(
				l->errors, at, NULL,
				"\"${\" begins a substitution (write ${env:NAME} or ${file:PATH})");
		}
		free(name);
	}
	buf_puts(&out, p);
	free(text);
	char *ret = mem_strdup(buf_text(&out));
	buf_fini(&out);
	return ret;
}

static struct tree *load_node(struct loader *l, yaml_event_t *ev, int depth);

static void add_child(struct tree *t, struct tree *key, struct tree *value)
{
	if ((t->n & (t->n - 1)) == 0) {
		size_t room = t->n ? t->n * 2 : 1;
		t->values = mem_resize(t->values, room * sizeof(t->values[0]));
		if (t->kind == TREE_MAP)
			t->keys = mem_resize(t->keys, room * sizeof(t->keys[0]));
	}
	if (t->kind == TREE_MAP)
		t->keys[t->n] = key;
	t->values[t->n++] = value;
}

static void load_map(struct loader *l, struct tree *map, int depth)
{
	yaml_event_t ev;
	while (next_event(l, &ev)) {
		bool end = ev.type == YAML_MAPPING_END_EVENT;
		struct tree *key = end ? NULL : load_node(l, &ev, depth);
		yaml_event_delete(&ev);
		if (end || !key)
			return;
		if (!next_event(l, &ev)) {
			tree_free(key);
			return;
		}
		struct tree *value = load_node(l, &ev, depth);
		yaml_event_delete(&ev);
		struct tree *first = key->kind == TREE_SCALAR ? tree_get(map, key->text) : NULL;
		if (key->kind != TREE_SCALAR) {
			errors_add(l->errors, key->at, NULL, "a key must be a single word");
		} else if (first) {
			errors_add(l->errors, key->at, NULL,
				   "duplicate key \"%s\" (it stands in line %d already: remove or "
				   "rename one)",
				   key->text, first->at.line);
		}
		if (!value || key->kind != TREE_SCALAR || first) {
			tree_free(key);
			tree_free(value);
			continue;
		}
		add_child(map, key, value);
	}
}

static void load_list(struct loader *l, struct tree *list, int depth)
{
	yaml_event_t ev;
	while (next_event(l, &ev)) {
		bool end = ev.type == YAML_SEQUENCE_END_EVENT;
		struct tree *item = end ? NULL : load_node(l, &ev, depth);
		yaml_event_delete(&ev);
		if (end)
			return;
		if (item)
			add_child(list, NULL, item);
	}
}

static struct tree *load_node(struct loader *l, yaml_event_t *ev, int depth)
{
	struct place at = place_of(l, ev->start_mark);
	if (ev->type == YAML_ALIAS_EVENT) {
		errors_add(l->errors, at, NULL, "aliases are not supported (write the value out)");
		return NULL;
	}
	if (depth >= DEPTH_MAX) {
		errors_add(l->errors, at, NULL, "nested more than %d deep", DEPTH_MAX);
		l->failed = true;
		return NULL;
	}
	struct tree *t = mem_zero(sizeof(*t));
	t->at = at;
	switch (ev->type) {
	case YAML_MAPPING_START_EVENT:
		t->kind = TREE_MAP;
		load_map(l, t, depth + 1);
		t->is_cut_off = l->failed;
		break;
	case YAML_SEQUENCE_START_EVENT:
		t->kind = TREE_LIST;
		load_list(l, t, depth + 1);
		break;
	default:
		t->kind = TREE_SCALAR;
		t->is_quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
		if (memchr(ev->data.scalar.value, 0, ev->data.scalar.length))
			errors_add(l->errors, at, NULL, "a NUL character in a value");
		t->text = substitute(l, at, mem_strdup((const char *)ev->data.scalar.value));
		break;
	}
	return t;
}

static struct tree *load_stream(struct loader *l)
{
	struct tree *root = NULL;
	yaml_event_t ev;
	int documents = 0;
	while (next_event(l, &ev)) {
		yaml_event_type_t type = ev.type;
		if (type == YAML_DOCUMENT_START_EVENT && ++documents == 2) {
			errors_add(l->errors, place_of(l, ev.start_mark), NULL,
				   "a second document (one file holds one: remove the \"---\")");
			l->failed = true;
		} else if (type == YAML_SCALAR_EVENT || type == YAML_MAPPING_START_EVENT ||
			   type == YAML_SEQUENCE_START_EVENT || type == YAML_ALIAS_EVENT) {
			root = load_node(l, &ev, 0);
		}
		yaml_event_delete(&ev);
		if (type == YAML_STREAM_END_EVENT)
			break;
	}
	return root;
}

struct tree *tree_load(const char *file, struct errors *e)
{
	struct loader l = {.errors = e, .file = file};
	struct place whole = {file, 0, 0};
	struct tree *root = NULL;
	int r = fd_read_file(file, FILE_MAX, &l.text);
	if (r == -ENOENT) {
		if (access(SLUICE_SAMPLE, R_OK) == 0)
			errors_add(e, whole, NULL,
				   "no such file (name one with -c FILE or SLUICE_CONFIG, or "
				   "copy " SLUICE_SAMPLE " there)");
		else
			errors_add(e, whole, NULL,
				   "no such file (name one with -c FILE or SLUICE_CONFIG)");
		goto out;
	}
	if (r) {
		errors_add(e, whole, NULL, "cannot be read: %s%s", strerror(-r),
			   r == -EACCES   ? " (give this user the right to read it)"
			   : r == -EISDIR ? " (name the file in it)"
					  : "");
		goto out;
	}
	if (!yaml_parser_initialize(&l.parser)) {
		errors_add(e, whole, NULL, "out of memory");
		goto out;
	}
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)l.text.data, l.text.len);
	root = load_stream(&l);
	yaml_parser_delete(&l.parser);
	if (!root && !e->count)
		errors_add(e, whole, NULL, "is empty (it needs at least \"sources:\")");
out:
	buf_fini(&l.text);
	return root;
}

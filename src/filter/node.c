/* SPDX-License-Identifier: MIT */
#include "filter/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/timestamp.h"
#include "wire/event_json.h"

const char *const subject_names[] = {"severity", "message", "source", "channel",
				     "type",     "time",    "fields", NULL};

struct node *node_new(enum node_kind kind)
{
	struct node *n = mem_zero(sizeof(*n));
	n->kind = kind;
	return n;
}

void node_free(struct node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n_children; i++)
		node_free(n->children[i]);
	for (size_t i = 0; i < n->n_values; i++)
		free((char *)(uintptr_t)n->values[i].string.data);
	regex_unref(n->regex);
	buf_fini(&n->folded);
	free(n->children);
	free(n->values);
	free(n->field);
	free(n);
}

static void append(struct node *parent, struct node *child)
{
	parent->children = mem_resize(parent->children, (parent->n_children + 1) * sizeof(child));
	parent->children[parent->n_children++] = child;
}

void node_add(struct node *parent, struct node *child)
{
	if (parent->kind != NODE_NOT && child->kind == parent->kind) {
		for (size_t i = 0; i < child->n_children; i++)
			append(parent, child->children[i]);
		child->n_children = 0;
		node_free(child);
		return;
	}
	append(parent, child);
}

void node_add_value(struct node *n, struct value v)
{
	n->values = mem_resize(n->values, (n->n_values + 1) * sizeof(v));
	n->values[n->n_values++] = v;
}

/* ---- text --------------------------------------------------------------------------- */

void node_put_string(struct buf *out, struct str s)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (c == '"' || c == '\\' || c == '\n' || c == '\t')
			buf_putc(out, '\\');
		buf_putc(out, c == '\n' ? 'n' : c == '\t' ? 't' : c);
	}
	buf_putc(out, '"');
}

static void put_value(struct buf *out, const struct node *n, const struct value *v)
{
	if (n->subject == SUBJECT_SEVERITY && v->type == VALUE_INT) {
		buf_puts(out, severity_name((uint8_t)v->integer));
		return;
	}
	if (n->subject == SUBJECT_TIME) {
		buf_putc(out, '"');
		timestamp_put(out, v->integer);
		out->len--; /* the Z goes behind the nanoseconds */
		buf_printf(out, "%03dZ\"", (int)((v->integer % 1000 + 1000) % 1000));
		return;
	}
	switch (v->type) {
	case VALUE_INT: buf_printf(out, "%" PRId64, v->integer); break;
	case VALUE_DOUBLE: buf_printf(out, "%.17g", v->number); break;
	case VALUE_BOOL: buf_puts(out, v->integer ? "true" : "false"); break;
	case VALUE_STRING: node_put_string(out, v->string); break;
	case VALUE_NONE:
	case VALUE_NULL:
	case VALUE_JSON: buf_puts(out, "null"); break;
	}
}

static void put_regex(struct buf *out, const struct regex *r)
{
	buf_putc(out, '/');
	for (const char *p = r->pattern; *p; p++) {
		if (*p == '\\' && p[1]) {
			buf_putc(out, *p++);
			if (*p == '/')
				out->len--; /* "\/" is written anew below */
		}
		if (*p == '/')
			buf_putc(out, '\\');
		buf_putc(out, *p);
	}
	buf_putc(out, '/');
	buf_puts(out, r->flags);
}

static bool is_plain_name(const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789_.-@:";
	return *s && s[strspn(s, plain)] == 0;
}

static void put_subject(struct buf *out, const struct node *n)
{
	buf_puts(out, subject_names[n->subject]);
	if (n->subject != SUBJECT_FIELD)
		return;
	if (is_plain_name(n->field)) {
		buf_printf(out, ".%s", n->field);
		return;
	}
	buf_putc(out, '[');
	node_put_string(out, str_of(n->field));
	buf_putc(out, ']');
}

static void put_list(struct buf *out, const struct node *n, const char *between)
{
	for (size_t i = 0; i < n->n_children; i++) {
		const struct node *c = n->children[i];
		bool bracket = c->kind == NODE_OR || c->kind == NODE_AND;
		buf_puts(out, i ? between : "");
		buf_puts(out, bracket ? "(" : "");
		node_put(out, c);
		buf_puts(out, bracket ? ")" : "");
	}
}

void node_put(struct buf *out, const struct node *n)
{
	static const char *const words[] = {
		[NODE_EQ] = " == ",
		[NODE_LT] = " < ",
		[NODE_LE] = " <= ",
		[NODE_GT] = " > ",
		[NODE_GE] = " >= ",
		[NODE_CONTAINS] = " contains ",
		[NODE_ICONTAINS] = " icontains ",
		[NODE_STARTSWITH] = " startswith ",
		[NODE_ENDSWITH] = " endswith ",
		[NODE_MATCHES] = " ~ ",
	};
	switch (n->kind) {
	case NODE_AND: put_list(out, n, " and "); return;
	case NODE_OR: put_list(out, n, " or "); return;
	case NODE_NOT:
		buf_puts(out, "not (");
		node_put(out, n->children[0]);
		buf_putc(out, ')');
		return;
	case NODE_EXISTS:
		buf_puts(out, "exists(");
		put_subject(out, n);
		buf_putc(out, ')');
		return;
	case NODE_IN:
		put_subject(out, n);
		buf_puts(out, " in (");
		for (size_t i = 0; i < n->n_values; i++) {
			buf_puts(out, i ? ", " : "");
			put_value(out, n, &n->values[i]);
		}
		buf_putc(out, ')');
		return;
	case NODE_EQ:
	case NODE_LT:
	case NODE_LE:
	case NODE_GT:
	case NODE_GE:
	case NODE_CONTAINS:
	case NODE_ICONTAINS:
	case NODE_STARTSWITH:
	case NODE_ENDSWITH:
	case NODE_MATCHES: break;
	}
	put_subject(out, n);
	buf_puts(out, words[n->kind]);
	if (n->regex)
		put_regex(out, n->regex);
	else
		put_value(out, n, &n->values[0]);
}

/* ---- the canonical form --------------------------------------------------------------- */

struct ranked {
	int cost;
	size_t i;
	char *text; /* owned */
};

/* How dear it is to decide. */
static int cost_of(const struct node *n)
{
	int most = 0;
	for (size_t i = 0; i < n->n_children; i++)
		most = MAX(most, cost_of(n->children[i]));
	if (n->n_children)
		return most;
	int cost = n->subject == SUBJECT_FIELD ? 1 : 0;
	if (n->kind == NODE_MATCHES)
		cost += 4;
	else if (n->kind == NODE_CONTAINS || n->kind == NODE_ICONTAINS)
		cost += 2;
	return cost;
}

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	return x->cost != y->cost ? x->cost - y->cost : strcmp(x->text, y->text);
}

static void sort_values(struct node *n)
{
	struct ranked *r = mem_zero((n->n_values + 1) * sizeof(r[0]));
	for (size_t i = 0; i < n->n_values; i++) {
		struct buf b = {0};
		put_value(&b, n, &n->values[i]);
		r[i] = (struct ranked){0, i, mem_strdup(buf_text(&b))};
		buf_fini(&b);
	}
	qsort(r, n->n_values, sizeof(r[0]), by_rank);
	struct value *sorted = mem_zero(n->n_values * sizeof(sorted[0]));
	size_t kept = 0;
	for (size_t i = 0; i < n->n_values; i++) {
		struct value *v = &n->values[r[i].i];
		if (i && strcmp(r[i].text, r[i - 1].text) == 0)
			free((char *)(uintptr_t)v->string.data);
		else
			sorted[kept++] = *v;
	}
	for (size_t i = 0; i < n->n_values; i++)
		free(r[i].text);
	free(r);
	free(n->values);
	n->values = sorted;
	n->n_values = kept;
}

static void sort_children(struct node *n)
{
	struct ranked *r = mem_zero((n->n_children + 1) * sizeof(r[0]));
	for (size_t i = 0; i < n->n_children; i++) {
		struct buf b = {0};
		node_put(&b, n->children[i]);
		r[i] = (struct ranked){cost_of(n->children[i]), i, mem_strdup(buf_text(&b))};
		buf_fini(&b);
	}
	qsort(r, n->n_children, sizeof(r[0]), by_rank);
	struct node **sorted = mem_zero(n->n_children * sizeof(sorted[0]));
	size_t kept = 0;
	for (size_t i = 0; i < n->n_children; i++) {
		struct node *c = n->children[r[i].i];
		if (i && strcmp(r[i].text, r[i - 1].text) == 0)
			node_free(c);
		else
			sorted[kept++] = c;
	}
	for (size_t i = 0; i < n->n_children; i++)
		free(r[i].text);
	free(r);
	free(n->children);
	n->children = sorted;
	n->n_children = kept;
}

static struct node *only_child(struct node *n)
{
	struct node *c = n->children[0];
	n->n_children = 0;
	node_free(n);
	return c;
}

struct node *node_normalize(struct node *n)
{
	struct node **children = n->children;
	size_t n_children = n->n_children;
	n->children = NULL;
	n->n_children = 0;
	/* Added anew, for what a child has become may dissolve into this one. */
	for (size_t i = 0; i < n_children; i++)
		node_add(n, node_normalize(children[i]));
	free(children);
	if (n->kind == NODE_IN) {
		sort_values(n);
		if (n->n_values == 1)
			n->kind = NODE_EQ;
	}
	if (n->kind == NODE_NOT && n->children[0]->kind == NODE_NOT)
		return only_child(only_child(n));
	if (n->kind == NODE_AND || n->kind == NODE_OR) {
		sort_children(n);
		if (n->n_children == 1)
			return only_child(n);
	}
	return n;
}

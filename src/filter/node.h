/* SPDX-License-Identifier: MIT
 *
 * node - a filter's expression as a tree; private to the filter.
 *
 * `!=`, `!~` and `not in` are the negation of `==`, `~` and `in`, so there are
 * fewer kinds of nodes than operators.
 */
#ifndef SLUICE_FILTER_NODE_H
#define SLUICE_FILTER_NODE_H

#include "filter/regex.h"
#include "filter/value.h"

enum { NODES_MAX = 256, DEPTH_MAX = 32, REGEXES_MAX = 32 };

enum node_kind {
	NODE_AND, /* of all children */
	NODE_OR,
	NODE_NOT, /* of the one child */
	NODE_EXISTS,
	NODE_EQ,
	NODE_LT,
	NODE_LE,
	NODE_GT,
	NODE_GE,
	NODE_IN,
	NODE_CONTAINS,
	NODE_ICONTAINS, /* in either case (fold.h) */
	NODE_STARTSWITH,
	NODE_ENDSWITH,
	NODE_MATCHES,
};

enum subject {
	SUBJECT_SEVERITY,
	SUBJECT_MESSAGE,
	SUBJECT_SOURCE,
	SUBJECT_CHANNEL,
	SUBJECT_TYPE,
	SUBJECT_TIME,
	SUBJECT_FIELD, /* fields.NAME */
};

struct node {
	enum node_kind kind;
	struct node **children; /* owned */
	size_t n_children;
	enum subject subject;
	char *field;          /* its name; owned */
	struct value *values; /* owned with their strings; one, or those of `in` */
	size_t n_values;
	struct buf folded;   /* what icontains looks for */
	struct regex *regex; /* counted */
};

struct node *node_new(enum node_kind kind) must_check;
void node_free(struct node *n);
/* Takes `child`; one of the same kind (and, or) dissolves into `parent`. */
void node_add(struct node *parent, struct node *child);
/* Takes `v` with an owned string. */
void node_add_value(struct node *n, struct value v);

/* The same expression in its one canonical form: operands of and/or, and the
 * values of `in`, sorted (cheap ones first) and each once; no double negation.
 * Takes `n`.
 */
struct node *node_normalize(struct node *n) must_check;

/* Its text, which parses to the same. */
void node_put(struct buf *out, const struct node *n);
void node_put_string(struct buf *out, struct str s);

extern const char *const subject_names[]; /* by enum subject, NULL at the end */

#endif

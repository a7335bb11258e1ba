/* SPDX-License-Identifier: MIT
 *
 * tree - a YAML document as a tree of nodes that know their places.
 *
 * Knows nothing of what the keys mean.  Duplicate keys, aliases and further
 * documents are errors here; ${env:NAME} and ${file:PATH} in scalars are
 * replaced here, after parsing, so that they cannot change the structure.
 */
#ifndef SLUICE_CONF_TREE_H
#define SLUICE_CONF_TREE_H

#include "conf/errors.h"

enum tree_kind { TREE_SCALAR, TREE_MAP, TREE_LIST };

struct tree {
	enum tree_kind kind;
	struct place at;
	bool is_cut_off;    /* by an error: what it lacks may come behind */
	bool is_quoted;     /* a scalar in quotes is a string whatever it looks like */
	char *text;         /* scalar; owned */
	size_t n;           /* of a map or list */
	struct tree **keys; /* of a map: scalars */
	struct tree **values;
};

/* Parses a file.  Returns owned, or NULL after adding to `e`; with mistakes
 * that leave a tree to look at, both.  Borrows `file` for the tree's life.
 */
struct tree *tree_load(const char *file, struct errors *e) must_check;

void tree_free(struct tree *t);

/* The value of a key in a map, or NULL. */
struct tree *tree_get(const struct tree *map, const char *key);

/* "a map", "a list", "a value", for messages. */
const char *tree_kind_name(const struct tree *t);

#endif

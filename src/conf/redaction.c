/* SPDX-License-Identifier: MIT */
#include "conf/redaction.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/unit.h"
#include "conf/sources.h"
#include "redact/redact.h"

static const char *const hows[] = {"mask", "hash", "drop", NULL};

const struct setting redact_rows[] = {
	{{"rule", SLUICE_STRING, 0, NULL, NULL, 0, 0, "a built-in rule", "field regex",
	  NULL},
	 AS_TEXT(struct redact_rule, name)},
	{{"field", SLUICE_STRING, 0, NULL, NULL, 0, 0,
	  "message, or the name of a field; default: everywhere", NULL, NULL},
	 AS_TEXT(struct redact_rule, field)},
	{{"regex", SLUICE_REGEX, 0, NULL, NULL, 0, 0,
	  "what to remove: its first group, or the whole match; default: the whole field", NULL,
	  NULL},
	 AS_TEXT(struct redact_rule, regex)},
	{{"with", SLUICE_STRING, 0, "***", NULL, 0, 0, "the text that replaces it", NULL, NULL},
	 AS_TEXT(struct redact_rule, with)},
	{{"do", SLUICE_ENUM, 0, "mask", hows, 0, 0,
	  "mask it, replace it by a keyed hash, or drop it", NULL, NULL},
	 AS_CHOICE(struct redact_rule, how)},
	{.kind = MEMBER_NONE},
};

static void check_name(const char *name, struct place at, const char *where, struct errors *e)
{
	struct buf all = {0};
	for (size_t i = 0; redact_names[i]; i++) {
		if (strcmp(name, redact_names[i]) == 0) {
			buf_fini(&all);
			return;
		}
		buf_printf(&all, "%s%s", i ? ", " : "", redact_names[i]);
	}
	const char *near = unit_nearest(name, redact_names);
	if (near)
		errors_add(e, at, where, "there is no rule \"%s\" (did you mean \"%s\"?)", name,
			   near);
	else
		errors_add(e, at, where, "there is no rule \"%s\" (there are %s)", name,
			   buf_text(&all));
	buf_fini(&all);
}

static void read_map(struct redact_rule *rule, const struct tree *map, const char *where,
		     struct errors *e)
{
	struct option_values v = {0};
	settings_read(redact_rows, map, where, &v, rule, e);
	if (rule->name)
		check_name(rule->name, map->at, where, e);
	else if (!rule->field && !rule->regex)
		errors_add(e, map->at, where,
			   "what is to be taken out?  Name a rule, a field or a "
			   "regex");
	option_values_fini(&v);
}

static void read_one(struct source_settings *src, const struct tree *t, const char *where,
		     struct errors *e)
{
	src->redact = mem_resize(src->redact, (src->n_redact + 1) * sizeof(src->redact[0]));
	struct redact_rule *rule = &src->redact[src->n_redact++];
	*rule = (struct redact_rule){0};
	if (t->kind == TREE_MAP) {
		read_map(rule, t, where, e);
	} else if (t->kind == TREE_SCALAR) {
		rule->name = mem_strdup(t->text);
		check_name(t->text, t->at, where, e);
	} else {
		errors_add(e, t->at, where, "a list where a rule is expected");
	}
}

void redaction_read(struct source_settings *src, const struct tree *tree, const char *where,
		    struct errors *e)
{
	char *path = mem_printf("%s.redact", where);
	if (tree && tree->kind == TREE_LIST)
		for (size_t i = 0; i < tree->n; i++)
			read_one(src, tree->values[i], path, e);
	else if (tree)
		read_one(src, tree, path, e);
	free(path);
}

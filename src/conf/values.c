/* SPDX-License-Identifier: MIT */
#include "conf/values.h"

#include <stdlib.h>

#include "base/mem.h"

const char *values_text(const struct sluice_option *table, const struct option_values *v,
			const char *name)
{
	const struct option_value *set = option_find(v, name);
	if (set && set->n)
		return set->items[0];
	return option_lookup(table, name)->fallback;
}

int64_t values_number(const struct sluice_option *table, const struct option_values *v,
		      const char *name)
{
	int64_t ret = 0;
	char *why = NULL;
	const char *text = values_text(table, v, name);
	if (text && option_number(option_lookup(table, name), text, &ret, &why))
		free(why);
	return ret;
}

/* The values of a list option, each owned; its fallback when it is not set. */
char **values_list(const struct sluice_option *table, const struct option_values *v,
		   const char *name, size_t *n)
{
	const struct option_value *set = option_find(v, name);
	const char *fallback = option_lookup(table, name)->fallback;
	*n = set ? set->n : fallback != NULL;
	char **items = mem_zero((*n + 1) * sizeof(items[0]));
	for (size_t i = 0; i < *n; i++)
		items[i] = mem_strdup(set ? set->items[i] : fallback);
	return items;
}

void list_free(char **items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i]);
	free(items);
}

/* SPDX-License-Identifier: MIT */
#include "conf/values.h"

#include <stdlib.h>

#include "base/mem.h"

const char *values_text(const struct sluice_option *o, const struct option_value *v)
{
	return v && v->n ? v->items[0] : o->fallback;
}

int64_t values_number(const struct sluice_option *o, const struct option_value *v)
{
	int64_t ret = 0;
	char *why = NULL;
	const char *text = values_text(o, v);
	if (text && option_number(o, text, &ret, &why))
		free(why);
	return ret;
}

char **values_list(const struct sluice_option *o, const struct option_value *v, size_t *n)
{
	*n = v ? v->n : o->fallback != NULL;
	char **items = mem_zero((*n + 1) * sizeof(items[0]));
	for (size_t i = 0; i < *n; i++)
		items[i] = mem_strdup(v ? v->items[i] : o->fallback);
	return items;
}

void list_free(char **items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i]);
	free(items);
}

/* SPDX-License-Identifier: MIT
 *
 * option - values checked against a table of options, ours or a plugin's.
 *
 * The tables are `struct sluice_option` of the plugin ABI, so a plugin's
 * options are checked, reported and printed exactly as the hub's own.
 */
#ifndef SLUICE_CONF_OPTION_H
#define SLUICE_CONF_OPTION_H

#include "conf/tree.h"
#include "sluice-plugin.h"

/* What the configuration says of one option. */
struct option_value {
	char *name;
	char **items; /* as written, n of them, each checked */
	size_t n;
	struct place at;
};

struct option_values {
	struct option_value *all;
	size_t n;
};

void option_values_fini(struct option_values *v);
const struct option_value *option_find(const struct option_values *v, const char *name);

/* The entry of a table, or NULL. */
const struct sluice_option *option_lookup(const struct sluice_option *table, const char *name);

/* Reads the keys of `map` by `table` into `ret`, leaving out those of `also`
 * (another table whose keys the same map may hold, or NULL); tells unknown
 * keys with the nearest name, wrong types, ranges, and what is missing.
 */
void option_read(const struct tree *map, const char *where, const struct sluice_option *table,
		 const struct sluice_option *also, struct option_values *ret, struct errors *e);

/* One value in its type's unit (bool 0/1, enum its index); 0 or -EINVAL with
 * *why set to an owned sentence.
 */
int option_number(const struct sluice_option *o, const char *text, int64_t *ret, char **why);

/* What is wrong with `text` as a value of `o`: an owned sentence, or NULL. */
char *option_check(const struct sluice_option *o, const char *text) must_check;

/* "duration (250ms)" and the like, for people. */
const char *option_type_name(enum sluice_type type);

#endif

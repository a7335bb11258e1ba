/* SPDX-License-Identifier: MIT
 *
 * option - values checked against a table of options, ours or a plugin's.
 *
 * The tables are `struct sluice_option` of the plugin ABI, so a plugin's
 * options are checked, reported and printed exactly as the hub's own.  A name
 * with dots stands for a map: "tls.cert" is the key "cert" in the map "tls".
 */
#ifndef SLUICE_CONF_OPTION_H
#define SLUICE_CONF_OPTION_H

#include "conf/tree.h"
#include "sluice-plugin.h"

/* Flag of an option of ours that is no row of values: its key is known, and somebody
 * else reads what is under it.
 */
enum { OPTION_TREE = 1 << 16 };
/* Flag of a value that the configuration does not set: it is the option's fallback. */
enum { OPTION_FALLBACK = 1 << 17 };

/* What the configuration says of one option. */
struct option_value {
	char *name; /* with its dots */
	enum sluice_type type;
	uint32_t flags; /* enum sluice_option_flag, OPTION_FALLBACK */
	char **items;   /* as written, n of them, each checked; owned */
	size_t n;
	struct place at;
};

struct option_values {
	struct option_value *all;
	size_t n;
};

void option_values_fini(struct option_values *v);
/* Appends a number of an option as people write it: a duration, a size, or digits. */
void option_put_number(struct buf *out, enum sluice_type type, int64_t v);
const struct option_value *option_find(const struct option_values *v, const char *name);
/* Whether both hold the same options with the same values. */
bool option_value_equals(const struct option_value *a, const struct option_value *b);

/* Adds a value to the option `o`, which is made when it is not there. */
void option_add(struct option_values *v, const struct sluice_option *o, const char *text,
		struct place at);

/* Adds the fallbacks of options that name what a sandbox has to allow, and addresses. */
void option_add_fallbacks(struct option_values *v, const struct sluice_option *table,
			  struct place at);

/* Whether the configuration sets the option, be it to its fallback. */
bool option_is_set(const struct option_values *v, const char *name);

/* The entry of a table, or NULL. */
const struct sluice_option *option_lookup(const struct sluice_option *table, const char *name);

/* Reads the keys of `map` by `table` into `ret`, leaving out those of `also`
 * (another table whose keys the same map may hold, or NULL); tells unknown
 * keys with the nearest name, wrong types, ranges, conflicts, and what is
 * missing.
 */
void option_read(const struct tree *map, const char *where, const struct sluice_option *table,
		 const struct sluice_option *also, struct option_values *ret, struct errors *e);

/* The same, but keys that `table` does not have are left to somebody else. */
void option_read_known(const struct tree *map, const char *where, const struct sluice_option *table,
		       struct option_values *ret, struct errors *e);

/* What values exclude each other, and what is missing; option_read() has told. */
char *option_check_all(const struct option_values *v, const struct sluice_option *table) must_check;

/* One value in its type's unit (bool 0/1, enum its index, a range its lower
 * end); 0 or -EINVAL with *why set to an owned sentence.
 */
int option_number(const struct sluice_option *o, const char *text, int64_t *ret, char **why);

/* What is wrong with `text` as a value of `o`: an owned sentence, or NULL. */
char *option_check(const struct sluice_option *o, const char *text) must_check;

/* "a duration such as 250ms" and the like, for messages. */
const char *option_type_name(enum sluice_type type);

#endif

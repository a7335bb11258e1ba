/* SPDX-License-Identifier: MIT
 *
 * values - what was read of an option, or else its fallback.
 */
#ifndef SLUICE_CONF_VALUES_H
#define SLUICE_CONF_VALUES_H

#include "conf/option.h"

/* The first value as written, borrowed; the fallback if `v` is NULL; NULL when there is
 * neither.
 */
const char *values_text(const struct sluice_option *o, const struct option_value *v);

/* In the unit of its type; 0 when there is neither. */
int64_t values_number(const struct sluice_option *o, const struct option_value *v);

/* All values of a list option, owned. */
char **values_list(const struct sluice_option *o, const struct option_value *v, size_t *n);
void list_free(char **items, size_t n);

#endif

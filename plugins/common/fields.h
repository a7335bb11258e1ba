/* SPDX-License-Identifier: MIT
 *
 * fields - the fields of one event being put together.
 *
 * Names and strings are either borrowed or copied into memory that lives until
 * the next fields_reset(); that is reused, so an event costs no allocation.
 */
#ifndef COMMON_FIELDS_H
#define COMMON_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice-plugin.h"

struct fields {
	struct sluice_value all[SLUICE_FIELDS_MAX];
	size_t n;
	size_t n_dropped; /* that had no room */
	struct block *blocks;
};

void fields_reset(struct fields *f);
void fields_free(struct fields *f);

/* `n` bytes until the next reset; NULL when there is no memory. */
char *fields_alloc(struct fields *f, size_t n);
/* A copy, ended by a NUL. */
const char *fields_copy(struct fields *f, const char *s, size_t n);

/* Names and strings are borrowed.  A field without a name is left out. */
void fields_str(struct fields *f, const char *name, const char *s, size_t n);
void fields_cstr(struct fields *f, const char *name, const char *s);
void fields_json(struct fields *f, const char *name, const char *s, size_t n);
void fields_int(struct fields *f, const char *name, int64_t v);
void fields_double(struct fields *f, const char *name, double v);
void fields_bool(struct fields *f, const char *name, bool v);
void fields_null(struct fields *f, const char *name);

#endif

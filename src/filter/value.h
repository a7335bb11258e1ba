/* SPDX-License-Identifier: MIT
 *
 * value - what a filter compares: a literal of its text, or what an event holds.
 */
#ifndef SLUICE_FILTER_VALUE_H
#define SLUICE_FILTER_VALUE_H

#include "wire/record.h"

enum value_type {
	VALUE_NONE, /* the event has no such thing */
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT,
	VALUE_DOUBLE,
	VALUE_STRING,
	VALUE_JSON, /* an object or array, its text in `string` */
};

struct value {
	enum value_type type;
	int64_t integer; /* VALUE_INT, VALUE_BOOL */
	double number;   /* VALUE_DOUBLE */
	struct str string;
};

/* The number that all of `s` spells, or VALUE_NONE. */
struct value value_of_number(struct str s);

/* A scalar or composite of a checked JSON text; a string with escapes is
 * unfolded into `scratch`.
 */
struct value value_of_json(struct str json, struct buf *scratch);

/* What a field holds; of JSON as above. */
struct value value_of_field(const struct field *f, struct buf *scratch);

/* Equality as filters mean it: numbers by value, also where one side spells its
 * number as a string; all else by type and bytes.
 */
bool value_equals(const struct value *a, const struct value *b) must_check;

/* -1, 0 or 1, or 2 when the two have no order: numbers by value, strings by bytes. */
int value_order(const struct value *a, const struct value *b) must_check;

/* As text to be searched: a string itself, a number or truth value spelled into
 * `small` (32 bytes); no data for what has none.
 */
struct str value_text(const struct value *v, char small[32]);

#endif

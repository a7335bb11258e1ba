/* SPDX-License-Identifier: MIT
 *
 * regex_set - many regexes searched for in one pass (Vectorscan or Hyperscan).
 *
 * It only ever says "cannot match": what may match is asked of the regex itself,
 * so results never depend on whether there is a set.  Compiling takes from
 * milliseconds to seconds and happens off the loop; scanning is the loop's.
 * Without the library there are no sets.
 */
#ifndef SLUICE_FILTER_REGEX_SET_H
#define SLUICE_FILTER_REGEX_SET_H

#include "filter/regex.h"

struct regex_set;

/* Worth its while from so many on ([measured], see doc/DESIGN.md). */
enum { REGEX_SET_MIN = 10 };

bool regex_set_is_there(void);

/* Notes all regexes of the pool, in the loop; refs them. */
struct regex_set *regex_set_new(struct regex_pool *pool) must_check;

/* The work, in any thread.  What the engine cannot do is left out. */
void regex_set_compile(struct regex_set *s);

/* In the loop: from now on its regexes know their number in it. */
void regex_set_adopt(struct regex_set *s);
void regex_set_free(struct regex_set *s);

/* Scans `s`, then says which may match in it. */
void regex_set_scan(struct regex_set *set, struct str s);
bool regex_set_may_match(const struct regex_set *set, int number) must_check;

/* How many it searches for. */
size_t regex_set_size(const struct regex_set *s);

#endif
